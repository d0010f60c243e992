import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { rangeOf } from "../../src/v1/ByteRange.ts"

describe("rangeOf", () => {
  it("gives exactly the bytes that the header names and the file has", () =>
    fc.assert(
      fc.property(fc.nat(50), fc.option(fc.nat(60)), fc.option(fc.nat(60)), (size, first, last) => {
        const found = rangeOf(`bytes=${first ?? ""}-${last ?? ""}`, size)
        const bytes = Array.from({ length: size }, (_, i) => i)
        const named =
          first !== null
            ? bytes.filter((i) => i >= first && i <= (last ?? size))
            : bytes.slice(Math.max(0, size - (last ?? 0)))
        const unreadable = (first === null && last === null) || (first !== null && last !== null && last < first)
        if (unreadable) return found === undefined
        if (named.length === 0) return found === "Unsatisfiable"
        return typeof found === "object" && found.offset === named[0] && found.length === named.length
      })
    ))

  it.each([undefined, "", "bytes", "bytes=a-b", "bytes=1-2,4-5", "items=0-1", "bytes=-"])(
    "gives the whole for %s",
    (header) => expect(rangeOf(header, 10)).toBeUndefined()
  )
})
