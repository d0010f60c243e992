import { bucketsOf, bucketToBigInt, DomainTextReader, OutputDomain } from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ascii, mutations, randomNumbers } from "./support.ts"

const keys = (domain: OutputDomain): ReadonlyArray<bigint> => {
  const words = domain.take()
  return Array.from({ length: words.length / 4 }, (_, row) => bucketToBigInt(words, row))
}

/** Reads the text in pieces that end at the given places. */
const read = (bytes: Uint8Array, cuts: ReadonlyArray<number> = []) => {
  const domain = new OutputDomain()
  const reader = new DomainTextReader(domain)
  const ends = [...cuts.map((cut) => (bytes.length === 0 ? 0 : cut % bytes.length)).sort((a, b) => a - b), bytes.length]
  let from = 0
  for (const end of ends) {
    const rejected = reader.push(bytes.subarray(from, end))
    if (rejected !== undefined) return rejected
    from = end
  }
  reader.end()
  return keys(domain)
}

const number = (text: string): bigint => [...text].reduce((sum, c) => sum * 256n + BigInt(c.charCodeAt(0)), 0n)
const text = (value: string, cuts?: ReadonlyArray<number>) => read(ascii(value), cuts)

// Java's lines: separators split, and a separator at the very end begins no further line.
const reference = (value: string) => {
  const lines = value.split(/\r\n|\n|\r/)
  if (lines.at(-1) === "") lines.pop()
  const long = lines.findIndex((line) => line.length > 16)
  if (long >= 0) return { _tag: "DomainRejected", row: long + 1, length: 17 }
  return [...new Set(lines.map(number))].sort((a, b) => (a < b ? -1 : 1))
}

describe("OutputDomain", () => {
  it("is the sorted set of its keys, in whatever order and however often they come", () =>
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), { maxLength: 3_000 }), (list) => {
        const domain = new OutputDomain()
        for (const key of [...list, ...list.slice(0, 5)]) {
          const hex = key.toString(16).padStart(32, "0")
          domain.add(Uint8Array.from(hex.match(/../g) as ReadonlyArray<string>, (h) => Number.parseInt(h, 16)))
        }
        expect(domain.rows).toBe(list.length + Math.min(5, list.length))
        expect(keys(domain)).toEqual([...new Set(list)].sort((a, b) => (a < b ? -1 : 1)))
        expect(keys(domain)).toEqual([])
      }),
      { numRuns: 20 }
    ))

  it("reads keys of up to 16 bytes, short ones with leading zeros, and refuses 17", () => {
    const domain = new OutputDomain()
    expect(domain.add(new Uint8Array(0))).toBeUndefined()
    expect(domain.add(Uint8Array.of(1))).toBeUndefined()
    expect(domain.add(Uint8Array.of(0, 0, 1))).toBeUndefined()
    expect(domain.add(new Uint8Array(17))).toEqual({ _tag: "DomainRejected", row: 4, length: 17 })
    expect(domain.take()).toEqual(bucketsOf([0n, 1n]))
  })

  it("reads one key a line, the bytes being the bucket", () =>
    expect(text("key1\nkey2\n\u00ff\n")).toEqual([255n, number("key1"), number("key2")]))

  it("reads an empty line as bucket 0, but no line behind the last line break", () => {
    expect(text("")).toEqual([])
    expect(text("\n")).toEqual([0n])
    expect(text("a\n\nb")).toEqual([0n, number("a"), number("b")])
    expect(text("a\n")).toEqual([number("a")])
  })

  it("ends a line at LF, CR LF or CR", () => {
    expect(text("a\r\nb\rc\n")).toEqual([number("a"), number("b"), number("c")])
    expect(text("a\n\rb")).toEqual([0n, number("a"), number("b")])
    expect(text("a\r\n", [2])).toEqual([number("a")])
  })

  it("keeps blanks, and zero bytes", () =>
    expect(text(" a \n\u0000b")).toEqual([number("b"), number(" a ")].sort((a, b) => (a < b ? -1 : 1))))

  it("counts lines over several objects", () => {
    const domain = new OutputDomain()
    const first = new DomainTextReader(domain)
    first.push(ascii("a\nb"))
    first.end()
    const second = new DomainTextReader(domain)
    expect(second.push(ascii(`c\n${"x".repeat(17)}`))).toEqual({ _tag: "DomainRejected", row: 4, length: 17 })
  })

  it("reads any bytes as the reference does, in any pieces, and never throws", () => {
    const random = randomNumbers(3)
    const samples = ["key1\nkey2\r\n\nkey3", "0123456789abcdef\n0123456789abcdef\r", "a\rb\n\n"].map(ascii)
    for (const bytes of mutations(samples, 10_000)) {
      const value = String.fromCharCode(...bytes)
      const cuts = Array.from({ length: random(4) }, () => random(1_000))
      expect(read(bytes, cuts), JSON.stringify(value)).toEqual(reference(value))
    }
  })
})
