/**
 * The header Idempotency-Key: who sends a request again with the key of the first gets the answer to the first
 * (draft-ietf-httpapi-idempotency-key-header).
 *
 * The key is the job's own key too, so the store of jobs finds it for as long as the job is kept. Beside it the server
 * remembers for a day what was asked, so that the same key with anything else in the request is refused, and that a first
 * request is still being answered.
 */
import { toHex, utf8 } from "@sotto/core/Bytes"
import { isName, type Plain } from "@sotto/core/job"
import { Records } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { sha256 } from "../access/Digest.ts"
import { problem, problemOf } from "../Problem.ts"

/** The text in an Item of type String (RFC 9651 §3.3.3); `undefined` if it is none, or no key of a job. */
export const parseIdempotencyKey = (header: string): string | undefined => {
  const match = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/.exec(header.trim())
  const key = match?.[1]?.replace(/\\(["\\])/g, "$1")
  return key !== undefined && isName(key) ? key : undefined
}

/** The same for two payloads that say the same, whatever the order of their names. */
export const fingerprintOf = (payload: unknown): string => toHex(sha256(canonical(payload)))

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part
  )

const COLLECTION = "idempotency-keys"

/** A server that died while it answered is not waited for longer than this. */
const ANSWERING_MS = 60_000

const REMEMBERED_MS = 86_400_000

interface Remembered {
  readonly fingerprint: string
  readonly job: string | null
}

const write = (remembered: Remembered): Uint8Array => utf8(JSON.stringify(remembered))

const read = (bytes: Uint8Array): Remembered => JSON.parse(new TextDecoder().decode(bytes)) as Remembered

/**
 * Runs `first` unless the key was used: then gives the id of the job that it led to, or says that this is not known yet. A
 * failed `first` leaves no trace, so
 * that it can be tried again, and is not given up when the client goes away.
 */
export const once = Effect.fnUntraced(function* <A extends { readonly id: string }, E, R>(
  request: { readonly tenant: string; readonly key: string; readonly payload: Plain },
  first: Effect.Effect<A, E, R>
) {
  const records = yield* Records
  const now = yield* Clock.currentTimeMillis
  const place = { collection: COLLECTION, tenant: request.tenant, key: fingerprintOf(request.key) }
  const fingerprint = fingerprintOf(request.payload)
  const put = (remembered: Remembered, expectVersion: number | null | "any", forMs: number) =>
    records
      .put({ ...place, bytes: write(remembered), expectVersion, expiresAt: now + forMs })
      .pipe(Effect.catchTag("RecordTooLarge", Effect.die), Effect.mapError(problemOf))
  const begun = yield* put({ fingerprint, job: null }, null, ANSWERING_MS)
  if (begun._tag === "VersionConflict") {
    const known = yield* Effect.mapError(records.get(place), problemOf)
    if (known !== undefined) {
      const { fingerprint: asked, job } = read(known.bytes)
      if (asked !== fingerprint) return yield* Effect.fail(taken(job))
      if (job !== null) return { _tag: "Repeated" as const, job }
    }
    return { _tag: "Underway" as const }
  }
  const forget = Effect.ignore(records.delete(place, begun.version))
  return yield* first.pipe(
    Effect.onError(() => forget),
    Effect.tap(({ id }) => put({ fingerprint, job: id }, "any", REMEMBERED_MS)),
    Effect.map((done) => ({ _tag: "First" as const, done })),
    Effect.uninterruptible
  )
})

const taken = (job: string | null) =>
  problem(
    "key-taken",
    "The key was used with another request. Use a fresh key for a fresh request.",
    job === null ? {} : { job }
  )
