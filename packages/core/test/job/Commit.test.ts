import { describe, expect, it } from "vitest"
import { isCommitted, sameSubmission } from "../../src/job/Commit.ts"
import { decide } from "../../src/job/Decision.ts"
import { accepted, automation, submitted } from "./support.ts"

const job = submitted(automation)
const rename = (name: string, now: number) => accepted(decide(automation, job, { _tag: "Rename", name }, now)).events

describe("isCommitted", () => {
  it("recognises exactly its own events at their place", () => {
    const events = rename("a", 5)
    const commit = { expectSeq: job.seq, events }
    const other = rename("b", 6)
    expect(isCommitted(commit, JSON.parse(JSON.stringify([...events, ...other])))).toBe(true)
    expect(isCommitted(commit, [...other, ...events])).toBe(false)
    expect(isCommitted(commit, rename("a", 6))).toBe(false)
    expect(isCommitted(commit, [])).toBe(false)
  })

  it("recognises nothing in a commit without events", () => {
    expect(isCommitted({ expectSeq: 1, events: [] }, rename("a", 5))).toBe(false)
  })
})

describe("sameSubmission", () => {
  it("compares parameters and nothing else", () => {
    expect(sameSubmission(job, submitted(automation, { name: "other", priority: 9 }))).toBe(true)
    expect(sameSubmission(job, { parameters: { rows: 4 } })).toBe(false)
  })
})
