/** Kinds that nobody claims for a while, kept where every worker sees them. Jobs that run go on. */
import { Records } from "@sotto/core/ports/Records"
import { utf8 } from "@sotto/core/Bytes"
import * as Effect from "effect/Effect"

const PLACE = { collection: "paused-kinds", tenant: "engine" } as const

export const pauseKind = Effect.fn("pauseKind")(function* (kind: string, by: string) {
  const records = yield* Records
  yield* records
    .put({ ...PLACE, key: kind, bytes: utf8(by.slice(0, 200)), expectVersion: "any", expiresAt: null })
    .pipe(Effect.catchTag("RecordTooLarge", Effect.die))
})

export const resumeKind = Effect.fn("resumeKind")(function* (kind: string) {
  const records = yield* Records
  yield* records.delete({ ...PLACE, key: kind }, "any")
})

export const pausedKinds = Effect.fnUntraced(function* () {
  const records = yield* Records
  const found = yield* records.scan({ ...PLACE, prefix: "" }, null, 1000)
  return new Set(found.map(({ key }) => key)) as ReadonlySet<string>
})
