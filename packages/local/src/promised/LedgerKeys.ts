import type { Head } from "@sotto/core/budget"
import {
  HeadMoved,
  LedgerKeys,
  type LedgerKeysCapabilities,
  LedgerKeysUnavailable,
  NoiseKeyMissing
} from "@sotto/core/ports/LedgerKeys"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { call, checkBytes, checker, checkOptional, demandAdapter, nothing, type Thrown, Whole } from "./Border.ts"

/** 32 bytes under a public name. */
export interface PromisedNoiseKey {
  readonly id: string
  readonly key: Uint8Array
}

/**
 * The keys of a ledger as a host keeps them, outside the database (a vault, a key service).
 *
 * Errors with the code `Missing` say that a noise key is gone, `Moved` that a head is not the one to be lowered.
 */
export interface PromisedLedgerKeys {
  readonly capabilities: LedgerKeysCapabilities
  /** 16 bytes. */
  ledgerId(): Promise<Uint8Array>
  /** 32 bytes. */
  fingerprintKey(): Promise<Uint8Array>
  activeNoiseKey(): Promise<PromisedNoiseKey>
  noiseKey(id: string): Promise<PromisedNoiseKey>
  head(scope: string): Promise<Head | undefined>
  raiseHead(scope: string, head: Head): Promise<void>
  lowerHead(scope: string, lost: Head, head: Head): Promise<void>
}

const isHead = checker(
  "head",
  Schema.Struct({ sequence: Whole, hash: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)) })
) as (answer: unknown) => Head

const secret = checkBytes("key", 32)

const noiseKey = (answer: unknown) => {
  const { id, key } = (answer ?? {}) as { readonly [name: string]: unknown }
  if (typeof id !== "string" || id === "") throw new Error("The adapter's noise key has no id; correct the adapter.")
  return { id, key: new SecretBytes(secret(key)) }
}

const refuse = ({ message }: Thrown) => new LedgerKeysUnavailable({ message })

const missing =
  (noiseKeyId: string) =>
  (cause: Thrown): NoiseKeyMissing | LedgerKeysUnavailable =>
    cause.code === "Missing" ? new NoiseKeyMissing({ noiseKeyId, message: cause.message }) : refuse(cause)

export const layerPromisedLedgerKeys = (keys: PromisedLedgerKeys): Layer.Layer<LedgerKeys> => {
  demandAdapter(
    "LedgerKeys",
    keys,
    ["ledgerId", "fingerprintKey", "activeNoiseKey", "noiseKey", "head", "raiseHead", "lowerHead"],
    ["head"]
  )
  return Layer.succeed(LedgerKeys, {
    capabilities: { head: keys.capabilities.head },
    ledgerId: call(() => keys.ledgerId(), checkBytes("id of a ledger", 16), refuse),
    fingerprintKey: call(
      () => keys.fingerprintKey(),
      (answer) => new SecretBytes(secret(answer)),
      refuse
    ),
    activeNoiseKey: call(() => keys.activeNoiseKey(), noiseKey, missing("")),
    noiseKey: (id) => call(() => keys.noiseKey(id), noiseKey, missing(id)),
    head: (scope) => call(() => keys.head(scope), checkOptional(isHead), refuse),
    raiseHead: (scope, head) => call(() => keys.raiseHead(scope, head), nothing, refuse),
    lowerHead: (scope, lost, head) =>
      call(
        () => keys.lowerHead(scope, lost, head),
        nothing,
        (cause): HeadMoved | LedgerKeysUnavailable =>
          cause.code === "Moved" ? new HeadMoved({ scope, message: cause.message }) : refuse(cause)
      )
  })
}
