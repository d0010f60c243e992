import { describe, expect, it } from "vitest"
import { citationsOf, placesOf, unresolved } from "../scripts/check/Citations.ts"

describe("the citations of a file", () => {
  it("are its pages with every section that follows", () => {
    expect(
      citationsOf(`
        /** One (spec: aggregation §4.2, §17-11), two (spec: ledger §2 and §4). */
        const notation = 1 // spec: ledger, notation`)
    ).toEqual([
      { page: "aggregation", section: "4.2" },
      { page: "aggregation", section: "17-11" },
      { page: "ledger", section: "2" },
      { page: "ledger", section: "4" },
      { page: "ledger" }
    ])
  })

  it("go on in the next line of a comment, and end with the sentence", () => {
    expect(
      citationsOf(`
        /**
         * The worker's order (spec: aggregation
         * §2.3). RFC 8439 §2.3 is another matter.
         */
        // As it was (spec:
        // ledger §7). A letter is a section too: spec: ledger §B.`)
    ).toEqual([
      { page: "aggregation", section: "2.3" },
      { page: "ledger", section: "7" },
      { page: "ledger", section: "B" }
    ])
  })
})

describe("a citation", () => {
  const pages = new Map([
    [
      "ledger",
      placesOf("# Ledger\n\n## 3. Ledger\n\n### 3.1 Units\n\n| 7   | a rule |\n\n## 12. Rules\n\n2. an item\n")
    ]
  ])
  const of = (page: string, section?: string) =>
    unresolved([section === undefined ? { page } : { page, section }], pages)

  it.each([["3"], ["3.1"], ["3.1-7"], ["12"], ["12-2"], [undefined]])("leads to section %s", (section) => {
    expect(of("ledger", section)).toEqual([])
  })

  it.each([["1"], ["3.2"], ["31"], ["3-7"], ["3.1-2"], ["12.1"]])("does not lead to section %s", (section) => {
    expect(of("ledger", section)).toEqual([`ledger §${section}`])
  })

  it("needs a page", () => {
    expect(of("performance", "3")).toEqual(["performance §3"])
    expect(of("performance")).toEqual(["performance"])
  })
})
