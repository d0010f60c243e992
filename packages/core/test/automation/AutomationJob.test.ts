import { automationJob } from "@sotto/core/automation"
import { describe, expect, it } from "vitest"
import {
  ask,
  cancel,
  claim,
  emit,
  facts,
  give,
  lived,
  type Move,
  parameters,
  reset,
  start,
  succeed
} from "./support.ts"

const shown = (...commands: ReadonlyArray<Move>) => automationJob(facts(lived(...commands).job), parameters)

describe("AutomationJob", () => {
  it("shows a new job with every member of the vendor's example", () =>
    expect(shown()).toEqual({
      object: "job",
      id: "job-1",
      category: "test",
      state: "processing",
      serviceId: "bd80b73a-af55-4087-a5d4-91f6c8619948",
      serviceName: "School Menu",
      domainId: "Generic",
      awaitingInputKey: null,
      awaitingInputStage: "",
      lastAwaitingInputKey: null,
      rejectedInput: null,
      progress: 0,
      error: null,
      activeTdsId: null,
      inputs: [],
      outputs: [],
      piiRemoved: false,
      sessionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sessionCount: 0,
      successCode: null,
      createdAt: 1_000,
      updatedAt: 1_000,
      finishedAt: null,
      duration: 4_000
    }))

  it("shows what it waits for and what it has", () =>
    expect(shown(claim, start, emit("ingredients"), ask("ingredientToAvoid"))).toMatchObject({
      state: "awaitingInput",
      awaitingInputKey: "ingredientToAvoid",
      lastAwaitingInputKey: "ingredientToAvoid",
      outputs: [{ object: "job-output-meta", key: "ingredients", createdAt: 1_003 }],
      sessionCount: 1
    }))

  it("shows an input that was rejected until it is replaced", () => {
    const rejected = [claim, start, ask("a"), give("a"), claim, start, ask("a", true)] as const
    expect(shown(...rejected).rejectedInput).toEqual({ key: "a", data: "almond" })
    expect(shown(...rejected, give("a")).rejectedInput).toBeNull()
    const { job } = lived(...rejected)
    expect(automationJob(facts(job, { piiRemoved: true }), parameters).rejectedInput).toBeNull()
  })

  it("shows a cancelled job as failed by its client, with its progress", () => {
    const { job } = lived(claim, start, cancel)
    const progress = { done: 3, total: 5, phase: null, details: null }
    expect(automationJob(facts(job, { progress }), parameters)).toMatchObject({
      state: "fail",
      progress: 60,
      error: { object: "job-error", code: "JobCancelled", category: "client", message: "" },
      finishedAt: 1_003,
      duration: 3
    })
  })

  it("gives a reset job a session of its own and forgets what the first one did", () => {
    const [before, after] = [shown(claim, start, emit("a"), cancel), shown(claim, start, emit("a"), cancel, reset)]
    expect(after).toMatchObject({
      state: "processing",
      error: null,
      finishedAt: null,
      awaitingInputKey: null,
      lastAwaitingInputKey: null,
      outputs: [],
      sessionCount: 1
    })
    expect(after.sessionId).not.toBe(before.sessionId)
  })

  it("shows how a job succeeded", () =>
    expect(shown(claim, start, succeed("Booked"))).toMatchObject({ state: "success", successCode: "Booked" }))
})
