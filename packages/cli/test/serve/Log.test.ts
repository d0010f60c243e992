import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it, vi } from "vitest"
import { jsonLine, layerLog, textLine } from "../../src/serve/Log.ts"

const entry = {
  at: new Date("2026-01-31T12:00:00Z"),
  level: "warn",
  message: "A sweep failed.",
  cause: undefined,
  annotations: { kind: "aggregation", status: 503, tenants: ["a", "b"] }
}

afterEach(() => vi.restoreAllMocks())

/** What is written to standard error while a program runs. */
const written = async (log: Parameters<typeof layerLog>[0], program: Effect.Effect<unknown>): Promise<string> => {
  let text = ""
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += String(chunk)
    return true
  })
  await Effect.runPromise(Effect.provide(program, layerLog(log)))
  return text
}

describe("the log of a server", () => {
  it("is one object on one line for machines, whatever is in it", () => {
    const line = jsonLine({ ...entry, message: "two\nlines", cause: "Error: x\n  at y" })
    expect(line).not.toContain("\n")
    expect(JSON.parse(line)).toEqual({
      at: "2026-01-31T12:00:00.000Z",
      level: "warn",
      message: "two\nlines",
      kind: "aggregation",
      status: 503,
      tenants: ["a", "b"],
      cause: "Error: x\n  at y"
    })
  })

  it("is a line to read for people, with a level when it matters", () => {
    expect(textLine(entry, false)).toMatch(
      /^\d\d:\d\d:\d\d warn A sweep failed\. kind=aggregation status=503 tenants=\["a","b"\]$/
    )
    const request = {
      level: "info",
      message: "GET / 200",
      annotations: { method: "GET", path: "/", status: 200, ms: 3 }
    }
    expect(textLine({ ...entry, ...request }, false)).toMatch(/^\d\d:\d\d:\d\d GET \/ 200 ms=3$/)
    expect(textLine({ ...entry, level: "info", annotations: {} }, false)).toMatch(/^\d\d:\d\d:\d\d A sweep failed\.$/)
    expect(textLine({ ...entry, cause: "Error: x" }, false)).toMatch(/\nError: x$/)
    expect(textLine(entry, true)).toContain("\u001b[33mwarn")
  })

  it("leaves out what is less severe than the configuration says", async () => {
    const both = Effect.andThen(Effect.logInfo("small"), Effect.logWarning("large"))
    const lines = await written({ level: "warn", format: "json" }, both)
    expect(lines).not.toContain("small")
    expect(JSON.parse(lines)).toMatchObject({ level: "warn", message: "large" })
  })
})
