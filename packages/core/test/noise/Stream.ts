import { createCipheriv, createHash } from "node:crypto"

/** A reproducible stream of words: AES-256-CTR keyed with SHA-256 of a name, from a zero counter, little-endian. */
export class Stream {
  readonly #cipher
  #pool = Buffer.alloc(0)
  #at = 0

  constructor(name: string) {
    this.#cipher = createCipheriv("aes-256-ctr", createHash("sha256").update(name).digest(), Buffer.alloc(16))
  }

  u32(): number {
    return this.#take(4).readUInt32LE(0)
  }

  bytes(length: number): Uint8Array {
    return this.#take(length)
  }

  // Uniform in 0 … n − 1, by rejection.
  below(n: bigint): bigint {
    const bits = BigInt((n - 1n).toString(2).length)
    for (;;) {
      let drawn = 0n
      for (let have = 0n; have < bits; have += 32n) drawn = (drawn << 32n) | BigInt(this.u32())
      drawn = BigInt.asUintN(Number(bits), drawn)
      if (drawn < n) return drawn
    }
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#pool.length) {
      const rest = this.#pool.subarray(this.#at)
      this.#pool = Buffer.concat([rest, this.#cipher.update(Buffer.alloc(1 << 16))])
      this.#at = 0
    }
    this.#at += length
    return this.#pool.subarray(this.#at - length, this.#at)
  }
}
