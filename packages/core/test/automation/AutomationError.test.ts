import { callError, callErrorName, jobErrorOf } from "@sotto/core/automation"
import { describe, expect, it } from "vitest"
import { ask, challenge, claim, lived, type Move, start } from "./support.ts"

describe("AutomationError", () => {
  it("names what the clock caused by the codes of the interface", () => {
    const late = (timer: "input" | "external" | "deadline", at: number, ...wait: ReadonlyArray<Move>) =>
      jobErrorOf(lived(claim, start, ...wait, () => [{ _tag: "Ring", timer }, at]).job)
    expect(late("input", 901_003, ask("a"))).toMatchObject({ code: "InputTimeout", category: "client" })
    expect(late("external", 901_003, challenge("x"))).toMatchObject({ code: "TdsTimeout", category: "client" })
    expect(late("deadline", 3_601_000)).toMatchObject({ code: "JobTimeout", category: "server" })
  })

  it("calls what is outside a website, and shows details only where there are some", () => {
    const { job } = lived(claim, start, ({ epoch }) => ({
      _tag: "Fail",
      epoch,
      failure: { code: "SystemUnavailable", category: "external", message: "Down.", details: null, retryable: false }
    }))
    expect(jobErrorOf(job)).toEqual({
      object: "job-error",
      code: "SystemUnavailable",
      category: "website",
      message: "Down."
    })
  })

  it("says nothing of a job that has not failed", () => expect(jobErrorOf(lived(claim, start).job)).toBeNull())

  it("repeats the status in the details, where the official client looks for it", () =>
    expect(callError("RecordNotFoundError", "No such output.")).toEqual({
      object: "error",
      code: "notFound",
      name: "RecordNotFoundError",
      message: "No such output.",
      details: { status: 404 }
    }))

  it("tells validation messages one by one", () =>
    expect(callError("ValidationError", "Correct the body.", ["key: required"]).details).toEqual({
      status: 400,
      messages: ["key: required"]
    }))

  it.each([
    [400, "ValidationError"],
    [405, "MethodNotAllowedError"],
    [418, "ValidationError"],
    [504, "ServerError"]
  ])("answers %i as %s", (status, name) => expect(callErrorName(status)).toBe(name))
})
