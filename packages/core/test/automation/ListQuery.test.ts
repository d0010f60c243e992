import { automationKind, AUTOMATION_WORDS, parseListQuery, statesOfWords } from "@sotto/core/automation"
import { JOB_STATES } from "@sotto/core/job"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { lived } from "./support.ts"

const parse = (query: string) => parseListQuery(new URLSearchParams(query))

describe("ListQuery", () => {
  it("reads the vendor's example", () =>
    expect(
      parse(
        "serviceId=bd80b73a&state=awaitingInput&state=awaitingTds&category=test&sort=createdAt&period=range&since=1649116800718&until=1649203199718&limit=10&offset=10"
      )
    ).toEqual({
      serviceId: "bd80b73a",
      category: "test",
      words: ["awaitingInput", "awaitingTds"],
      sort: "createdAt",
      since: 1_649_116_800_718,
      until: 1_649_203_199_718,
      limit: 10,
      offset: 10
    }))

  it("asks for the newest of everything when nothing is said", () =>
    expect(parse("")).toEqual({
      serviceId: undefined,
      category: undefined,
      words: [],
      sort: "-createdAt",
      since: undefined,
      until: undefined,
      limit: 100,
      offset: 0
    }))

  it("takes no notice of a range without its period, of empty values and of what it does not know", () =>
    expect(parse("since=5&until=6&category=&x=1&_=2")).toEqual(parse("")))

  it.each([
    ["state=done", "state"],
    ["category=none", "category"],
    ["sort=name", "sort"],
    ["period=day", "period"],
    ["limit=0", "limit"],
    ["limit=1001", "limit"],
    ["offset=-1", "offset"],
    ["limit=1&limit=2", "limit"],
    ["period=range&since=x", "since"]
  ])("refuses %s and names the parameter", (query, name) =>
    expect(parse(query)).toMatchObject({ _tag: "ListQueryRejected", messages: [expect.stringContaining(`${name}:`)] })
  )

  it("knows every state that can bear a word", () =>
    fc.assert(
      fc.property(fc.constantFrom(...JOB_STATES), fc.nat(2), fc.boolean(), (state, epoch, slotFree) => {
        fc.pre(state !== "Skipped" && state !== "Cancelling" && state !== "Unknown")
        const word = automationKind.outward.word({ ...lived().job, state, epoch }, { slotFree })
        expect(statesOfWords([word])).toContain(state)
        expect(statesOfWords(AUTOMATION_WORDS)).toContain(state)
      })
    ))
})
