import { parseSignalWeights } from "@sotto/core/launcher"
import { describe, expect, it } from "vitest"

describe("SignalWeights", () => {
  it("keeps order and text of the weights", () =>
    expect(parseSignalWeights("click:1.0, add-to-cart:10")).toEqual([
      { type: "click", weight: "1.0" },
      { type: "add-to-cart", weight: "10" }
    ]))

  it.each(["", "click", "click:", "click:x", "a:1,a:2", "a b:1", "a:1,,b:2"])("refuses %j", (text) =>
    expect(parseSignalWeights(text)).toBeUndefined()
  )
})
