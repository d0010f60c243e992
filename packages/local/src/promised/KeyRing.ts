import { KeyDenied, KeyNotFound, KeyRing, KeyUnavailable, KeyUnusable } from "@sotto/core/ports/KeyRing"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Layer from "effect/Layer"
import { call, checkBytes, demandAdapter, type Thrown } from "./Border.ts"

/** Private keys as a host gives them. It throws errors with the codes `NotFound`, `Denied`, `Unusable`, or others. */
export interface PromisedKeyRing {
  /** An X25519 pair, 32 bytes each. */
  privateKey(keyId: string): Promise<{ readonly publicKey: Uint8Array; readonly privateKey: Uint8Array }>
}

const keyBytes = checkBytes("X25519 key", 32)

const refusal =
  (keyId: string) =>
  ({ code, message }: Thrown) => {
    switch (code) {
      case "NotFound":
        return new KeyNotFound({ keyId, message })
      case "Denied":
        return new KeyDenied({ keyId, message })
      case "Unusable":
        return new KeyUnusable({ keyId, message })
      default:
        return new KeyUnavailable({ keyId, message })
    }
  }

export const layerPromisedKeyRing = (ring: PromisedKeyRing): Layer.Layer<KeyRing> => {
  demandAdapter("KeyRing", ring, ["privateKey"])
  return Layer.succeed(KeyRing, {
    privateKey: (id) =>
      call(
        () => ring.privateKey(id),
        (answer) => {
          const { publicKey, privateKey } = (answer ?? {}) as { readonly [name: string]: unknown }
          return { id, publicKey: keyBytes(publicKey), privateKey: new SecretBytes(keyBytes(privateKey)) }
        },
        refusal(id)
      )
  })
}
