import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { decide } from "../../src/job/Decision.ts"
import { JobKind, type KindOptions, KindRejected, submissionOf } from "../../src/job/Kind.ts"
import { HELD, JOB_STATES } from "../../src/job/Lifecycle.ts"
import { eventsOf, faultsOf, statesOf } from "../../src/machine/Machine.ts"
import { kinds, submitted } from "./support.ts"

const Parameters = Schema.Struct({ rows: Schema.Int, total: Schema.BigInt, note: Schema.optionalKey(Schema.String) })

const options = {
  name: "host-kind",
  relation: "leased",
  parameters: Parameters,
  result: Schema.Struct({ url: Schema.String }),
  failure: Schema.Null
} as const satisfies KindOptions<string, unknown, unknown, unknown, string>

type Options = Partial<KindOptions<string, typeof Parameters.Type, { readonly url: string }, null, string>>

const faults = (more: Options) => JobKind.check({ ...options, ...more })

describe("JobKind.make", () => {
  it.each(Object.values(kinds))("makes $name sound", (kind) => {
    expect(faultsOf(kind.lifecycle)).toEqual([])
  })

  it("takes a kind without words for its own, and every default", () => {
    const kind = JobKind.make(options)
    expect(kind.outward.words).toEqual(JOB_STATES.filter((state) => statesOf(kind.lifecycle).includes(state)))
    expect(kind).toMatchObject({
      times: { deadlineMs: null, inputMs: 900_000, retentionMs: 14 * 86_400_000, idempotencyMs: 86_400_000 },
      lease: { leaseMs: 12_000, renewMs: 4_000 },
      retry: { maxFailures: 5 },
      claims: { kind: "host-kind" }
    })
    expect(JobKind.make({ ...options, perTenant: 2 }).claims).toEqual({ kind: "host-kind", perTenant: 2 })
  })

  it.each<[string, Options, string]>([
    ["a lease shorter than two renewals", { lease: { leaseMs: 7_000 } }, "lease"],
    ["retention shorter than the idempotency window", { retentionMs: 86_399_999 }, "retentionMs"],
    ["a retry policy out of range", { retry: { maxFailures: 0 } }, "retry"],
    ["a name that is no name", { name: "Host kind" }, "name"],
    ["a time that is no time", { inputMs: 0 }, "inputMs"],
    ["silence of a leased job", { silenceMs: 5 }, "silenceMs"],
    ["a deadline of a reported job", { relation: "reported", deadlineMs: 5 }, "deadlineMs"],
    ["a cap below one", { perTenant: 0 }, "perTenant"],
    ["a cap by key that is not whole", { perKey: 1.5 }, "perKey"],
    ["a state that the relation does not have", { without: { states: ["Unknown"] } }, "without.states"],
    ["an event that the relation does not have", { without: { events: ["Heard"] } }, "without.events"],
    ["a state that can no longer be reached", { without: { events: ["FinishBegun"] } }, "without"],
    [
      "a state that cannot be left",
      { without: { states: ["Succeeded", "Failed", "Cancelled", "Skipped"] } },
      "without"
    ],
    ["doing without Failed", { without: { states: ["Failed"] } }, "without.states"],
    ["asking without a way to answer", { without: { events: ["InputGiven"] } }, "without.events"],
    ["waiting without an end", { without: { events: ["ExternalTimedOut"] } }, "without.events"],
    [
      "a driver that may be silent for ever",
      { relation: "reported", without: { events: ["Silenced"] } },
      "without.events"
    ],
    ["a state without a word", { outward: { states: { Queued: "waiting" } } }, "outward.states"]
  ])("refuses %s", (_, more, option) => {
    const found = faults(more)
    expect(found.map((fault) => fault.option)).toContain(option)
    expect(() => JobKind.make({ ...options, ...more })).toThrow(KindRejected)
    expect(() => JobKind.make({ ...options, ...more })).toThrow(found[0]?.hint)
  })

  it.each([
    "Submitted",
    "Claimed",
    "Started",
    "Succeeded",
    "Failed",
    "Faltered",
    "LeaseExpired",
    "Released",
    "DeadlinePassed"
  ] as const)("refuses a leased kind without %s", (event) => {
    expect(faults({ without: { events: [event] } })).not.toEqual([])
  })

  it("leaves out with a state what could only stand in for going there", () => {
    const kind = JobKind.make({ ...options, without: { states: ["AwaitingInput", "AwaitingExternal"] } })
    const left = eventsOf(kind.lifecycle)
    expect(left).toContain("InputGiven")
    expect(left).toContain("Progressed")
    expect(left).not.toContain("InputAsked")
    expect(left).not.toContain("ExternalAsked")
    for (const state of HELD)
      expect(kind.lifecycle.rows.some((row) => row.from === state && row.same === true)).toBe(true)
  })

  it("gives a kind that names no outward events those of the one vocabulary, and none to one that wants none", () => {
    expect(JobKind.make(options).outward.events({ _tag: "Started" }, "Running", undefined)).toEqual([
      { name: "started" }
    ])
    const states = Object.fromEntries(JOB_STATES.map((state) => [state, state]))
    const quiet = JobKind.make({ ...options, outward: { states, events: () => [] } })
    expect(quiet.outward.events({ _tag: "Started" }, "Running", undefined)).toEqual([])
  })

  it("tells the files of jobs that ended, of others none", () => {
    const files = [{ name: "a", bucket: "b", key: "c/a" }]
    const kind = JobKind.make({ ...options, files: () => files })
    const job = submitted(kinds.automation)
    expect(kind.files(job)).toEqual([])
    expect(kind.files({ ...job, state: "Succeeded" })).toEqual(files)
    expect(JobKind.make(options).files({ ...job, state: "Succeeded" })).toEqual([])
  })

  it("never maps a claim to an outward event, because stores claim without knowing kinds", () => {
    const kind = JobKind.make({
      ...options,
      outward: {
        states: Object.fromEntries(JOB_STATES.map((state) => [state, state])),
        events: () => [{ name: "any" }]
      }
    })
    expect(kind.outward.events({ _tag: "Claimed", worker: "w" }, "Starting", undefined)).toEqual([])
    expect(kind.outward.events({ _tag: "Started" }, "Running", undefined)).toEqual([{ name: "any" }])
  })
})

describe("a kind's schemas", () => {
  const kind = JobKind.make(options)

  it("turn values into plain data and back", () => {
    const value = { rows: 3, total: 2n ** 70n }
    const encoded = kind.parameters.encode(value)
    expect(encoded).toEqual({ _tag: "Coded", value: { rows: 3, total: "1180591620717411303424" } })
    expect(kind.parameters.decode(encoded._tag === "Coded" ? encoded.value : null)).toEqual({ _tag: "Coded", value })
  })

  it("say where a value is wrong", () => {
    expect(kind.parameters.decode({ rows: 1.5, total: "x" })).toEqual({
      _tag: "NotCoded",
      message: expect.stringMatching(/rows[\s\S]*total/)
    })
  })

  it("give a submission the values that nobody said", () => {
    const submission = submissionOf(kind, { rows: 3 }, { id: "j", tenant: "t", priority: 5, retry: { maxFailures: 1 } })
    expect(submission).toMatchObject({ kind: "host-kind", relation: "leased", priority: 5, key: null, notBefore: null })
    expect(submission.retry).toEqual({ ...kind.retry, maxFailures: 1 })
    expect(decide(kind, undefined, { _tag: "Submit", submission }, 1)).toMatchObject({ job: { state: "Queued" } })
  })
})
