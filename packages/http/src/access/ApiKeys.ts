/** The API keys of a store: made, listed, revoked and found. Nothing is cached, so what is done here counts at once. */
import { utf8 } from "@sotto/core/Bytes"
import { isName, MAX_NAME } from "@sotto/core/job"
import { Entropy } from "@sotto/core/ports/Entropy"
import { Records, type StoredRecord } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { API_KEY_ID_BYTES, API_KEY_SECRET_BYTES, ApiKey, apiKeyId, apiKeyText } from "./ApiKey.ts"
import { sha256Hex } from "./Digest.ts"

// A key is found before its tenant is known, so all of them lie in one place.
const PLACE = { collection: "api-keys", tenant: "server" } as const

/** Tenant, name, model or expiry are not what a key can have; nothing was made. */
export class InvalidApiKey extends Schema.TaggedError<InvalidApiKey>()("InvalidApiKey", { message: Schema.String }) {}

/** No key has this id. */
export class UnknownApiKey extends Schema.TaggedError<UnknownApiKey>()("UnknownApiKey", {
  id: Schema.String,
  message: Schema.String
}) {}

/** The kept key is not one: something else wrote into the store. */
export class ApiKeyDamaged extends Schema.TaggedError<ApiKeyDamaged>()("ApiKeyDamaged", {
  id: Schema.String,
  message: Schema.String
}) {}

export interface NewApiKey {
  readonly tenant: string
  /** Absent: the id. */
  readonly name?: string
  /** The model that its on-demand jobs are for; absent: any. */
  readonly model?: string
  /** Milliseconds since 1970; `null`: never. */
  readonly expires: number | null
}

/** Makes a key. `text` is nowhere else: who loses it makes another. */
export const createApiKey = Effect.fn("createApiKey")(function* ({ tenant, name, model, expires }: NewApiKey) {
  const entropy = yield* Entropy
  const created = yield* Clock.currentTimeMillis
  if (!isName(tenant)) return yield* invalid("The tenant", NAMED)
  if (name !== undefined && !isName(name)) return yield* invalid("The name of a key", NAMED)
  if (model !== undefined && !isName(model)) return yield* invalid("The model of a key", NAMED)
  if (expires !== null && !(Number.isSafeInteger(expires) && expires > created)) {
    return yield* invalid("The expiry of a key", "is a time in the future, in whole milliseconds since 1970.")
  }
  const text = apiKeyText(yield* entropy.bytes(API_KEY_ID_BYTES), yield* entropy.bytes(API_KEY_SECRET_BYTES))
  const id = apiKeyId(Redacted.value(text)) as string
  const key: ApiKey = {
    id,
    tenant,
    name: name ?? id,
    ...(model === undefined ? {} : { model }),
    hash: sha256Hex(Redacted.value(text)),
    last4: Redacted.value(text).slice(-4),
    created,
    expires,
    revoked: null
  }
  const answer = yield* put(key, null)
  // 64 random bits that are there already are no accident.
  if (answer._tag === "VersionConflict") return yield* Effect.die(new Error(`The random id ${id} is taken.`))
  return { key, text }
})

/** All keys by id, also those that are over, of one tenant or (`null`) of all. */
export const listApiKeys = Effect.fn("listApiKeys")(function* (tenant: string | null) {
  const records = yield* Records
  const keys: Array<ApiKey> = []
  for (let after: string | null = null; ;) {
    const page: ReadonlyArray<StoredRecord> = yield* records.scan({ ...PLACE, prefix: "" }, after, PAGE)
    for (const record of page) keys.push(yield* decode(record))
    after = page.at(-1)?.key ?? null
    if (page.length < PAGE) return keys.filter((key) => tenant === null || key.tenant === tenant)
  }
})

/**
 * Refuses the key from now on, for good. It stays listed, and so a server whose last key is revoked stays closed. A
 * second time changes nothing.
 */
export const revokeApiKey = Effect.fn("revokeApiKey")(function* (id: string) {
  const records = yield* Records
  for (;;) {
    const record = yield* records.get({ ...PLACE, key: id })
    if (record === undefined) {
      return yield* new UnknownApiKey({ id, message: `There is no API key ${id}. List the keys to see their ids.` })
    }
    const key = yield* decode(record)
    if (key.revoked !== null) return key
    const revoked = { ...key, revoked: yield* Clock.currentTimeMillis }
    if ((yield* put(revoked, record.version))._tag === "Put") return revoked
  }
})

/** The key with this id, whatever its state. */
export const findApiKey = Effect.fnUntraced(function* (id: string) {
  const record = yield* (yield* Records).get({ ...PLACE, key: id })
  return record && (yield* decode(record))
})

/** Whether a key was ever made here. */
export const hasApiKeys = Effect.fnUntraced(function* () {
  return (yield* (yield* Records).scan({ ...PLACE, prefix: "" }, null, 1)).length > 0
})

const PAGE = 1000

const NAMED = `is a text of 1 to ${MAX_NAME} characters without control characters.`

const invalid = (what: string, rule: string) => new InvalidApiKey({ message: `${what} ${rule}` })

const Stored = Schema.fromJsonString(ApiKey)

const put = Effect.fnUntraced(function* (key: ApiKey, expectVersion: number | null) {
  const bytes = utf8(Schema.encodeSync(Stored)(key))
  return yield* (yield* Records)
    .put({ ...PLACE, key: key.id, bytes, expectVersion, expiresAt: null })
    .pipe(Effect.catchTag("RecordTooLarge", Effect.die))
})

const decode = ({ key: id, bytes }: StoredRecord) =>
  Effect.mapError(
    Schema.decodeUnknownEffect(Stored)(new TextDecoder().decode(bytes)),
    // The schema's own words would quote what was read.
    () =>
      new ApiKeyDamaged({ id, message: `The API key ${id} of the store is damaged. Restore the store from a copy.` })
  )
