import { JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { jobObject } from "@sotto/core/tabular"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { pythagoras } from "./Pythagoras.ts"
import { defineModel, fileVersion, type Model, type OnDemandSubmission, recordsVersion } from "../../src/index.ts"
import { pass, TENANT } from "../Rig.ts"
import { billingOf, data, type House, keys, open, playShop, send, utf8 } from "./Shop.ts"

const Named = Schema.Struct({ x: Schema.Finite })

/** A model whose jobs are never done, so that they stay where they are. */
const endless: Model = defineModel({
  name: "endless",
  versions: [
    recordsVersion({
      version: "1",
      groupSize: 10,
      groupPrice: 3,
      input: Named,
      output: Named,
      run: () => Effect.never
    }),
    recordsVersion({ version: "2", groupSize: 1, groupPrice: 3, input: Named, output: Named, run: () => Effect.never }),
    recordsVersion({
      version: "3",
      active: false,
      groupSize: 1,
      groupPrice: 3,
      input: Named,
      output: Named,
      run: () => Effect.never
    })
  ]
})

const picture: Model = defineModel({
  name: "picture",
  versions: [
    fileVersion({
      version: "1",
      groupSize: 1,
      groupPrice: 50,
      accepts: ["image/*"],
      run: ({ content, mime }) => Effect.succeed({ mime, content })
    })
  ]
})

const MODELS = [pythagoras, endless, picture]

type Opened = Effect.Success<ReturnType<typeof open>>

const inShop = <A>(
  test: (opened: Opened, house: Context.Context<House>) => Effect.Effect<A, unknown, Scope.Scope>,
  options: Parameters<typeof open>[2] = {}
) => playShop((house) => Effect.flatMap(open(house, MODELS, options), (opened) => test(opened, house)))

const CSV = "x,y\n3,4\n5,12\n6,8\n"

const points = (members: object = {}) => data({ mimeType: "text/csv; header=present", ...members })

describe("submitting", () => {
  it("fixes file, type, version and price with the job's first event", async () => {
    const [job, created, events] = await inShop(({ shop, engine }) =>
      Effect.gen(function* () {
        const { job, created } = yield* send(shop, CSV, { data: points({ jobName: "mine" }), submittedBy: "key-1" })
        return [job, created, yield* engine.events(TENANT, job.id, 0, 1)] as const
      })
    )
    expect(created).toBe(true)
    expect(jobObject(job)).toMatchObject({
      status: "incomplete",
      name: "mine",
      inputFileName: "example.csv",
      inputMime: "text/csv; header=present",
      billedUsage: 20,
      recordCount: 3,
      recordGroupCount: 1
    })
    expect(job.parameters).toMatchObject({ model: "pythagoras", version: "0.0.1", submittedBy: "key-1" })
    expect(JSON.stringify(events[0])).toContain('"billedUsage":20')
  })

  it("takes the most recent active version unless one is named", async () => {
    const versions = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const [latest, named] = [
          yield* send(shop, "x\n1\n2\n", { model: "endless" }),
          yield* send(shop, "x\n1\n2\n", { model: "endless", data: data({ version: "1" }) })
        ]
        return [latest, named].map(({ job }) => [
          (job.parameters as { version: string }).version,
          billingOf(job)?.billedUsage
        ])
      })
    )
    expect(versions).toEqual([
      ["2", 6],
      ["1", 3]
    ])
  })

  it.each<[string, Partial<OnDemandSubmission>, string]>([
    ["what it says", { data: data({ mimeType: "text/csv" }), partType: "image/png" }, "text/csv"],
    ["its part", { partType: "text/csv; header=present" }, "text/csv; header=present"],
    ["its name, when the part says nothing", { partType: "application/octet-stream" }, "text/csv"]
  ])("knows the type of a file by %s", async (_, more, mime) => {
    expect(await inShop(({ shop }) => Effect.map(send(shop, CSV, more), ({ job }) => jobObject(job)?.inputMime))).toBe(
      mime
    )
  })

  it.each([
    [null, "file"],
    ["", "file"],
    ["C:\\data\\points.csv", "points.csv"],
    ["../../etc/pass\nwd\u0000.csv", "passwd.csv"],
    [`${"x".repeat(300)}.csv`, `${"x".repeat(196)}.csv`]
  ])("calls a file named %j %s", async (fileName, expected) => {
    const name = await inShop(({ shop }) =>
      Effect.map(send(shop, CSV, { fileName, data: points() }), ({ job }) => jobObject(job)?.inputFileName)
    )
    expect(name).toBe(expected)
  })

  it.each<[string, Partial<OnDemandSubmission>, string, object]>([
    ["an unknown model", { model: "other" }, CSV, { _tag: "UnknownModel", message: expect.stringMatching(/"other"/) }],
    [
      "an unknown version",
      { data: data({ version: "9" }) },
      CSV,
      { because: "version", message: expect.stringMatching(/0\.0\.1/) }
    ],
    ["a version that is not active", { model: "endless", data: data({ version: "3" }) }, CSV, { because: "version" }],
    [
      "a type that nothing tells",
      { fileName: "input.dat" },
      CSV,
      { because: "mimeType", message: expect.stringMatching(/neither/) }
    ],
    ["a type that is none", { data: data({ mimeType: "csv" }) }, CSV, { because: "mimeType" }],
    ["a type without records", { data: data({ mimeType: "image/png" }) }, CSV, { because: "mimeType" }],
    ["another encoding", { data: data({ mimeType: "text/csv; charset=latin1" }) }, CSV, { because: "mimeType" }],
    [
      "a picture that is none",
      { model: "picture" },
      CSV,
      { because: "mimeType", message: expect.stringMatching(/image\/\*/) }
    ],
    [
      "a mapping of a picture",
      { model: "picture", fileName: "a.png", data: data({ mapping: [{ source: "a", destination: "b" }] }) },
      "x",
      { because: "mapping" }
    ],
    ["an empty file", {}, "", { because: "mapping", message: expect.stringMatching(/empty/) }],
    ["a quote that is never closed", {}, 'x,y\n1,"2\n', { because: "file", message: expect.stringMatching(/Line 2/) }],
    ["a file that is no JSON", { data: data({ mimeType: "application/json" }) }, CSV, { because: "file" }],
    ["a column that is missing", {}, "x\n1\n", { because: "mapping", message: expect.stringMatching(/"y"/) }],
    [
      "a default of another type",
      { data: data({ mapping: [{ source: "a", destination: "x", defaultValue: "seven" }] }) },
      CSV,
      { because: "mapping", message: expect.stringMatching(/expected a number/) }
    ],
    ["a name that is too long", { data: data({ name: "x".repeat(201) }) }, CSV, { _tag: "InvalidSubmission" }]
  ])("refuses %s, bills nothing and keeps no file", async (_, more, content, refusal) => {
    const [refused, usage, left] = await inShop(({ shop }, house) =>
      Effect.gen(function* () {
        const refused = yield* Effect.flip(send(shop, content, more))
        return [refused, yield* shop.usage({ tenant: TENANT }), yield* keys(house)] as const
      })
    )
    expect(refused).toMatchObject(refusal)
    expect([usage, left]).toEqual([[], []])
  })

  it("keeps the file when the store does not answer, because the job may be there", async () => {
    const left = await inShop(
      ({ shop }, house) =>
        Effect.gen(function* () {
          const sending = yield* Effect.forkChild(Effect.flip(send(shop, CSV)))
          yield* pass(30)
          expect(yield* Fiber.join(sending)).toBeInstanceOf(JobStoreUnavailable)
          return yield* keys(house)
        }),
      { fault: (method) => (method === "create" ? "lose" : undefined) }
    )
    expect(left.filter((key) => key.includes("/input/"))).toHaveLength(1)
  })
})

describe("a quote", () => {
  it("is what the job is billed then, and costs nothing", async () => {
    const [quote, billing, usage] = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const upload = yield* shop.upload(TENANT, Stream.succeed(utf8(CSV)))
        const request = {
          tenant: TENANT,
          model: "pythagoras",
          data: points(),
          upload,
          fileName: "a.csv",
          partType: null
        }
        const quote = yield* shop.quote(request)
        const before = yield* shop.usage({ tenant: TENANT })
        const { job } = yield* shop.submit(request)
        return [quote, billingOf(job), before] as const
      })
    )
    expect(quote).toEqual({
      model: "pythagoras",
      version: "0.0.1",
      inputMime: "text/csv; header=present",
      recordCount: 3,
      groupSize: 5,
      recordGroupCount: 1,
      groupPrice: 20,
      billedUsage: 20
    })
    expect(quote).toMatchObject({ ...billing })
    expect(usage).toEqual([])
  })

  it("refuses what a submission would refuse, and leaves the file to its owner", async () => {
    const [refused, before, after] = await inShop(({ shop }, house) =>
      Effect.gen(function* () {
        const upload = yield* shop.upload(TENANT, Stream.succeed(utf8("x\n1\n")))
        const request = { tenant: TENANT, model: "pythagoras", data: data(), upload, fileName: "a.csv", partType: null }
        const refused = yield* Effect.flip(shop.quote(request))
        const before = yield* keys(house)
        yield* shop.discard(upload)
        return [refused, before, yield* keys(house)] as const
      })
    )
    expect(refused).toMatchObject({ because: "mapping" })
    expect([before.length, after.length]).toEqual([1, 0])
  })
})

describe("an upload", () => {
  it("that is too large is refused and not kept", async () => {
    const [refused, left] = await inShop(
      ({ shop }, house) =>
        Effect.gen(function* () {
          const content = Stream.fromIterable([utf8("x,y\n"), utf8("1,2\n"), utf8("3,4\n")])
          return [yield* Effect.flip(shop.upload(TENANT, content)), yield* keys(house)] as const
        }),
      { maxUploadBytes: 10 }
    )
    expect(refused).toMatchObject({ _tag: "UploadTooLarge", limit: 10 })
    expect(left).toEqual([])
  })

  it("that breaks off fails as its sender did and is not kept", async () => {
    const [refused, left] = await inShop(({ shop }, house) =>
      Effect.gen(function* () {
        const content = Stream.concat(Stream.succeed(utf8("x,y\n")), Stream.fail("gone" as const))
        return [yield* Effect.flip(shop.upload(TENANT, content)), yield* keys(house)] as const
      })
    )
    expect([refused, left]).toEqual(["gone", []])
  })
})

describe("a submission with a key", () => {
  it("that is repeated is the same job, billed once, whatever has become of it", async () => {
    const [answers, usage, left] = await inShop(({ shop }, house) =>
      Effect.gen(function* () {
        const first = yield* send(shop, CSV, { key: "k", data: points({ name: "one" }) })
        const again = yield* send(shop, CSV, { key: "k", data: points({ name: "two" }) })
        yield* shop.wait({ tenant: TENANT, id: first.job.id }, 10_000)
        const late = yield* send(shop, CSV, { key: "k", data: points() })
        return [[first, again, late], yield* shop.usage({ tenant: TENANT }), yield* keys(house)] as const
      })
    )
    expect(answers.map(({ created }) => created)).toEqual([true, false, false])
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1)
    expect(usage).toMatchObject([{ jobs: 1, billedUsage: 20 }])
    expect(left.filter((key) => key.includes("/input/"))).toHaveLength(1)
  })

  it("that is repeated at the same moment is one job", async () => {
    const [answers, usage, left] = await inShop(({ shop }, house) =>
      Effect.gen(function* () {
        const all = yield* Effect.all(
          Array.from({ length: 5 }, () => send(shop, CSV, { key: "k" })),
          { concurrency: 5 }
        )
        return [all, yield* shop.usage({ tenant: TENANT }), yield* keys(house)] as const
      })
    )
    expect(answers.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1)
    expect(usage).toMatchObject([{ jobs: 1 }])
    expect(left.filter((key) => key.includes("/input/"))).toHaveLength(1)
  })

  it.each<[string, string, Partial<OnDemandSubmission>]>([
    ["another file", "x,y\n1,2\n", {}],
    ["another mapping", CSV, { data: points({ mapping: [{ source: "y", destination: "x" }] }) }],
    ["another model", CSV, { model: "endless" }]
  ])("and %s is a conflict", async (_, content, more) => {
    const refused = await inShop(({ shop }) =>
      Effect.gen(function* () {
        yield* send(shop, CSV, { key: "k", data: points() })
        return yield* Effect.flip(send(shop, content, { key: "k", data: points(), ...more }))
      })
    )
    expect(refused).toMatchObject({ _tag: "KeyTaken", message: expect.stringMatching(/asks for something else/) })
  })

  it("means another job for another tenant, and without a key each is its own", async () => {
    const ids = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const all = [
          yield* send(shop, CSV, { key: "k" }),
          yield* send(shop, CSV, { key: "k", tenant: "other" }),
          yield* send(shop, CSV),
          yield* send(shop, CSV)
        ]
        return all.map(({ job }) => job.id)
      })
    )
    expect(new Set(ids).size).toBe(4)
  })
})

describe("reading", () => {
  it("shows a job to its tenant and model only", async () => {
    const answers = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const { job } = yield* send(shop, CSV)
        const { id } = job
        const asked = [
          { tenant: TENANT, id },
          { tenant: TENANT, id, model: "pythagoras" },
          { tenant: TENANT, id, model: "endless" },
          { tenant: "other", id },
          { tenant: TENANT, id: "59015703-de7f-4e92-9451-6b08210fbb16" }
        ]
        const calls = asked.flatMap((one) => [
          shop.get(one),
          shop.wait(one, 1),
          shop.rename(one, "n"),
          shop.result(one, "data", 5_000),
          shop.erase(one, "me"),
          shop.cancel(one, "me")
        ])
        return yield* Effect.forEach(calls, (call) =>
          Effect.map(Effect.result(call as Effect.Effect<unknown, { readonly _tag: string }>), (one) =>
            one._tag === "Failure" ? one.failure._tag : "ok"
          )
        )
      })
    )
    expect(answers.slice(12)).toEqual(Array.from({ length: 18 }, () => "UnknownJob"))
    expect(answers.slice(0, 12)).not.toContain("UnknownJob")
  })

  it("waits for the end of a job, and not longer than is asked", async () => {
    const [done, running, waited] = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const first = yield* send(shop, CSV)
        const done = yield* shop.wait({ tenant: TENANT, id: first.job.id }, 25_000)
        const second = yield* send(shop, "x\n1\n", { model: "endless" })
        const before = yield* Clock.currentTimeMillis
        const waiting = yield* Effect.forkChild(shop.wait({ tenant: TENANT, id: second.job.id }, 25_000))
        yield* pass(25)
        const running = yield* Fiber.join(waiting)
        return [done, running, (yield* Clock.currentTimeMillis) - before] as const
      })
    )
    expect([jobObject(done)?.status, jobObject(running)?.status, waited]).toEqual(["success", "incomplete", 25_000])
  })

  it("renames a job and changes nothing else but when it was updated", async () => {
    const [before, after] = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const { job } = yield* send(shop, CSV)
        const one = { tenant: TENANT, id: job.id }
        const done = yield* shop.wait(one, 5_000)
        yield* TestClock.adjust("3 hours")
        return [jobObject(done), jobObject(yield* shop.rename(one, "JobNameExample"))] as const
      })
    )
    expect(after).toEqual({ ...before, name: "JobNameExample", lastUpdatedUtc: "2026-01-01T03:00:00.000Z" })
  })

  it("gives the result and the errors, with names for whoever saves them", async () => {
    const [result, errors, none] = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const some = yield* send(shop, `${CSV}no,1\n`)
        const all = yield* send(shop, CSV)
        const one = { tenant: TENANT, id: some.job.id }
        return [
          yield* shop.result(one, "data", 5_000),
          yield* shop.result(one, "errors", 0),
          yield* Effect.flip(shop.result({ tenant: TENANT, id: all.job.id }, "errors", 5_000))
        ] as const
      })
    )
    expect(result).toMatchObject({
      mime: "text/csv; header=present",
      name: expect.stringMatching(/^data_[0-9a-f]{8}\.csv$/)
    })
    expect(errors).toMatchObject({
      mime: "text/csv; header=present",
      name: expect.stringMatching(/^errors_[0-9a-f]{8}\.csv$/)
    })
    expect(none).toMatchObject({ _tag: "ResultMissing", status: "success", message: "No record of this job failed." })
  })

  it("has no result of a job that runs, failed or was erased", async () => {
    const missing = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const running = yield* send(shop, "x\n1\n", { model: "endless" })
        const failed = yield* send(shop, "x,y\na,b\n")
        const erased = yield* send(shop, CSV)
        yield* shop.wait({ tenant: TENANT, id: erased.job.id }, 5_000)
        yield* shop.erase({ tenant: TENANT, id: erased.job.id }, "me")
        const result = ({ job }: typeof running, waitMs: number) =>
          Effect.flip(shop.result({ tenant: TENANT, id: job.id }, "data", waitMs))
        return [yield* result(running, 0), yield* result(failed, 5_000), yield* result(erased, 0)] as const
      })
    )
    expect(missing).toMatchObject([
      { _tag: "ResultMissing", status: "incomplete", message: "The job is not done yet. Ask again later." },
      { _tag: "ResultMissing", status: "error", message: expect.stringMatching(/None of the 1 records/) },
      { _tag: "ResultMissing", status: "success", message: "The files of this job were deleted." }
    ])
  })
})

describe("cancelling and erasing", () => {
  it("ends a job, which stays billed", async () => {
    const [job, usage] = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const { job } = yield* send(shop, "x\n1\n", { model: "endless" })
        yield* pass(1)
        return [
          yield* shop.cancel({ tenant: TENANT, id: job.id }, "me"),
          yield* shop.usage({ tenant: TENANT })
        ] as const
      })
    )
    expect(jobObject(job)).toMatchObject({ status: "fail", errorMessage: "The job was cancelled.", billedUsage: 3 })
    expect(usage).toMatchObject([{ billedUsage: 3 }])
  })

  it("removes every file of a job, also of one that runs, and keeps what it was", async () => {
    const [left, jobs] = await inShop(({ shop }, house) =>
      Effect.gen(function* () {
        const all = [
          yield* send(shop, `${CSV}no,1\n`),
          yield* send(shop, "x,y\na,b\n"),
          yield* send(shop, "x\n1\n", { model: "endless" })
        ]
        yield* pass(1)
        yield* Effect.forEach(all, ({ job }) => shop.erase({ tenant: TENANT, id: job.id }, "me"))
        return [yield* keys(house), (yield* shop.list({ tenant: TENANT }, null, 10)).jobs] as const
      })
    )
    expect(left).toEqual([])
    expect(jobs.map(({ status }) => status)).toEqual(["fail", "error", "success"])
  })
})

describe("the list of jobs", () => {
  const filled = <A>(test: (opened: Opened) => Effect.Effect<A, unknown, Scope.Scope>) =>
    inShop((opened) =>
      Effect.gen(function* () {
        for (let i = 0; i < 12; i++) {
          yield* TestClock.adjust("1 second")
          yield* i % 3 === 2
            ? send(opened.shop, "x\n1\n", { model: "endless", fileName: `endless${i}.csv` })
            : send(opened.shop, i % 3 === 0 ? CSV : "x,y\na,b\n", {
                data: points(i === 4 ? { name: "The Fourth" } : {}),
                fileName: `points${i}.csv`
              })
        }
        yield* pass(2)
        return yield* test(opened)
      })
    )

  it("has the newest first, of one model, without gaps between its pages", async () => {
    const [whole, pages] = await filled(({ shop }) =>
      Effect.gen(function* () {
        const filter = { tenant: TENANT, model: "pythagoras" }
        const whole = yield* shop.list(filter, null, 25)
        const pages: Array<ReadonlyArray<string>> = []
        let after = null as (typeof whole)["next"]
        do {
          const page: typeof whole = yield* shop.list(filter, after, 3)
          pages.push(page.jobs.map(({ name }) => name))
          after = page.next
        } while (after !== null)
        return [whole, pages] as const
      })
    )
    expect(whole.jobs.map(({ inputFileName }) => inputFileName)).toEqual(
      [10, 9, 7, 6, 4, 3, 1, 0].map((i) => `points${i}.csv`)
    )
    expect(whole.next).toBeNull()
    expect(pages.flat()).toEqual(whole.jobs.map(({ name }) => name))
    expect(pages.map(({ length }) => length).filter((length) => length > 3)).toEqual([])
  })

  it("is searched by name and by file, and by status", async () => {
    const found = await filled(({ shop }) =>
      Effect.all([
        shop.list({ tenant: TENANT, search: "fourth" }, null, 25),
        shop.list({ tenant: TENANT, search: "POINTS4" }, null, 25),
        shop.list({ tenant: TENANT, search: "endless" }, null, 25),
        shop.list({ tenant: TENANT, statuses: ["error", "incomplete"] }, null, 25),
        shop.list({ tenant: TENANT, search: "nothing" }, null, 25),
        shop.list({ tenant: "other" }, null, 25)
      ])
    )
    expect(found.map(({ jobs }) => jobs.length)).toEqual([1, 1, 4, 8, 0, 0])
    expect(found.map(({ next }) => next)).toEqual([null, null, null, null, null, null])
    expect(found[0]?.jobs[0]).toMatchObject({ name: "The Fourth", inputFileName: "points4.csv" })
  })
})

describe("usage", () => {
  it("is totalled by payer and model, for a time, and for each tenant by itself", async () => {
    const [all, early, others] = await inShop(({ shop }) =>
      Effect.gen(function* () {
        const start = yield* Clock.currentTimeMillis
        yield* send(shop, CSV, { submittedBy: "a" })
        yield* TestClock.adjust("1 hour")
        yield* send(shop, CSV, { submittedBy: "a" })
        yield* send(shop, CSV, { submittedBy: "b" })
        yield* send(shop, "x\n1\n2\n", { model: "endless", submittedBy: "a" })
        yield* send(shop, CSV, { tenant: "other" })
        return [
          yield* shop.usage({ tenant: TENANT }),
          yield* shop.usage({ tenant: TENANT, from: start, to: start + 1_000 }),
          yield* shop.usage({ tenant: "other" })
        ] as const
      })
    )
    const line = (
      submittedBy: string | null,
      model: string,
      jobs: number,
      records: number,
      groups: number,
      units: number
    ) => ({
      submittedBy,
      model,
      jobs,
      records,
      recordGroups: groups,
      billedUsage: units
    })
    expect([...all].sort((a, b) => `${a.submittedBy}${a.model}`.localeCompare(`${b.submittedBy}${b.model}`))).toEqual([
      line("a", "endless", 1, 2, 2, 6),
      line("a", "pythagoras", 2, 6, 2, 40),
      line("b", "pythagoras", 1, 3, 1, 20)
    ])
    expect(early).toEqual([line("a", "pythagoras", 1, 3, 1, 20)])
    expect(others).toEqual([line(null, "pythagoras", 1, 3, 1, 20)])
  })
})

describe("the models", () => {
  it("are shown with all their versions", async () => {
    const models = await inShop(({ shop }) => Effect.succeed(shop.models))
    expect(
      models.map(({ name, versions }) => [name, versions.map(({ version, active }) => [version, active])])
    ).toEqual([
      ["pythagoras", [["0.0.1", true]]],
      [
        "endless",
        [
          ["1", true],
          ["2", true],
          ["3", false]
        ]
      ],
      ["picture", [["1", true]]]
    ])
  })
})
