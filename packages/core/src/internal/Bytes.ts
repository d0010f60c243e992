/**
 * Byte strings: UTF-8, hexadecimal, and the length-prefixed concatenations of the ledger (spec: ledger).
 *
 * Written out because core runs in a bare JavaScript realm, where neither `TextEncoder` nor `Buffer` exists.
 */

/** UTF-8 of `text`. An unpaired surrogate becomes U+FFFD, as `TextEncoder` does. */
export const utf8 = (text: string): Uint8Array => {
  const out = new Uint8Array(text.length * 3)
  let n = 0
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i)
    if (code >= 0xd800 && code <= 0xdfff) {
      const low = code <= 0xdbff && i + 1 < text.length ? text.charCodeAt(i + 1) : 0
      if (low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
        i++
      } else code = 0xfffd
    }
    if (code < 0x80) out[n++] = code
    else if (code < 0x800) {
      out[n++] = 0xc0 | (code >> 6)
      out[n++] = 0x80 | (code & 63)
    } else if (code < 0x10000) {
      out[n++] = 0xe0 | (code >> 12)
      out[n++] = 0x80 | ((code >> 6) & 63)
      out[n++] = 0x80 | (code & 63)
    } else {
      out[n++] = 0xf0 | (code >> 18)
      out[n++] = 0x80 | ((code >> 12) & 63)
      out[n++] = 0x80 | ((code >> 6) & 63)
      out[n++] = 0x80 | (code & 63)
    }
  }
  return out.slice(0, n)
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** Lower-case hexadecimal, two digits a byte. */
export const toHex = (bytes: Uint8Array): string => {
  let out = ""
  for (const byte of bytes) out += HEX[byte]
  return out
}

/** Bytes of an even number of hexadecimal digits in either case; `undefined` for anything else. */
export const fromHex = (text: string): Uint8Array | undefined => {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  const out = new Uint8Array(text.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = (digit(text, 2 * i) << 4) | digit(text, 2 * i + 1)
  return out
}

// "0" … "9" end in 0 … 9 in ASCII, letters of either case in 1 … 6.
const digit = (text: string, at: number): number => {
  const code = text.charCodeAt(at)
  return (code & 15) + (code >> 6) * 9
}

export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

const bigEndian = (value: bigint, bytes: number): Uint8Array => {
  const out = new Uint8Array(bytes)
  for (let i = bytes - 1; i >= 0; i--) {
    out[i] = Number(value & 0xffn)
    value >>= 8n
  }
  return out
}

export const u8 = (value: number): Uint8Array => Uint8Array.of(value)
export const u16 = (value: number): Uint8Array => bigEndian(BigInt(value), 2)
export const u32 = (value: number): Uint8Array => bigEndian(BigInt(value), 4)
export const u64 = (value: bigint | number): Uint8Array => bigEndian(BigInt(value), 8)
/** Two's complement, so that hours and times before 1970 have one encoding too. */
export const i64 = (value: bigint | number): Uint8Array => bigEndian(BigInt.asUintN(64, BigInt(value)), 8)

/** `u32(byte length) ‖ UTF-8(text)`: an injective encoding, unlike joining with a separator. */
export const lp = (text: string): Uint8Array => {
  const bytes = utf8(text)
  return concat(u32(bytes.length), bytes)
}

/** An ASCII label with its final NUL, e.g. `label("sotto/unit/1")` (spec: ledger, notation). */
export const label = (text: string): Uint8Array => utf8(`${text}\0`)

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

/** RFC 9562 from 16 bytes: version 4 of random ones, version 8 of others. */
export const toUuid = (bytes: Uint8Array, version: 4 | 8): string => {
  const marked = Uint8Array.from(bytes, (byte, i) =>
    i === 6 ? (byte & 0x0f) | (version << 4) : i === 8 ? (byte & 0x3f) | 0x80 : byte
  )
  const hex = toHex(marked)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}
