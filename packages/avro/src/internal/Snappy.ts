/**
 * Snappy's block format (google/snappy, format_description.txt), decompression only.
 *
 * Strict: exactly the announced number of bytes, every copy from within what was written.
 */

export interface SnappyLength {
  readonly value: number
  /** Where the elements begin. */
  readonly next: number
}

/** The announced length, an unsigned 32-bit varint. */
export const snappyLength = (bytes: Uint8Array): SnappyLength | undefined => {
  let value = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return value <= 0xffffffff ? { value, next: i + 1 } : undefined
  }
  return undefined
}

export const unsnap = (bytes: Uint8Array, { value: length, next }: SnappyLength): Uint8Array | undefined => {
  // An element of three bytes writes at most 64: more is announced only by a lie, and no memory is taken for it.
  if (length > 64 * bytes.length) return undefined
  const out = new Uint8Array(length)
  const end = bytes.length
  let at = next
  let to = 0
  while (at < end) {
    const tag = bytes[at++] as number
    let count: number
    let back: number
    switch (tag & 3) {
      case 0: {
        count = (tag >>> 2) + 1
        if (count > 60) {
          const width = count - 60
          if (at + width > end) return undefined
          count = littleEndian(bytes, at, width) + 1
          at += width
        }
        if (at + count > end || to + count > length) return undefined
        out.set(bytes.subarray(at, at + count), to)
        at += count
        to += count
        continue
      }
      case 1:
        if (at + 1 > end) return undefined
        count = ((tag >>> 2) & 7) + 4
        back = ((tag >>> 5) << 8) | (bytes[at] as number)
        at += 1
        break
      default: {
        const width = (tag & 3) === 2 ? 2 : 4
        if (at + width > end) return undefined
        count = (tag >>> 2) + 1
        back = littleEndian(bytes, at, width)
        at += width
      }
    }
    if (back === 0 || back > to || to + count > length) return undefined
    // A copy may overlap what it writes, which repeats it.
    for (const stop = to + count; to < stop; to++) out[to] = out[to - back] as number
  }
  return to === length ? out : undefined
}

const littleEndian = (bytes: Uint8Array, at: number, width: number): number => {
  let value = 0
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] as number)
  return value
}
