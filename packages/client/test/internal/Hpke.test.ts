import { describe, expect, it } from "vitest"
import { sealWith } from "../../src/internal/Hpke.ts"

const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"))

describe("sealWith", () => {
  it("makes the first ciphertext of RFC 9180 A.2.1", async () => {
    const enc = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
    // WebCrypto takes no raw private key: the 16 bytes before it are its PKCS #8 wrapping (RFC 8410 §7).
    const privateKey = await crypto.subtle.importKey(
      "pkcs8",
      hex("302e020100300506032b656e04220420f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"),
      { name: "X25519" },
      false,
      ["deriveBits"]
    )
    const sealed = await sealWith(
      crypto,
      { privateKey, publicKey: hex(enc) },
      hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"),
      hex("4f6465206f6e2061204772656369616e2055726e"),
      hex("436f756e742d30"),
      hex("4265617574792069732074727574682c20747275746820626561757479")
    )
    expect(Buffer.from(sealed).toString("hex")).toBe(
      `${enc}1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28`
    )
  })
})
