import { describe, expect, it } from "vitest"
import type { Command } from "../../src/job/Command.ts"
import { decide } from "../../src/job/Decision.ts"
import type { Submission } from "../../src/job/Event.ts"
import { RETRY } from "../../src/job/Retry.ts"
import { commandFaults, submissionFaults } from "../../src/job/Submission.ts"
import { automation, launcher, submission, submitted } from "./support.ts"

const long = "x".repeat(201)
const input = { key: "a", data: 1 }

describe("submissionFaults", () => {
  it.each([
    submission(automation),
    submission(automation, { key: "ключ", priority: -100, inputs: [input], notBefore: 0 })
  ])("finds nothing in a sound one", (sound) => {
    expect(submissionFaults(automation, sound)).toEqual([])
  })

  it.each<[string, Partial<Submission>]>([
    ["not of kind", { kind: "other" }],
    ["not of kind", { relation: "reported", silenceMs: 1, deadlineMs: null }],
    ["id ", { id: "" }],
    ["id ", { id: "a b" }],
    ["id ", { id: long }],
    ["tenant ", { tenant: "a\nb" }],
    ["key ", { key: "" }],
    ["name ", { name: "\u0000" }],
    ["concurrencyKey ", { concurrencyKey: long }],
    ["priority ", { priority: 101 }],
    ["priority ", { priority: 0.5 }],
    ["notBefore ", { notBefore: -1 }],
    ["deadlineMs ", { deadlineMs: 0 }],
    ["retentionMs ", { retentionMs: Number.MAX_SAFE_INTEGER }],
    ["keys of inputs", { inputs: [input, input] }],
    ["retry.", { retry: { ...RETRY, factor: 0 } }],
    ["silenceMs", { silenceMs: 5 }]
  ])("finds that %s… is wrong in %j", (fault, wrong) => {
    expect(submissionFaults(automation, submission(automation, wrong)).join("; ")).toContain(fault)
  })

  it("finds nothing to delay or to end in what a driver runs", () => {
    expect(submissionFaults(launcher, submission(launcher))).toEqual([])
    expect(submissionFaults(launcher, submission(launcher, { deadlineMs: 5, notBefore: 5 })).length).toBe(2)
  })
})

describe("commandFaults", () => {
  it.each<[string, Command]>([
    ['"" is no name', { _tag: "GiveInput", key: "", data: 1 }],
    ["no name", { _tag: "Cancel", by: "a\tb", reason: null }],
    ["no name", { _tag: "Rename", name: long }],
    ["no name", { _tag: "Emit", epoch: 1, key: "" }],
    ["no name", { _tag: "Claim", worker: "" }],
    ["no name", { _tag: "FinishExternal", id: "", data: null }],
    ["waitMs", { _tag: "Ask", epoch: 1, key: "a", stage: "", waitMs: Number.NaN, rejects: false }],
    ["waitMs", { _tag: "AskExternal", epoch: 1, id: "a", data: null, waitMs: 0 }]
  ])("finds %s in %j", (fault, command) => {
    expect(commandFaults(command)).toEqual([expect.stringContaining(fault)])
  })

  it("make decide refuse, before anything is looked at", () => {
    expect(decide(automation, submitted(automation), { _tag: "GiveInput", key: "", data: 1 }, 2_000)).toMatchObject({
      _tag: "Rejected",
      state: "Queued",
      event: "InputGiven",
      reason: "invalid",
      message: expect.stringContaining("no name")
    })
  })

  it("finds nothing in sound commands", () => {
    expect(commandFaults({ _tag: "Rename", name: null })).toEqual([])
    expect(commandFaults({ _tag: "Ask", epoch: 1, key: "a", stage: "", waitMs: 1, rejects: false })).toEqual([])
  })
})
