import { describe, expect, it } from "vitest"
import { toMermaid } from "../../src/machine/Mermaid.ts"

const light = {
  start: "none",
  terminal: ["gone"],
  rows: [
    { from: "none", on: "make", to: "off" },
    { from: "off", on: "press", to: "on", guard: "power" },
    { from: "off", on: "press", to: "off", guard: "not power", same: true },
    { from: "on", on: "press", to: "off" },
    { from: "on", on: "dim", to: "on" },
    { from: "on", on: "break", to: "gone", guard: ["power", "not safe"] },
    { from: "on", on: "burn", to: "gone" }
  ]
} as const

describe("Mermaid", () => {
  it("draws one arrow for each pair of states, in the order of the rows", () => {
    expect(toMermaid(light)).toBe(`stateDiagram-v2
  [*] --> off: make
  off --> on: press [power]
  on --> off: press
  on --> gone: break [power, not safe]<br/>burn
  gone --> [*]
`)
  })

  it("draws loops on demand, and never rows by which nothing happens", () => {
    expect(toMermaid(light, { loops: true })).toContain("\n  on --> on: dim\n")
    expect(toMermaid(light, { loops: true })).not.toContain("off --> off")
  })
})
