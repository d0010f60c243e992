import fc from "fast-check"
import { expect } from "vitest"

/**
 * That everything generated is accepted, and everything that shrinking makes of it. `faults` is empty for what is right.
 *
 * A property that fails now and then by plan is shrunk along ever other ways; whatever is met on them is looked at.
 */
export const everything = <A>(arbitrary: fc.Arbitrary<A>, faults: (value: A) => ReadonlyArray<string>): void => {
  const found: Array<unknown> = []
  let looked = 0
  const look = (value: A): void => {
    looked++
    const list = faults(value)
    if (list.length > 0) found.push([list, value])
  }
  fc.assert(
    fc.property(arbitrary, (value) => look(value)),
    { numRuns: 300 }
  )
  for (let seed = 1; seed <= 20; seed++) {
    let met = 0
    fc.check(
      fc.property(arbitrary, (value) => {
        look(value)
        met++
        if (met < 5 || met % 3 === seed % 3) throw new Error("by plan")
      }),
      { seed, numRuns: 5 }
    )
  }
  expect(found).toEqual([])
  expect(looked).toBeGreaterThan(320)
}
