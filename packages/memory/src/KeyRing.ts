import {
  KeyDenied,
  KeyNotFound,
  KeyRing,
  KeyUnavailable,
  KeyUnusable,
  type DecryptionKey
} from "@sotto/core/ports/KeyRing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const TROUBLES = { denied: KeyDenied, unusable: KeyUnusable, unavailable: KeyUnavailable }

/** Keys in memory; `troubles` makes asking for an id fail, to try out what a job does then. */
export const layerMemoryKeyRing = (options: {
  readonly keys: ReadonlyArray<DecryptionKey>
  readonly troubles?: { readonly [keyId: string]: keyof typeof TROUBLES }
}): Layer.Layer<KeyRing> => {
  const keys = new Map(options.keys.map((key) => [key.id, key]))
  const troubles = new Map(Object.entries(options.troubles ?? {}))
  return Layer.succeed(KeyRing, {
    privateKey: (keyId) => {
      const trouble = troubles.get(keyId)
      if (trouble !== undefined)
        return Effect.fail(new TROUBLES[trouble]({ keyId, message: `key ${keyId} is ${trouble}` }))
      const key = keys.get(keyId)
      return key === undefined
        ? Effect.fail(new KeyNotFound({ keyId, message: `no key has the id ${keyId}` }))
        : Effect.succeed(key)
    }
  })
}
