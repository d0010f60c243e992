import { describe, expect, it } from "vitest"
import type { Submission } from "../../src/job/Event.ts"
import { RETRY } from "../../src/job/Retry.ts"
import { submissionFaults } from "../../src/job/Submission.ts"
import { automation, launcher, submission } from "./support.ts"

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
