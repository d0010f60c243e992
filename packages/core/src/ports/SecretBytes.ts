/**
 * Secret bytes that do not print.
 *
 * Logging, `JSON.stringify`, template strings and structured clones show a mark or nothing; only `reveal` gives the bytes.
 * That stops accidents, not whoever can run code in the process.
 */
export class SecretBytes {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes.slice()
  }

  /** A copy, so that a caller may overwrite it after use. */
  reveal(): Uint8Array {
    return this.#bytes.slice()
  }

  toString(): string {
    return "<secret>"
  }

  toJSON(): string {
    return "<secret>"
  }
}
