import type { Head } from "@sotto/core/budget"
import { HeadMoved, LedgerKeys, NoiseKeyMissing } from "@sotto/core/ports/LedgerKeys"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Keys as given: `ledgerId` 16 bytes, the others 32. `heads` outlives the layer when it is handed to a second one. */
export interface MemoryLedgerKeys {
  readonly ledgerId: Uint8Array
  readonly fingerprintKey: Uint8Array
  readonly noiseKeys: ReadonlyMap<string, Uint8Array>
  readonly activeNoiseKeyId: string
  readonly heads?: Map<string, Head>
}

export const layerMemoryLedgerKeys = (keys: MemoryLedgerKeys) =>
  Layer.sync(LedgerKeys, () => {
    const heads = keys.heads ?? new Map<string, Head>()
    const noiseKey = (id: string) => {
      const key = keys.noiseKeys.get(id)
      return key === undefined
        ? Effect.fail(
            new NoiseKeyMissing({
              noiseKeyId: id,
              message: `There is no noise key "${id}". A question that was noised with it cannot be repeated.`
            })
          )
        : Effect.succeed({ id, key: new SecretBytes(key) })
    }
    return LedgerKeys.of({
      capabilities: { head: true },
      ledgerId: Effect.sync(() => keys.ledgerId.slice()),
      fingerprintKey: Effect.sync(() => new SecretBytes(keys.fingerprintKey)),
      activeNoiseKey: Effect.suspend(() => noiseKey(keys.activeNoiseKeyId)),
      noiseKey: (id) => Effect.suspend(() => noiseKey(id)),
      head: (scope) => Effect.sync(() => heads.get(scope)),
      raiseHead: (scope, head) =>
        Effect.sync(() => {
          if (head.sequence > (heads.get(scope)?.sequence ?? -1)) heads.set(scope, head)
        }),
      lowerHead: (scope, lost, head) =>
        Effect.suspend(() => {
          if (heads.get(scope)?.hash !== lost.hash) {
            return Effect.fail(
              new HeadMoved({
                scope,
                message: `The head of scope "${scope}" changed in the meantime. Look at the ledger again before you accept.`
              })
            )
          }
          heads.set(scope, head)
          return Effect.void
        })
    })
  })
