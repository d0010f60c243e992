/**
 * The keys that the server signs with, in its store: whoever can write there could make himself an API key as well.
 *
 * All processes over one store use the same ones. The first is made by whoever needs it first; the highest number signs,
 * all that are there are read with. Nothing is cached, so a rotation counts at once.
 */
import { Entropy } from "@sotto/core/ports/Entropy"
import { Records } from "@sotto/core/ports/Records"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { DIGEST_BYTES } from "./Digest.ts"
import type { ServerKey } from "./SignedToken.ts"

const PLACE = { collection: "server-keys", tenant: "server" } as const

/** All keys, the newest last; none before the first token is signed. */
export const serverKeys = Effect.fnUntraced(function* () {
  const found = yield* (yield* Records).scan({ ...PLACE, prefix: "" }, null, 1000)
  return found.map(({ key, bytes }): ServerKey => ({ number: Number(key), secret: new SecretBytes(bytes) }))
})

/** The newest key. Of several processes that find none, one makes it and all use it. */
export const signingKey = Effect.fnUntraced(function* () {
  for (;;) {
    const newest = (yield* serverKeys()).at(-1)
    if (newest !== undefined) return newest
    yield* addKey(1)
  }
})

/**
 * Signs with a new key from now on. What older ones signed counts for `keepMs` more (0: not any more), then they are
 * removed.
 */
export const rotateServerKey = Effect.fn("rotateServerKey")(function* (keepMs: number) {
  const records = yield* Records
  const older = yield* records.scan({ ...PLACE, prefix: "" }, null, 1000)
  yield* addKey(Number(older.at(-1)?.key ?? 0) + 1)
  const until = (yield* Clock.currentTimeMillis) + keepMs
  for (const { key, version, bytes, expiresAt } of older) {
    // One that is replaced by somebody else meanwhile is being retired there.
    yield* records
      .put({ ...PLACE, key, bytes, expectVersion: version, expiresAt: Math.min(until, expiresAt ?? until) })
      .pipe(Effect.catchTag("RecordTooLarge", Effect.die))
  }
})

/** Makes the key with this number unless there is one. */
const addKey = Effect.fnUntraced(function* (number: number) {
  const bytes = yield* (yield* Entropy).bytes(DIGEST_BYTES)
  const key = String(number).padStart(10, "0")
  yield* (yield* Records)
    .put({ ...PLACE, key, bytes, expectVersion: null, expiresAt: null })
    .pipe(Effect.catchTag("RecordTooLarge", Effect.die))
})
