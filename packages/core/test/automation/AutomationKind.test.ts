import { AUTOMATION_WORDS, automationEvents, automationKind } from "@sotto/core/automation"
import { describe, expect, it } from "vitest"
import {
  ask,
  cancel,
  challenge,
  challenged,
  claim,
  emit,
  give,
  type Lived,
  lived,
  reset,
  start,
  succeed
} from "./support.ts"

const names = ({ log }: Lived): ReadonlyArray<string> =>
  automationEvents("job-1", log).map(({ name, key }) => (key === undefined ? name : `${name} ${key}`))

const word = ({ job }: Lived, slotFree = true): string => automationKind.outward.word(job, { slotFree })

describe("AutomationKind", () => {
  it("tells the events of the vendor's example, and none at creation", () =>
    expect(
      names(
        lived(
          claim,
          start,
          emit("ingredients"),
          ask("ingredientToAvoid"),
          give("ingredientToAvoid"),
          claim,
          start,
          emit("menu"),
          succeed(null)
        )
      )
    ).toEqual([
      "createOutput ingredients",
      "awaitingInput ingredientToAvoid",
      "processing",
      "createOutput menu",
      "success"
    ]))

  it("says pending only of a job that waits for its first slot", () => {
    expect([word(lived()), word(lived(), false)]).toEqual(["processing", "pending"])
    expect(word(lived(claim, start, ask("a"), give("a")), false)).toBe("processing")
  })

  it("tells of an input that was awaited, not of one that was given ahead", () =>
    expect(names(lived(give("b"), claim, start, ask("a"), give("c"), give("a")))).toEqual([
      "awaitingInput a",
      "processing"
    ]))

  it("says that a cancelled job failed", () => {
    const cancelled = lived(claim, start, cancel)
    expect([word(cancelled), names(cancelled)]).toEqual(["fail", ["fail"]])
    expect(names(lived(claim, start, cancel, cancel))).toEqual(["fail"])
  })

  it("restarts: with processing behind it where the state was another", () => {
    expect(names(lived(claim, start, reset))).toEqual(["restart"])
    expect(names(lived(claim, start, ask("a"), reset))).toEqual(["awaitingInput a", "restart", "processing"])
    expect(names(lived(claim, start, cancel, reset))).toEqual(["fail", "restart", "processing"])
  })

  it("tells when 3-D Secure starts and finishes", () => {
    const waiting = lived(claim, start, challenge("tds"))
    expect(word(waiting)).toBe("awaitingTds")
    expect(names(lived(claim, start, challenge("tds"), challenged("tds")))).toEqual(["tdsStart", "tdsFinish"])
  })

  it.each([
    ["input", 15, "awaitingInput a"],
    ["external", 15, "tdsStart"]
  ] as const)("fails when what it waits for (%s) does not come in %i minutes", (timer, minutes, before) => {
    const wait = timer === "input" ? ask("a") : challenge("tds")
    const late = lived(claim, start, wait, () => [{ _tag: "Ring", timer }, 1_003 + minutes * 60_000])
    expect(names(late)).toEqual([before, "fail"])
  })

  it("fails an hour after creation", () => {
    const late = lived(claim, start, () => [{ _tag: "Ring", timer: "deadline" }, 1_000 + 3_600_000])
    expect([word(late), names(late)]).toEqual(["fail", ["fail"]])
    expect(() => lived(claim, start, () => [{ _tag: "Ring", timer: "deadline" }, 1_000 + 3_599_999])).toThrow()
  })

  it("has the eight words of the interface", () =>
    expect(automationKind.outward.words.toSorted()).toEqual([...AUTOMATION_WORDS].sort()))

  it("numbers its events from 1 without gaps and names each by a UUID that never changes", () => {
    const { log } = lived(claim, start, emit("a"), ask("b"), give("b"))
    const events = automationEvents("job-1", log)
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
    expect(events).toEqual(automationEvents("job-1", log))
    for (const { id } of events)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(log.flatMap(({ outward }) => outward.map(({ number }) => number))).toEqual([1, 2, 3])
  })
})
