// Written out because neither `btoa` nor `Buffer` exists in every realm that seals.
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/** Standard base64 with padding (RFC 4648 §4). */
export const toBase64 = (bytes: Uint8Array): string => {
  let out = ""
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3)
    const word = (a << 16) | (b << 8) | c
    out += DIGITS.charAt(word >> 18) + DIGITS.charAt((word >> 12) & 63)
    out += i + 1 < bytes.length ? DIGITS.charAt((word >> 6) & 63) : "="
    out += i + 2 < bytes.length ? DIGITS.charAt(word & 63) : "="
  }
  return out
}

/** The inverse of {@link toBase64}; `undefined` for any text that it does not write. */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> | undefined => {
  const digits = text.replace(/={1,2}$/, "")
  const out = new Uint8Array((digits.length * 6) >> 3)
  let word = 0
  for (let i = 0, n = 0; i < digits.length; i++) {
    const digit = DIGITS.indexOf(digits.charAt(i))
    if (digit < 0) return undefined
    word = (word << 6) | digit
    if ((i & 3) !== 0) out[n++] = (word >> (6 - 2 * (i & 3))) & 255
  }
  return toBase64(out) === text ? out : undefined
}
