/**
 * Keeps what people give and get unreadable at rest: AES-256-GCM with a key for each job (spec: automation §4).
 *
 * The key of a job is a record that expires, wrapped with the server's key. When it is gone, nothing of the job's data can
 * be read any more, neither in the store nor in a copy of it, and nothing has to be cut out of the log.
 */
import { toUuid, utf8 } from "@sotto/core/Bytes"
import { namedUuid } from "@sotto/core/automation"
import type { Plain } from "@sotto/core/job"
import { Entropy } from "@sotto/core/ports/Entropy"
import { Records, type RecordsUnavailable } from "@sotto/core/ports/Records"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Aead from "effect/crypto/Aead"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** Seals and opens with one key. `place` says what the data is: sealed for one place, it is worth nothing in another. */
export interface Seal {
  seal(place: string, data: Plain): Effect.Effect<Plain>
  /** What was never sealed is given back as it is. */
  open(place: string, data: Plain): Effect.Effect<Plain>
}

/** The one-time password was used before, is over, or never was. */
export class OtpRefused extends Schema.TaggedError<OtpRefused>()("OtpRefused", { message: Schema.String }) {}

/** What is to be kept is more than a record holds. */
export class DataTooLarge extends Schema.TaggedError<DataTooLarge>()("DataTooLarge", { message: Schema.String }) {}

export class PersonalData extends Context.Service<
  PersonalData,
  {
    /** The name of a new key, which is kept for `forMs`. */
    createKey(tenant: string, forMs: number): Effect.Effect<string, RecordsUnavailable>
    /** Keeps a key for `forMs` from now on, if it is still there. */
    keepKey(tenant: string, key: string, forMs: number): Effect.Effect<void, RecordsUnavailable>
    /** From here on nothing that was sealed with the key can be read. */
    removeKey(tenant: string, key: string): Effect.Effect<void, RecordsUnavailable>
    hasKey(tenant: string, key: string): Effect.Effect<boolean, RecordsUnavailable>
    /** `undefined` if the key is gone. */
    sealOf(tenant: string, key: string): Effect.Effect<Seal | undefined, RecordsUnavailable>

    /** A password that puts one thing into the vault, for 15 minutes. */
    createOtp(tenant: string): Effect.Effect<string, RecordsUnavailable>
    /** Keeps data in the vault for a day; its token stands for it in inputs. */
    deposit(otp: string, data: Plain): Effect.Effect<string, OtpRefused | DataTooLarge | RecordsUnavailable>
    /** What a token stands for; `undefined` for one that is not known, or not any more. */
    withdraw(tenant: string, token: string): Effect.Effect<Plain | undefined, RecordsUnavailable>
  }
>()("@sotto/engine/automation/PersonalData") {}

export interface PersonalDataOptions {
  /** 32 bytes that wrap all keys, from outside the store. Absent: made once and kept in the store. */
  readonly serverKey?: SecretBytes
}

const KEYS = "automation-keys"
const OTPS = "automation-otps"
const VAULT = "automation-vault"
const SERVER_KEY = { collection: "automation-server-key", tenant: "server", key: "1" } as const
/** A password is looked up before it is known whose it is. */
const EVERYBODY = "server"

const OTP_MS = 15 * 60_000
const VAULT_MS = 24 * 60 * 60_000
const KEY_BYTES = 32
const NONCE_BYTES = 12

const make = Effect.fnUntraced(function* ({ serverKey }: PersonalDataOptions) {
  if (serverKey !== undefined && serverKey.reveal().length !== KEY_BYTES) {
    return yield* Effect.die(new Error(`The server key of automations is not of ${KEY_BYTES} bytes.`))
  }
  const records = yield* Records
  const entropy = yield* Entropy
  const aead = yield* Aead.Aead

  const encrypt = Effect.fnUntraced(function* (key: Uint8Array, place: string, bytes: Uint8Array) {
    const nonce = yield* entropy.bytes(NONCE_BYTES)
    const sealed = yield* aead.encrypt(yield* Aead.key(Aead.aes256Gcm, key), bytes, { nonce, aad: utf8(place) })
    return Uint8Array.from([...nonce, ...sealed])
  }, Effect.orDie)

  /** Fails as a defect: what we sealed opens, unless somebody changed it. */
  const decrypt = Effect.fnUntraced(function* (key: Uint8Array, place: string, bytes: Uint8Array) {
    const nonce = bytes.subarray(0, NONCE_BYTES)
    const sealed = bytes.subarray(NONCE_BYTES)
    return yield* aead.decrypt(yield* Aead.key(Aead.aes256Gcm, key), sealed, { nonce, aad: utf8(place) })
  }, Effect.orDie)

  const ownServerKey: Effect.Effect<Uint8Array, RecordsUnavailable> = Effect.gen(function* () {
    for (;;) {
      const found = yield* records.get(SERVER_KEY)
      if (found !== undefined) return found.bytes
      yield* put({ ...SERVER_KEY, bytes: yield* entropy.bytes(KEY_BYTES), expectVersion: null, expiresAt: null })
    }
  })
  const wrapping = serverKey === undefined ? ownServerKey : Effect.sync(() => serverKey.reveal())

  const put = (request: Parameters<typeof records.put>[0]) =>
    Effect.catchTag(records.put(request), "RecordTooLarge", Effect.die)

  const keyPlace = (tenant: string, key: string) => ({ collection: KEYS, tenant, key })
  const freshId = Effect.map(entropy.bytes(16), (bytes) => toUuid(bytes, 4))

  return PersonalData.of({
    createKey: Effect.fnUntraced(function* (tenant, forMs) {
      const key = yield* freshId
      const wrapped = yield* encrypt(yield* wrapping, `key/${tenant}/${key}`, yield* entropy.bytes(KEY_BYTES))
      const expiresAt = (yield* Clock.currentTimeMillis) + forMs
      yield* put({ ...keyPlace(tenant, key), bytes: wrapped, expectVersion: null, expiresAt })
      return key
    }),
    keepKey: Effect.fnUntraced(function* (tenant, key, forMs) {
      const found = yield* records.get(keyPlace(tenant, key))
      if (found === undefined) return
      const expiresAt = Math.max(found.expiresAt ?? 0, (yield* Clock.currentTimeMillis) + forMs)
      // One that was removed meanwhile stays removed.
      yield* put({ ...keyPlace(tenant, key), bytes: found.bytes, expectVersion: found.version, expiresAt })
    }),
    removeKey: (tenant, key) => Effect.asVoid(records.delete(keyPlace(tenant, key), "any")),
    hasKey: (tenant, key) => Effect.map(records.get(keyPlace(tenant, key)), (found) => found !== undefined),
    sealOf: Effect.fnUntraced(function* (tenant, key) {
      const found = yield* records.get(keyPlace(tenant, key))
      if (found === undefined) return undefined
      const secret = new SecretBytes(yield* decrypt(yield* wrapping, `key/${tenant}/${key}`, found.bytes))
      return {
        seal: (place, data) =>
          Effect.map(encrypt(secret.reveal(), place, plainBytes(data)), (bytes) => ({
            $sealed: Base64Url.encode(bytes)
          })),
        open: (place, data) => {
          const sealed = sealedBytes(data)
          return sealed === undefined
            ? Effect.succeed(data)
            : Effect.map(decrypt(secret.reveal(), place, sealed), plainOf)
        }
      }
    }),
    createOtp: Effect.fnUntraced(function* (tenant) {
      const otp = yield* freshId
      const expiresAt = (yield* Clock.currentTimeMillis) + OTP_MS
      yield* put({
        ...otpPlace(otp),
        bytes: yield* encrypt(yield* wrapping, `otp/${otp}`, utf8(tenant)),
        expectVersion: null,
        expiresAt
      })
      return otp
    }),
    deposit: Effect.fnUntraced(function* (otp, data) {
      const bytes = plainBytes(data)
      if (bytes.length > MAX_VAULT_BYTES) {
        return yield* new DataTooLarge({ message: `The vault takes ${MAX_VAULT_BYTES} bytes at most.` })
      }
      const found = yield* records.get(otpPlace(otp))
      // Of several that use a password at once, one removes it.
      const used = found === undefined ? undefined : yield* records.delete(otpPlace(otp), found.version)
      if (found === undefined || used?._tag !== "Deleted") return yield* refused
      const tenant = textOf(yield* decrypt(yield* wrapping, `otp/${otp}`, found.bytes))
      const token = yield* freshId
      const expiresAt = (yield* Clock.currentTimeMillis) + VAULT_MS
      const sealed = yield* encrypt(yield* wrapping, `vault/${tenant}/${token}`, bytes)
      yield* put({ ...vaultPlace(tenant, token), bytes: sealed, expectVersion: null, expiresAt })
      return token
    }),
    withdraw: Effect.fnUntraced(function* (tenant, token) {
      const found = yield* records.get(vaultPlace(tenant, token))
      if (found === undefined) return undefined
      return plainOf(yield* decrypt(yield* wrapping, `vault/${tenant}/${token}`, found.bytes))
    })
  })
})

/** A record holds 64 KiB, nonce and tag included. */
const MAX_VAULT_BYTES = 60_000

// Passwords and tokens are not kept: who reads the store learns none of them.
const otpPlace = (otp: string) => ({ collection: OTPS, tenant: EVERYBODY, key: namedUuid(`otp/${otp}`) })
const vaultPlace = (tenant: string, token: string) => ({ collection: VAULT, tenant, key: namedUuid(`vault/${token}`) })

const refused = new OtpRefused({ message: "The one-time password was used, or is over. Get another." })

const plainBytes = (data: Plain): Uint8Array => utf8(JSON.stringify(data))

/** UTF-8 back to text, by a decoder that is at hand in every realm. */
const textOf = (bytes: Uint8Array): string => Result.getOrThrow(Base64Url.decodeString(Base64Url.encode(bytes)))

const plainOf = (bytes: Uint8Array): Plain => JSON.parse(textOf(bytes)) as Plain

const sealedBytes = (data: Plain): Uint8Array | undefined => {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return undefined
  const { $sealed, ...rest } = data as Readonly<Record<string, Plain>>
  if (typeof $sealed !== "string" || Object.keys(rest).length > 0) return undefined
  return Result.getOrUndefined(Base64Url.decode($sealed))
}

/** Over an `Aead` of the host's choice, e.g. that of the platform. */
export const layerPersonalDataOver = (
  options: PersonalDataOptions = {}
): Layer.Layer<PersonalData, never, Records | Entropy | Aead.Aead> => Layer.effect(PersonalData, make(options))

/** Over the realm's own WebCrypto. */
export const layerPersonalData = (
  options: PersonalDataOptions = {}
): Layer.Layer<PersonalData, never, Records | Entropy> =>
  layerPersonalDataOver(options).pipe(Layer.provide(Aead.layerWebCrypto), Layer.provide(SecureRandom.layerWebCrypto))
