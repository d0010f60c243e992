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
  if (keys !== undefined && !existsSync(keys)) yield* writeKeys(keys, [yield* generateKeyPair()])
  if (ledgerKeys !== undefined && !existsSync(ledgerKeys)) yield* generateLedgerKeys(ledgerKeys)
})
