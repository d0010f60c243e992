import { describe, expect, it } from "vitest"
import { LONGEST_WAIT, waitOf } from "../../src/v1/Prefer.ts"

describe("waitOf", () => {
  it.each([
    ["wait=10", 10],
    ["respond-async, wait=10", 10],
    ["wait=5; foo", 5],
    ['WAIT = "7"', 7],
    ["wait=100000", LONGEST_WAIT]
  ])("reads %s", (header, seconds) => expect(waitOf(header)).toBe(seconds))

  it.each([undefined, "", "wait", "wait=", "wait=-1", "wait=x", "await=5", "respond-async"])(
    "waits not for %s",
    (header) => expect(waitOf(header)).toBe(0)
  )
})
