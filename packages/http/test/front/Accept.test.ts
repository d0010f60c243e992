import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { preferred } from "../../src/front/Accept.ts"

const OFFERS = ["application/json", "text/event-stream"]

describe("preferred", () => {
  it.each([
    [undefined, "application/json"],
    ["", "application/json"],
    ["*/*", "application/json"],
    ["text/*", "text/event-stream"],
    ["text/event-stream", "text/event-stream"],
    ["TEXT/Event-Stream; charset=utf-8", "text/event-stream"],
    ["application/json;q=0.5, text/event-stream", "text/event-stream"],
    ["text/event-stream;q=0.1, */*;q=0.9", "application/json"],
    ["application/json;q=0, */*", "text/event-stream"],
    ["application/*;q=0.2, application/json;q=0.9, text/*;q=0.5", "application/json"],
    ["text/html", undefined],
    ["*/*;q=0", undefined],
    ["not a type", "application/json"],
    ["text/html, not a type", undefined]
  ])("reads %s", (accept, expected) => expect(preferred(accept, OFFERS)).toBe(expected))

  it("gives something on offer or nothing, whatever is sent", () =>
    fc.assert(
      fc.property(fc.string(), (accept) => {
        const found = preferred(accept, OFFERS)
        return found === undefined || OFFERS.includes(found)
      })
    ))
})
