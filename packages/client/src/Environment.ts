import { ClientError } from "./ClientError.ts"

/**
 * The parts of WebCrypto that sealing needs, spelled out so that this package needs neither DOM nor Node types.
 * `globalThis.crypto` of a browser and of Node are both of this shape.
 */
export interface WebCrypto {
  getRandomValues(array: Uint8Array<ArrayBuffer>): Uint8Array
  readonly subtle: {
    generateKey(algorithm: { name: "X25519" }, extractable: boolean, usages: Array<"deriveBits">): Promise<unknown>
    importKey(
      format: "raw",
      key: Uint8Array<ArrayBuffer>,
      algorithm: { name: "X25519" },
      extractable: boolean,
      usages: []
    ): Promise<object>
    exportKey(format: "raw", key: never): Promise<ArrayBuffer>
    deriveBits(algorithm: { name: "X25519"; public: never }, key: never, length: number): Promise<ArrayBuffer>
  }
}

/** What the host provides. Each part defaults to the global of the same name; nothing else is taken from the host. */
export interface Environment {
  readonly crypto?: WebCrypto | undefined
  readonly TextEncoder?: (new () => { encode(text: string): Uint8Array }) | undefined
}

const host = globalThis as Environment

/** UTF-8 of `text`, as bytes of this realm. */
export const utf8 = (text: string, environment: Environment): Uint8Array<ArrayBuffer> => {
  const Encoder = environment.TextEncoder ?? host.TextEncoder
  if (Encoder === undefined)
    throw new ClientError("CryptoUnavailable", "There is no TextEncoder here: pass one as { TextEncoder }.")
  return new Uint8Array(new Encoder().encode(text))
}

export const webCrypto = (environment: Environment): WebCrypto => {
  const crypto = environment.crypto ?? host.crypto
  // Browsers hide `subtle` from pages that were not loaded over https.
  if (crypto?.subtle === undefined)
    throw new ClientError(
      "CryptoUnavailable",
      "There is no WebCrypto here: serve the page over https (or from localhost), or pass { crypto }."
    )
  return crypto
}
