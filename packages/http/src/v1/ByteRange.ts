/** One range of bytes (RFC 9110 §14.1.2): what a client that resumes a download asks for. */

/** `offset` to `offset + length`, within the file. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/**
 * The range that a header asks for of `size` bytes. `undefined`: the whole file, also for other units, for several ranges
 * and for what cannot be read, as the standard allows. `Unsatisfiable`: none of it lies in the file.
 */
export const rangeOf = (header: string | undefined, size: number): ByteRange | "Unsatisfiable" | undefined => {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? "")
  if (match === null) return undefined
  const [, first = "", last = ""] = match
  if (first === "" && last === "") return undefined
  if (first === "") {
    const length = Math.min(Number(last), size)
    return length === 0 ? "Unsatisfiable" : { offset: size - length, length }
  }
  const offset = Number(first)
  if (last !== "" && Number(last) < offset) return undefined
  if (offset >= size) return "Unsatisfiable"
  const end = last === "" ? size : Math.min(size, Number(last) + 1)
  return { offset, length: end - offset }
}
