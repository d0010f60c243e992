import { ClientError } from "./ClientError.ts"
import { type Environment, utf8, webCrypto } from "./Environment.ts"
import { fromBase64, toBase64 } from "./internal/Base64.ts"
import { generateEphemeral, sealWith } from "./internal/Hpke.ts"

/** An entry of the public key list `{"keys": [{"id", "key"}]}`; `key` is base64 of the raw 32 bytes of X25519. */
export interface PublicKey {
  readonly id: string
  readonly key: string
}

/** A sealed report, one row of what an aggregation reads (there `payload` is bytes). */
export interface Sealed {
  readonly key_id: string
  /** Base64 of encapsulated key (32 bytes), ciphertext and tag (16 bytes). */
  readonly payload: string
  readonly shared_info: string
}

/**
 * Encrypts a payload so that only the holder of the private key can read it, and only together with this `sharedInfo`.
 *
 * HPKE, RFC 9180 base mode, with info `aggregation_service` ‖ shared_info and no additional data (spec: aggregation §3.5).
 * Rejects with `PublicKeyRejected` or `CryptoUnavailable`.
 */
export const seal = async (
  publicKey: PublicKey,
  report: { readonly sharedInfo: string; readonly payload: Uint8Array },
  environment: Environment = {}
): Promise<Sealed> => {
  const recipient = fromBase64(publicKey.key)
  if (recipient?.length !== 32)
    throw new ClientError(
      "PublicKeyRejected",
      `The key with id ${JSON.stringify(publicKey.id)} is not base64 of 32 bytes: pass an entry of the public key list as it is.`
    )
  const crypto = webCrypto(environment)
  const ephemeral = await generateEphemeral(crypto).catch((cause: unknown) => {
    throw new ClientError("CryptoUnavailable", "This host's WebCrypto has no X25519: use a newer one.", cause)
  })
  const info = utf8(`aggregation_service${report.sharedInfo}`, environment)
  const sealed = await sealWith(crypto, ephemeral, recipient, info, new Uint8Array(0), report.payload)
  return { key_id: publicKey.id, payload: toBase64(sealed), shared_info: report.sharedInfo }
}
