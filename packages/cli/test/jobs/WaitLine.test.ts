import { expect, it } from "vitest"
import { progressText, waitLine } from "../../src/jobs/WaitLine.ts"
import type { ShownJob } from "../../src/jobs/JobsClient.ts"

const at = (word: string, progress: ShownJob["progress"] = null) => ({ word, progress }) as ShownJob

it.each([
  [at("RECEIVED"), "RECEIVED"],
  [at("Running", { done: 7, total: null, phase: null, details: null }), "Running 7"],
  [at("Running", { done: 1, total: 2, phase: "reports", details: null }), "reports [████████████░░░░░░░░░░░░] 50 %"],
  [at("Running", { done: 3, total: 2, phase: null, details: null }), `Running [${"█".repeat(24)}] 100 %`],
  [
    at("Running", { done: 0, total: 9, phase: "reports", details: { secondsLeft: 3 } }),
    `reports [${"░".repeat(24)}] 0 %, 3.0 s left`
  ]
])("draws %j as %j", (job, text) => expect(progressText(job)).toBe(text))

it("writes a line for each state and phase, once", () => {
  const lines: Array<string> = []
  const line = waitLine(false, (text) => lines.push(text))
  const reports = { total: 9, phase: "reports", details: null }
  for (const job of [
    at("RECEIVED"),
    at("RECEIVED"),
    at("IN_PROGRESS", { ...reports, done: 1 }),
    at("IN_PROGRESS", { ...reports, done: 2 }),
    at("IN_PROGRESS", { ...reports, done: 2, phase: "domain" })
  ])
    line.update(job)
  line.end()
  expect(lines).toEqual(["RECEIVED", "IN_PROGRESS: reports", "IN_PROGRESS: domain"])
})
