import { parseHalfLife } from "@sotto/core/launcher"
import { describe, expect, it } from "vitest"

describe("HalfLife", () => {
  it.each([
    ["30 days", 2_592_000_000],
    ["interval 10 minutes", 600_000],
    ["1 day 12 hours", 129_600_000],
    ["1 month", 2_592_000_000],
    ["0.5 seconds", 500]
  ])("reads %s", (text, ms) => expect(parseHalfLife(text)).toBe(ms))

  it.each(["", "days", "30", "1 year", "0 days", "-1 day", "1 day ago"])("refuses %j", (text) =>
    expect(parseHalfLife(text)).toBeUndefined()
  )
})
