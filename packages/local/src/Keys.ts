import { existsSync } from "node:fs"
import { generateKeyPair, generateLedgerKeys, writeKeys } from "@sotto/fs"
import * as Effect from "effect/Effect"

/** Makes the key files that are named and not there. A ledger whose keys are lost is refused when it is opened. */
export const makeKeys = Effect.fn("makeKeys")(function* (files: {
  /** Private keys that open reports: a new pair. */
  readonly keys?: string
  readonly ledgerKeys?: string
}) {
  const { keys, ledgerKeys } = files
  if (keys !== undefined) {
    yield* unlessThere(
      keys,
      Effect.flatMap(generateKeyPair(), (pair) => writeKeys(keys, [pair]))
    )
  }
  if (ledgerKeys !== undefined) yield* unlessThere(ledgerKeys, generateLedgerKeys(ledgerKeys))
})

/** For so long another process that makes the same file may take. */
const OTHERS_MS = 1_000

/** Processes may start at once in an empty folder: one makes the file, and the others, who are refused, take it. */
const unlessThere = <A, E, R>(file: string, make: Effect.Effect<A, E, R>): Effect.Effect<void, E, R> =>
  Effect.suspend(() =>
    existsSync(file)
      ? Effect.void
      : Effect.asVoid(make).pipe(
          Effect.catch((refused) =>
            Effect.flatMap(Effect.sleep(OTHERS_MS), () => (existsSync(file) ? Effect.void : Effect.fail(refused)))
          )
        )
  )
