import { checkLaw, kindLaws, layerKindMachine } from "@sotto/testkit"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Command } from "../../src/job/Command.ts"
import { decide } from "../../src/job/Decision.ts"
import type { Failure } from "../../src/job/Failure.ts"
import type { Job } from "../../src/job/Job.ts"
import { submissionOf } from "../../src/job/Kind.ts"
import type { Plain } from "../../src/job/Plain.ts"
import { statesOf } from "../../src/machine/Machine.ts"
import { fileDigest, fingerprintOf } from "../../src/tabular/Fingerprint.ts"
import { answered, answeredError, compactId, jobObject, readJobId } from "../../src/tabular/JobObject.ts"
import {
  filesOf,
  onDemandKind,
  type OnDemandParameters,
  parametersOf,
  resultOf
} from "../../src/tabular/OnDemandKind.ts"
import { addUsage, type UsageLine } from "../../src/tabular/Usage.ts"

const ID = "59015703-de7f-4e92-9451-6b08210fbb16"
const CREATED = Date.UTC(2023, 1, 21, 21, 41, 30, 405)

const parameters: OnDemandParameters = {
  model: "pythagoras",
  version: "0.0.1",
  file: { bucket: "b", key: "k", bytes: 10, etag: "e" },
  inputFileName: "example.csv",
  inputMime: "text/csv; header=present",
  mapping: [{ source: "a", destination: "x", defaultValue: null }],
  outputMapping: [],
  billing: { recordCount: 3, groupSize: 5, recordGroupCount: 1, groupPrice: 20, billedUsage: 20 },
  submittedBy: "key-1",
  fingerprint: "f"
}

const file = (name: string) => ({ bucket: "b", key: `out/${name}`, bytes: 5, mime: "text/csv", name })

const result = (failed: number): Plain => ({
  file: file("data_59015703.csv"),
  errors: failed === 0 ? null : file("errors_59015703.csv"),
  succeeded: 3 - failed,
  failed
})

/** The job after these commands, one a second. */
const after = (
  commands: ReadonlyArray<Command>,
  more: Partial<OnDemandParameters> = {},
  name: string | null = null
): Job => {
  const submission = submissionOf(onDemandKind, { ...parameters, ...more } as never, { id: ID, tenant: "t", name })
  return [{ _tag: "Submit", submission } as Command, ...commands].reduce<Job | undefined>((job, command, i) => {
    const decision = decide(onDemandKind, job, command, CREATED + 1_000 * i)
    if (decision._tag === "Rejected") throw new Error(decision.message)
    return decision.job
  }, undefined) as Job
}

const started: ReadonlyArray<Command> = [{ _tag: "Claim", worker: "w" } as Command, { _tag: "Start", epoch: 1 }]
const succeeded = (failed = 0): ReadonlyArray<Command> => [
  ...started,
  { _tag: "Succeed", epoch: 1, result: result(failed) }
]
const failed = (more: Partial<Failure>): ReadonlyArray<Command> => [
  ...started,
  {
    _tag: "Fail",
    epoch: 1,
    failure: {
      code: "C",
      category: "client",
      message: "The data is wrong.",
      details: { errors: null, failed: 0 },
      retryable: false,
      ...more
    }
  }
]
const cancelled: ReadonlyArray<Command> = [{ _tag: "Cancel", by: "me", reason: null }]

describe("the kind on-demand", () => {
  const samples = {
    parameters: parameters as unknown as Plain,
    result: result(1),
    details: { errors: null, failed: 2 }
  }
  const laws = kindLaws(onDemandKind, samples)

  it.each(laws.map((law) => [law.id, law] as const))("keeps the law %s", async (_, law) => {
    await checkLaw(law, layerKindMachine(onDemandKind), { runs: law.id === "REACHABLE" ? 3 : 60 })
  })

  it("says nothing but incomplete, success, error and fail", () => {
    expect([...onDemandKind.outward.words].sort()).toEqual(["error", "fail", "incomplete", "success"])
    expect(statesOf(onDemandKind.lifecycle)).not.toContain("AwaitingInput")
  })

  it.each<[string, ReadonlyArray<Command>, string]>([
    ["that waits", [], "incomplete"],
    ["that runs", started, "incomplete"],
    ["that was tried and waits again", failed({ retryable: true }), "incomplete"],
    ["that was done", succeeded(), "success"],
    ["that was done for some records", succeeded(1), "success"],
    ["with wrong data", failed({ category: "client" }), "error"],
    ["whose model failed", failed({ category: "external" }), "error"],
    ["that we lost", failed({ category: "server" }), "fail"],
    ["that was cancelled", cancelled, "fail"]
  ])("calls a job %s by its word", (_, commands, status) => {
    expect(jobObject(after(commands))?.status).toBe(status)
  })

  it("lists the result first, then the errors, and of a failed job the errors alone", () => {
    const names = (commands: ReadonlyArray<Command>) => filesOf(after(commands)).map(({ name }) => name)
    expect(names(succeeded(1))).toEqual(["data_59015703.csv", "errors_59015703.csv"])
    expect(names(succeeded())).toEqual(["data_59015703.csv"])
    expect(names(failed({ details: { errors: file("errors_59015703.csv"), failed: 3 } }))).toEqual([
      "errors_59015703.csv"
    ])
    expect([names(failed({})), names([]), names(cancelled)]).toEqual([[], [], []])
    expect(onDemandKind.files(after(succeeded(1)))).toHaveLength(2)
  })

  it("knows its own jobs from others", () => {
    const job = after(succeeded())
    expect(parametersOf(job)).toEqual(parameters)
    expect(parametersOf({ ...job, kind: "other" })).toBeUndefined()
    expect(jobObject({ ...job, kind: "other" })).toBeUndefined()
    expect(resultOf(after([]))).toBeUndefined()
  })
})

describe("the job object", () => {
  it("has exactly its twelve fields", () => {
    expect(jobObject(after(succeeded()))).toEqual({
      name: "example.csv",
      inputFileName: "example.csv",
      inputMime: "text/csv; header=present",
      billedUsage: 20,
      recordCount: 3,
      recordGroupCount: 1,
      processingTimeMS: 1000,
      status: "success",
      errorMessage: null,
      id: ID,
      createdDateUtc: "2023-02-21T21:41:30.405Z",
      lastUpdatedUtc: "2023-02-21T21:41:33.405Z"
    })
  })

  it("is called after its file until it has a name, and its file keeps its name", () => {
    expect(jobObject(after([], {}, "JobNameExample"))).toMatchObject({
      name: "JobNameExample",
      inputFileName: "example.csv"
    })
    const renamed = jobObject(after([...succeeded(), { _tag: "Rename", name: "JobNameExample" }]))
    expect(renamed).toMatchObject({ name: "JobNameExample", inputFileName: "example.csv", billedUsage: 20 })
  })

  it("was last updated when it was made, and again when it is renamed", () => {
    const [made, renamed] = [jobObject(after([])), jobObject(after([{ _tag: "Rename", name: "n" }]))]
    expect(made?.lastUpdatedUtc).toBe(made?.createdDateUtc)
    expect(renamed?.lastUpdatedUtc).toBe("2023-02-21T21:41:31.405Z")
    expect(renamed?.createdDateUtc).toBe(made?.createdDateUtc)
  })

  it("writes three digits of a second, also for a whole one", () => {
    const whole = { ...after([]), createdAt: Date.UTC(2023, 0, 1) }
    expect(jobObject(whole)?.createdDateUtc).toBe("2023-01-01T00:00:00.000Z")
  })

  it("is billed whatever becomes of it", () => {
    for (const commands of [[], started, succeeded(3), failed({}), cancelled]) {
      expect(jobObject(after(commands))).toMatchObject({ billedUsage: 20, recordCount: 3, recordGroupCount: 1 })
    }
  })

  it("tells what went wrong, with a part of the records too", () => {
    expect(jobObject(after(failed({})))?.errorMessage).toBe("The data is wrong.")
    expect(jobObject(after(cancelled))?.errorMessage).toBe("The job was cancelled.")
    expect(jobObject(after(succeeded(1)))?.errorMessage).toMatch(/^1 of 3 records could not be processed/)
    expect(jobObject(after(started))).toMatchObject({ errorMessage: null, processingTimeMS: 0 })
  })

  it("comes in an envelope of exactly three fields", () => {
    expect(answered("x")).toEqual({ data: "x", isError: false, errorMessage: null })
    expect(answeredError("no")).toEqual({ data: null, isError: true, errorMessage: "no" })
  })
})

describe("the id of a job", () => {
  it("is taken with dashes and without", () => {
    expect(compactId(ID)).toBe("59015703de7f4e9294516b08210fbb16")
    expect([readJobId(ID), readJobId(compactId(ID)), readJobId(ID.toUpperCase())]).toEqual([ID, ID, ID])
  })

  it.each(["", "latest", "result-link", `${ID}0`, ID.replace("-", ""), `{${ID}}`, ID.replace("5", "g")])(
    "%j is none",
    (text) => {
      expect(readJobId(text)).toBeUndefined()
    }
  )
})

describe("a fingerprint", () => {
  const asked = {
    model: "m",
    data: { version: null, mapping: [{ source: "a", destination: "b", defaultValue: 1 }], outputMapping: [] },
    inputMime: "text/csv",
    inputFileName: "f.csv",
    fileSha256: "00"
  }

  it("is the same for the same request, and another for each that differs", () => {
    const [entry] = asked.data.mapping
    const others = [
      { ...asked, model: "n" },
      { ...asked, inputMime: "text/csv; header=absent" },
      { ...asked, inputFileName: "g.csv" },
      { ...asked, fileSha256: "01" },
      { ...asked, data: { ...asked.data, version: "" } },
      { ...asked, data: { ...asked.data, mapping: [], outputMapping: asked.data.mapping } },
      { ...asked, data: { ...asked.data, mapping: [{ ...entry!, defaultValue: "1" }] } },
      { ...asked, data: { ...asked.data, mapping: [{ ...entry!, source: "ab", destination: "" }] } }
    ]
    const prints = [asked, ...others].map(fingerprintOf)
    expect(new Set(prints).size).toBe(prints.length)
    expect(fingerprintOf(structuredClone(asked))).toBe(prints[0])
    expect(prints[0]).toMatch(/^[0-9a-f]{64}$/)
  })

  it("of a file does not depend on how it comes", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (bytes, size) => {
        const [whole, pieces] = [fileDigest(), fileDigest()]
        whole.update(bytes)
        for (let at = 0; at < bytes.length; at += size) pieces.update(bytes.subarray(at, at + size))
        expect(pieces.digest()).toBe(whole.digest())
      })
    ))

  it("of nothing is the SHA-256 of nothing", () => {
    expect(fileDigest().digest()).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  })
})

describe("usage", () => {
  const payers = fc.record({
    submittedBy: fc.constantFrom("a", "b", null),
    model: fc.constantFrom("m", "n"),
    recordCount: fc.integer({ min: 0, max: 1000 })
  })

  it("is the sum over the jobs of each payer and model", () =>
    fc.assert(
      fc.property(fc.array(payers, { maxLength: 20 }), (all) => {
        const lines = all.reduce<ReadonlyArray<UsageLine>>(
          (sum, { submittedBy, model, recordCount }) =>
            addUsage(
              sum,
              after([], {
                submittedBy,
                model,
                billing: { ...parameters.billing, recordCount, billedUsage: recordCount * 2 }
              })
            ),
          []
        )
        for (const { submittedBy, model, jobs, records, billedUsage } of lines) {
          const mine = all.filter((one) => one.submittedBy === submittedBy && one.model === model)
          const total = mine.reduce((sum, one) => sum + one.recordCount, 0)
          expect([jobs, records, billedUsage]).toEqual([mine.length, total, total * 2])
        }
        expect(lines.reduce((sum, { jobs }) => sum + jobs, 0)).toBe(all.length)
      })
    ))

  it("does not count jobs of other kinds", () => {
    expect(addUsage([], { ...after([]), kind: "aggregation" })).toEqual([])
  })
})
