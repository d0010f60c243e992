import type { Job } from "@sotto/core/job"
import { BlobStore, BlobUnavailable } from "@sotto/core/ports/BlobStore"
import { jobObject } from "@sotto/core/tabular"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { pythagoras } from "./Pythagoras.ts"
import {
  defineModel,
  fileVersion,
  type Model,
  ModelFailed,
  RecordFailed,
  recordsVersion,
  type RunRecords
} from "../../src/index.ts"
import { pass, TENANT } from "../Rig.ts"
import { billingOf, data, filesIn, type House, keys, open, playShop, send } from "./Shop.ts"

interface Point {
  readonly x: number
  readonly y: number
}

/** A model of points with this work. */
const points = (run: RunRecords<Point, { readonly z: number }, never>, more: object = {}): Model =>
  defineModel({
    name: "points",
    versions: [
      recordsVersion({
        version: "1",
        groupSize: 2,
        groupPrice: 7,
        input: Schema.Struct({ x: Schema.Finite, y: Schema.Finite }) as Schema.Codec<Point, unknown>,
        output: Schema.Struct({ z: Schema.Finite }),
        run,
        ...more
      })
    ]
  })

const sums: RunRecords<Point, { readonly z: number }, never> = (records) =>
  Effect.succeed(records.map(({ x, y }) => ({ z: x + y })))

interface Done {
  readonly job: Job
  readonly files: Readonly<Record<string, string>>
  readonly keys: ReadonlyArray<string>
}

/** A job of a model from its submission to its end. */
const runJob = (
  model: Model,
  content: string | Uint8Array,
  more: Parameters<typeof send>[2] = {},
  seconds = 0
): Promise<Done> =>
  playShop((house) =>
    Effect.gen(function* () {
      const { shop, engine } = yield* open(house, [model])
      const { job } = yield* send(shop, content, { model: model.name, ...more })
      yield* pass(seconds)
      const done = yield* engine.wait(TENANT, job.id)
      return { job: done, files: yield* filesIn(house, done), keys: yield* keys(house) }
    })
  )

const errorsOf = ({ job }: Done) => jobObject(job)?.errorMessage
const statusOf = ({ job }: Done) => jobObject(job)?.status

describe("the Pythagoras model", () => {
  it("gives z for x and y, ten records for two groups of 20 units", async () => {
    const rows = Array.from({ length: 10 }, () => "3,4").join("\n")
    const done = await runJob(pythagoras, `x,y\n${rows}\n`)
    expect(done.files).toEqual({ data: `z\n${"5\n".repeat(10)}` })
    expect(jobObject(done.job)).toMatchObject({
      status: "success",
      errorMessage: null,
      recordCount: 10,
      recordGroupCount: 2,
      billedUsage: 40
    })
    expect(billingOf(done.job)).toMatchObject({ groupSize: 5, groupPrice: 20 })
  })

  it("is the example of the documentation: x1 and y1 mapped to x and y, z to hypotenuse", async () => {
    const mapping = [
      { source: "x1", destination: "x" },
      { source: "y1", destination: "y", defaultValue: "4" }
    ]
    const outputMapping = [{ source: "z", destination: "hypotenuse" }]
    const members = { version: "0.0.1", mimeType: "text/csv; header=present", mapping, outputMapping }
    const done = await runJob(pythagoras, "x1,y1\n3,4\n6,8\n3,\n", { data: data(members) })
    expect(done.files).toEqual({ data: "hypotenuse\n5\n10\n5\n" })
    expect(jobObject(done.job)).toMatchObject({ recordCount: 3, recordGroupCount: 1, billedUsage: 20 })
  })
})

describe("an on-demand job", () => {
  it.each<[string, string, string, string]>([
    ["text/csv", "x,y\r\n1,2\r\n", "z\n3\n", "csv"],
    ["text/csv; header=absent", "9,1,2\n", "3\n", "csv"],
    ["application/json", '[{"x":1,"y":2},{"y":3,"x":4,"w":null}]', '[\n{"z":3},\n{"z":7}\n]\n', "json"],
    ["application/x-ndjson", '{"x":1,"y":2}\n\n{"x":4,"y":3}', '{"z":3}\n{"z":7}\n', "ndjson"]
  ])("gives %s for %s", async (mimeType, content, expected, ending) => {
    const mapping = mimeType.includes("absent")
      ? [
          { source: "/2", destination: "x" },
          { source: "/3", destination: "y" }
        ]
      : null
    const done = await runJob(points(sums), content, { data: data({ mimeType, mapping }) })
    expect(done.files).toEqual({ data: expected })
    expect(done.keys.some((key) => new RegExp(`/output/1-data_[0-9a-f]{8}\\.${ending}$`).test(key))).toBe(true)
  })

  it("names each record that failed, in order, and gives the others", async () => {
    const done = await runJob(
      points((records) =>
        Effect.succeed(
          records.map(({ x, y }) =>
            x < 0 ? new RecordFailed("x is negative") : { z: y === 7 ? ("seven" as never) : x + y }
          )
        )
      ),
      "x,y\n1,2\n-1,2\nfoo,bar\n3\n\n1,7\n4,5\n"
    )
    expect(statusOf(done)).toBe("success")
    expect(errorsOf(done)).toBe("4 of 6 records could not be processed. The file of errors names them.")
    expect(done.files["data"]).toBe("z\n3\n9\n")
    const lines = done.files["errors"]?.trim().split("\n") ?? []
    expect(lines.map((line) => line.split(",").slice(0, 4).join())).toEqual([
      "record,line,stage,path",
      "2,3,model,",
      "3,4,input,x",
      "3,4,input,y",
      "4,5,input,",
      "5,7,output,"
    ])
    expect(lines[4]).toBe("4,5,input,,expected 2 fields and not 1")
  })

  it("goes on behind a line of NDJSON that is no JSON", async () => {
    const members = { mimeType: "application/x-ndjson" }
    const done = await runJob(points(sums), '{"x":1,"y":2}\nrubbish\n{"x":1}\n', { data: data(members) })
    expect(done.files["data"]).toBe('{"z":3}\n')
    const errors = done.files["errors"]
      ?.trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object)
    expect(errors).toMatchObject([
      { record: 2, line: 2, stage: "input" },
      { record: 3, line: 3, stage: "input" }
    ])
    expect(jobObject(done.job)).toMatchObject({ recordCount: 3, billedUsage: 14 })
  })

  it("is an error when no record succeeds, tells the first, keeps the file of errors and is billed", async () => {
    const done = await runJob(points(sums), "x,y\na,b\nc,d\n")
    expect(statusOf(done)).toBe("error")
    expect(errorsOf(done)).toBe(
      'None of the 2 records could be processed; record 1 (line 2), x: expected a number such as 12 or 0.5 and not "a".'
    )
    expect(Object.keys(done.files)).toEqual(["errors"])
    expect(done.keys.filter((key) => key.includes("-data_"))).toEqual([])
    expect(jobObject(done.job)).toMatchObject({ billedUsage: 7 })
  })

  it("of a file without records succeeds, costs nothing and gives a header", async () => {
    const done = await runJob(points(sums), "x,y\n")
    expect(done.files).toEqual({ data: "z\n" })
    expect(jobObject(done.job)).toMatchObject({ recordCount: 0, recordGroupCount: 0, billedUsage: 0 })
  })

  it("gives the same bytes however large the batches are", () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 20 }), async (batchSize, rows) => {
        const sizes: Array<number> = []
        const model = points(
          (records) =>
            Effect.andThen(
              Effect.sync(() => void sizes.push(records.length)),
              sums(records, null as never)
            ),
          {
            batchSize
          }
        )
        const content = `x,y\n${Array.from({ length: rows }, (_, i) => (i % 5 === 4 ? "bad,1\n" : `${i},1\n`)).join("")}`
        const done = await runJob(model, content)
        const good = Array.from({ length: rows }, (_, i) => i).filter((i) => i % 5 !== 4)
        expect(done.files["data"] ?? "z\n").toBe(`z\n${good.map((i) => `${i + 1}\n`).join("")}`)
        expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(batchSize)
        expect(sizes.reduce((sum, one) => sum + one, 0)).toBe(good.length)
      }),
      { numRuns: 15 }
    ))

  it("writes more errors than wait at a time", async () => {
    const done = await runJob(points(sums), `x,y\n1,1\n${"no,1\n".repeat(5_000)}`)
    expect(done.files["errors"]?.split("\n").length).toBe(5_002)
    expect(done.files["data"]).toBe("z\n2\n")
  })
})

describe("a model that goes wrong", () => {
  it.each<[string, RunRecords<Point, { readonly z: number }, never>, RegExp]>([
    ["fails", () => Effect.fail(new ModelFailed({ message: "No weights.", retryable: false })), /^No weights\.$/],
    [
      "throws",
      () => {
        throw new Error("boom")
      },
      /unforeseen way: boom/
    ],
    ["dies", () => Effect.die("oh"), /unforeseen way/],
    ["gives too few results", () => Effect.succeed([]), /gave 0 results for 1 records/]
  ])("and %s makes the job an error at once, without a result", async (_, run, message) => {
    const done = await runJob(points(run), "x,y\n1,2\n")
    expect(statusOf(done)).toBe("error")
    expect(errorsOf(done)).toMatch(message)
    expect(done.job.failures).toBe(0)
    expect(done.files).toEqual({})
    expect(done.keys.filter((key) => key.includes("/output/"))).toEqual([])
  })

  it("for a while is tried again when it says so", async () => {
    let calls = 0
    const run: typeof sums = (records, job) =>
      ++calls < 3 ? Effect.fail(new ModelFailed({ message: "Busy.", retryable: true })) : sums(records, job)
    const done = await runJob(points(run), "x,y\n1,2\n", {}, 10)
    expect([statusOf(done), done.files["data"], calls]).toEqual(["success", "z\n3\n", 3])
  })

  it("for ever is an error after its tries", async () => {
    const run: typeof sums = () => Effect.fail(new ModelFailed({ message: "Busy.", retryable: true }))
    const done = await runJob(points(run), "x,y\n1,2\n", {}, 120)
    expect([statusOf(done), errorsOf(done), done.job.dead]).toEqual(["error", "Busy.", true])
  })

  it("that no worker knows is our fault", async () => {
    const [job, status] = await playShop((house) =>
      Effect.gen(function* () {
        const shopOnly = yield* open(house, [points(sums)], { name: "a" })
        yield* shopOnly.worker.stop
        const { job } = yield* send(shopOnly.shop, "x,y\n1,2\n", { model: "points" })
        const { engine } = yield* open(house, [pythagoras], { name: "b" })
        yield* pass(120)
        const done = yield* engine.wait(TENANT, job.id)
        return [done, jobObject(done)?.status] as const
      })
    )
    expect(status).toBe("fail")
    expect(job.lastFailure).toMatchObject({ code: "ModelMissing", message: expect.stringMatching(/"points" 1/) })
  })
})

describe("files that are out of reach", () => {
  const broken = (house: Context.Context<House>, writes: (key: string, nth: number) => boolean) => {
    const real = Context.get(house, BlobStore)
    let nth = 0
    return Context.add(house, BlobStore, {
      ...real,
      write: (ref, source, options) =>
        writes(ref.key, ++nth)
          ? Effect.fail(new BlobUnavailable({ ...ref, message: "The disk is full." }))
          : real.write(ref, source, options)
    })
  }

  it.each(["data", "errors"])("for a while delay the job and change nothing (%s)", async (what) => {
    const [files, failures] = await playShop((house) =>
      Effect.gen(function* () {
        let left = 2
        const { shop, engine } = yield* open(
          broken(house, (key) => key.includes(`-${what}_`) && left-- > 0),
          [points(sums)]
        )
        const { job } = yield* send(shop, `x,y\n1,2\n${"a,b\n".repeat(3_000)}`, { model: "points" })
        yield* pass(20)
        const done = yield* engine.wait(TENANT, job.id)
        return [yield* filesIn(house, done), done.failures] as const
      })
    )
    expect(files["data"]).toBe("z\n3\n")
    expect(files["errors"]?.split("\n").length).toBe(6_002)
    expect(failures).toBe(2)
  })

  it("for ever are our fault", async () => {
    const done = await playShop((house) =>
      Effect.gen(function* () {
        const { shop, engine } = yield* open(
          broken(house, (key) => key.includes("-data_")),
          [points(sums)]
        )
        const { job } = yield* send(shop, "x,y\n1,2\n", { model: "points" })
        yield* pass(120)
        return jobObject(yield* engine.wait(TENANT, job.id))
      })
    )
    expect(done).toMatchObject({ status: "fail", errorMessage: "The disk is full.", billedUsage: 7 })
  })
})

describe("a worker that dies", () => {
  it.each([1, 2, 3])("in batch %i leaves a job that ends with the same bytes, and billed once", async (batch) => {
    const content = `x,y\n${Array.from({ length: 30 }, (_, i) => `${i},${i % 7 === 3 ? "no" : i}\n`).join("")}`
    const alone = await runJob(points(sums, { batchSize: 10 }), content)
    const [files, units, epoch, left] = await playShop((house) =>
      Effect.gen(function* () {
        let calls = 0
        const reached = Deferred.makeUnsafe<void>()
        const dying: typeof sums = (records, job) =>
          ++calls === batch ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never) : sums(records, job)
        const first = yield* open(house, [points(dying, { batchSize: 10 })], { name: "a" })
        const { job } = yield* send(first.shop, content, { model: "points" })
        yield* Deferred.await(reached)
        yield* first.kill
        const second = yield* open(house, [points(sums, { batchSize: 10 })], { name: "b" })
        yield* pass(20)
        const done = yield* second.engine.wait(TENANT, job.id)
        const usage = yield* second.shop.usage({ tenant: TENANT })
        return [yield* filesIn(house, done), usage[0]?.billedUsage, done.epoch, yield* keys(house)] as const
      })
    )
    expect(files).toEqual(alone.files)
    expect([units, epoch]).toEqual([15 * 7, 2])
    expect(left.filter((key) => key.includes("/output/")).every((key) => key.includes("/output/2-"))).toBe(true)
  })

  it.each([
    ["no,1\n", ["2-errors"]],
    ["1,2\nno,1\n", ["2-data", "2-errors"]]
  ])("between writing and telling leaves no file that nobody knows (%j)", async (rows, files) => {
    const left = await playShop((house) =>
      Effect.gen(function* () {
        let done = 0
        const first = yield* open(house, [points(sums)], {
          name: "a",
          // The result is there; that it is there is never told.
          fault: (method) => (method === "commit" && ++done > 1 ? "hang" : undefined)
        })
        const { job } = yield* send(first.shop, `x,y\n${rows}`, { model: "points" })
        yield* pass(1)
        yield* first.kill
        const second = yield* open(house, [points(sums)], { name: "b" })
        yield* pass(20)
        const ended = yield* second.engine.wait(TENANT, job.id)
        return [ended.epoch, (yield* keys(house)).filter((key) => key.includes("/output/"))] as const
      })
    )
    expect(left[0]).toBe(2)
    expect(left[1].map((key) => key.replace(/.*\/output\//, "").replace(/_.*/, ""))).toEqual(files)
  })
})

describe("a model of files", () => {
  const shout = defineModel({
    name: "shout",
    versions: [
      fileVersion({
        version: "1",
        groupSize: 1,
        groupPrice: 100,
        accepts: ["text/*"],
        run: ({ content, mime, name, bytes }) =>
          Effect.gen(function* () {
            const text = Buffer.concat(yield* Stream.runCollect(content)).toString()
            if (text === "throw") throw new Error("too loud")
            const told = `${name} ${mime} ${bytes}: ${text.toUpperCase()}`
            const chunks = Stream.fromIterable([Buffer.from(told.slice(0, 5)), Buffer.from(told.slice(5))])
            return { mime: "text/plain", content: text === "stream" ? Stream.die("mid-way") : chunks }
          })
      })
    ]
  })

  it("works on the file as it is, for one record", async () => {
    const done = await runJob(shout, "hello", { fileName: "note.txt" })
    expect(done.files).toEqual({ data: "note.txt text/plain 5: HELLO" })
    expect(jobObject(done.job)).toMatchObject({
      status: "success",
      recordCount: 1,
      recordGroupCount: 1,
      billedUsage: 100
    })
    expect(done.keys.some((key) => key.endsWith(".txt"))).toBe(true)
  })

  it.each(["throw", "stream"])("that throws is an error (%s)", async (content) => {
    const done = await runJob(shout, content, { fileName: "note.txt" })
    expect([statusOf(done), done.files]).toEqual(["error", {}])
    expect(errorsOf(done)).toMatch(/unforeseen way/)
  })
})

describe("defineModel", () => {
  it("refuses what cannot be sound", () => {
    expect(() => points(sums, { groupSize: 0 })).toThrow(/"points" is refused: version 1: groupSize/)
    expect(() => points(sums, { batchSize: 0 })).toThrow(/batchSize is a whole number from 1/)
  })
})
