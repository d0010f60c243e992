import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  createEngine,
  defineKind,
  type EngineOptions,
  JobError,
  type PromisedJobQueue,
  SottoError,
  type SottoEngine
} from "../src/index.ts"
import { main } from "@sotto/cli"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { JobStore } from "@sotto/core/ports/JobStore"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { Records } from "@sotto/core/ports/Records"
import { Engine, type HasServices, SERVICES } from "@sotto/engine"
import { layerMemoryBudgetLedger, layerMemoryJobStore, layerMemoryLedgerKeys, layerMemoryRecords } from "@sotto/memory"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { MapBlobStore } from "../../../examples/blob-store/MapBlobStore.ts"

let folder = ""
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "sotto-engine-"))))
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const opened: Array<SottoEngine> = []
const open = async (options: Partial<EngineOptions> = {}) => {
  const engine = await createEngine({ folder, ...options })
  opened.push(engine)
  return engine
}

const all = async <A>(items: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const found: Array<A> = []
  for await (const item of items) found.push(item)
  return found
}

const double = defineKind({ name: "double", parameters: Number, run: ({ parameters }) => parameters * 2 })
const hanging = defineKind({
  name: "hanging",
  parameters: () => null,
  run: ({ signal }) =>
    new Promise<null>((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))))
})

/** Encrypted reports and their domain, in the buckets of the folder. */
const generateReports = async () => {
  const quiet = vi.spyOn(process.stderr, "write").mockReturnValue(true)
  const generate = ["reports", "generate", "--count", "12", "--campaigns", "3", "--regions", "2"]
  await main([...generate, "--keys", join(folder, "keys.json"), "--out", join(folder, "reports", "day")])
  quiet.mockRestore()
  await mkdir(join(folder, "domains"), { recursive: true })
  await rename(join(folder, "reports/day/domain.avro"), join(folder, "domains", "domain.avro"))
  await rm(join(folder, "reports/day/truth.json"))
}

const aggregationOf = (prefix: string) => ({
  inputDataBucketName: "reports",
  inputDataBlobPrefix: "day/",
  outputDataBucketName: "output",
  outputDataBlobPrefix: prefix,
  jobParameters: {
    reporting_site: "https://example.com",
    output_domain_bucket_name: "domains",
    output_domain_blob_prefix: "domain"
  }
})

describe("createEngine", () => {
  it("needs nothing but a folder, and keeps what it made", async () => {
    const id = await (async () => {
      const engine = await open({ kinds: [double] })
      const { job } = await engine.submit("double", 4, { key: "k" })
      await engine.wait(job.id)
      await engine[Symbol.asyncDispose]()
      return job.id
    })()
    expect((await readdir(folder)).filter((name) => !/-(wal|shm)$/.test(name)).sort()).toEqual([
      "domains",
      "keys.json",
      "ledger-keys.json",
      "ledger-keys.json.heads",
      "output",
      "reports",
      "sotto.db"
    ])
    const engine = await open({ kinds: [double] })
    expect((await engine.get(id)).job.outcome).toEqual({ _tag: "Succeeded", result: 8 })
    expect(await engine.submit("double", 4, { key: "k" })).toMatchObject({ created: false, job: { id } })
    expect((await engine.list()).rows.map((job) => job.id)).toEqual([id])
    expect(await engine.tally()).toEqual([{ kind: "double", state: "Succeeded", jobs: 1 }])
  })

  it("runs an aggregation as a job: encrypted reports become a summary that is paid for once", async () => {
    const engine = await open()
    await generateReports()
    const results = []
    for (const prefix of ["first", "second"]) {
      const { job } = await engine.submit("aggregation", aggregationOf(prefix))
      results.push((await engine.wait(job.id)).outcome)
    }
    expect(results).toMatchObject([
      { _tag: "Succeeded", result: { returnCode: "SUCCESS", budget: { use: "Charged" } } },
      { _tag: "Succeeded", result: { returnCode: "SUCCESS", budget: { use: "Replayed" } } }
    ])
    const [first, second] = await Promise.all(
      ["first", "second"].map((prefix) => readFile(join(folder, "output", `${prefix}-1-of-1`)))
    )
    expect(second).toEqual(first)
  }, 30_000)

  it("runs an aggregation as a job: an input that is not there is told by its return code", async () => {
    const engine = await open()
    const { job } = await engine.submit("aggregation", {
      inputDataBucketName: "reports",
      inputDataBlobPrefix: "day/",
      outputDataBucketName: "output",
      outputDataBlobPrefix: "summary",
      jobParameters: {
        attribution_report_to: "https://adtech.example.com",
        output_domain_bucket_name: "domains",
        output_domain_blob_prefix: "domain"
      }
    })
    const { outcome } = await engine.wait(job.id)
    expect(outcome).toMatchObject({ _tag: "Failed", failure: { category: "client", retryable: false } })
  })

  it("throws a SottoError with the code of what is wrong", async () => {
    const engine = await open({ kinds: [double] })
    const refused = engine.get("nobody")
    await expect(refused).rejects.toBeInstanceOf(SottoError)
    await expect(refused).rejects.toMatchObject({ code: "UnknownJob" })
    await expect(engine.submit("triple", 1)).rejects.toMatchObject({ code: "UnknownKind" })
    await engine.submit("double", 1, { key: "k" })
    await expect(engine.submit("double", 2, { key: "k" })).rejects.toMatchObject({ code: "KeyTaken" })
    await expect(engine.pause("triple")).rejects.toMatchObject({ code: "UnknownKind" })
    await expect(all(engine.events("nobody"))).rejects.toMatchObject({ code: "UnknownJob" })
  })

  it("stops waiting when it is told to, and leaves the job alone", async () => {
    const engine = await open({ kinds: [hanging] })
    const { job } = await engine.submit("hanging", null)
    const stop = new AbortController()
    const waits = [engine.wait(job.id, stop), all(engine.events(job.id, stop))]
    for await (const { _tag } of engine.events(job.id)) if (_tag === "Started") break
    stop.abort()
    for (const waiting of waits) await expect(waiting).rejects.toMatchObject({ code: "Aborted" })
    await expect(engine.get(job.id, stop)).rejects.toMatchObject({ code: "Aborted" })
    expect((await engine.get(job.id)).job.state).toBe("Running")
    expect((await engine.cancel(job.id, { reason: "enough" })).outcome).toEqual({
      _tag: "Cancelled",
      by: "host",
      reason: "enough"
    })
  })

  it("refuses progress that no client could read", async () => {
    const vague = defineKind({
      name: "vague",
      parameters: Number,
      retry: { maxFailures: 1 },
      run: ({ progress, parameters }) => {
        progress(parameters, 1)
        return null
      }
    })
    const engine = await open({ kinds: [vague] })
    const { job } = await engine.submit("vague", -1)
    expect((await engine.wait(job.id)).outcome).toMatchObject({
      failure: { message: expect.stringContaining("numbers from 0") }
    })
  })

  it("gives each question once, while the job waits for its answer", async () => {
    const picky = defineKind({
      name: "picky",
      parameters: () => null,
      run: async ({ ask }) => {
        const size = await ask("size", { stage: "which size" })
        const word: string = typeof size === "string" ? size : await ask("size", { rejects: true })
        return [word, await ask("colour")]
      }
    })
    const engine = await open({ kinds: [picky] })
    const { job } = await engine.submit("picky", null)
    const asked = []
    for await (const question of engine.questions(job.id)) {
      asked.push(question)
      if (question.key === "colour") break
      await engine.giveInput(job.id, question.key, question.rejected === undefined ? 7 : "large")
    }
    expect(asked).toMatchObject([
      { key: "size", stage: "which size", until: expect.any(Number) },
      { key: "size", stage: "size", rejected: 7 },
      { key: "colour" }
    ])
    // Who comes later is not asked what was answered before.
    for await (const { key } of engine.questions(job.id)) {
      expect(key).toBe("colour")
      await engine.giveInput(job.id, key, "red")
    }
    expect((await engine.wait(job.id)).outcome).toEqual({ _tag: "Succeeded", result: ["large", "red"] })
    expect(await all(engine.questions(job.id))).toEqual([])
    await expect(all(engine.questions("nobody"))).rejects.toMatchObject({ code: "UnknownJob" })
  })

  it("hands running jobs back without a failure when it closes", async () => {
    const first = await open({ kinds: [hanging] })
    const { job } = await first.submit("hanging", null)
    for await (const { _tag } of first.events(job.id)) if (_tag === "Started") break
    await first.close()
    await first.close()
    const engine = await open({ kinds: [hanging], concurrency: 0 })
    expect((await engine.get(job.id)).job).toMatchObject({ state: "Queued", failures: 0 })
  })

  it("carries its services for packages that work on the same engine", async () => {
    const engine = (await open({ kinds: [double] })) as SottoEngine & HasServices
    const { job } = await engine.submit("double", 4)
    const seen = Effect.gen(function* () {
      const { capabilities } = yield* BlobStore
      const scopes = yield* (yield* BudgetLedger).scopes
      return { id: (yield* (yield* Engine).get("default", job.id)).job.id, scopes, links: capabilities.signedLinks }
    })
    expect(await Effect.runPromise(Effect.provideContext(seen, engine[SERVICES]))).toEqual({
      id: job.id,
      scopes: [],
      links: false
    })
  })

  it("keeps what a handler ends with while it closes", async () => {
    const tidy = defineKind({
      name: "tidy",
      parameters: () => null,
      run: ({ signal }) =>
        new Promise<string>((resolve) =>
          signal.addEventListener("abort", () => setImmediate(() => resolve("ended in time")))
        )
    })
    const first = await open({ kinds: [tidy] })
    const { job } = await first.submit("tidy", null)
    for await (const { _tag } of first.events(job.id)) if (_tag === "Started") break
    await first.close()
    const engine = await open({ kinds: [tidy], concurrency: 0 })
    expect((await engine.get(job.id)).job.outcome).toEqual({ _tag: "Succeeded", result: "ended in time" })
  })

  it("refuses times that cannot be sound", async () => {
    await expect(open({ lease: { leaseMs: 1_000 } })).rejects.toMatchObject({ code: "OptionsRejected" })
    await expect(open({ sweepMs: 0 })).rejects.toMatchObject({
      code: "OptionsRejected",
      message: expect.stringContaining("everyMs is a whole number from 50 to 60000, not 0")
    })
  })

  it("refuses a kind whose name another one has", async () => {
    await expect(open({ kinds: [double, hanging, { ...double }] })).rejects.toMatchObject({
      code: "OptionsRejected",
      message: expect.stringContaining('"double" more than once')
    })
    const ours = defineKind({ name: "aggregation", parameters: Number, run: () => 1 })
    await expect(open({ kinds: [ours], concurrency: 0 })).rejects.toMatchObject({ code: "OptionsRejected" })
  })

  it.each<readonly [string, unknown, string]>([
    ["no folder", { folder: undefined }, "Give the engine a folder"],
    ["kinds that are no list", { kinds: double }, "kinds is a list of what defineKind gave"],
    ["a kind that nobody defined", { kinds: [{ name: "a", run: () => 1 }] }, "kinds is a list"],
    ["a level of the log that there is not", { log: "loud" }, "debug, info, warn, error, none"]
  ])("says what to do about %s", async (_, options, said) => {
    const opening = open(options as Partial<EngineOptions>)
    await expect(opening).rejects.toBeInstanceOf(SottoError)
    await expect(opening).rejects.toMatchObject({ code: "InvalidArgument", message: expect.stringContaining(said) })
  })

  it("says what an adapter lacks before it is called", async () => {
    await expect(open({ store: {} as never })).rejects.toMatchObject({
      code: "AdapterRejected",
      message: expect.stringContaining("Correct the JobStore: it has no create(), ")
    })
    await expect(open({ queue: { announce: async () => {} } as never })).rejects.toMatchObject({
      code: "AdapterRejected",
      message: "Correct the JobQueue: it has no wakeUps()."
    })
  })

  it("says which folder cannot be made", async () => {
    const file = join(folder, "file")
    await writeFile(file, "")
    await expect(open({ folder: file })).rejects.toMatchObject({
      code: "FolderUnavailable",
      message: expect.stringContaining(`${file} cannot be made`)
    })
  })

  it("refuses a page that it would have to guess", async () => {
    const engine = await open()
    for (const page of [
      () => engine.list({ state: "Failed" } as never),
      () => engine.list({}, { limit: 0 }),
      () => engine.list({}, { limit: 1001 }),
      () => engine.list({}, { after: "cursor" as never })
    ]) {
      await expect(page()).rejects.toMatchObject({ code: "InvalidArgument" })
    }
  })

  it.each(["its own store", "a host's store"])("lets nobody wait behind its end, over %s", async (whose) => {
    const engine = await open({ kinds: [double], ...(whose === "its own store" ? {} : await hosted()) })
    const { job } = await engine.submit("double", 1, { notBefore: Date.now() + 3_600_000 })
    const waits = [engine.wait(job.id), all(engine.events(job.id)), all(engine.questions(job.id))]
    const ends = Promise.allSettled(waits)
    await engine.close()
    for (const end of await ends) expect(end).toMatchObject({ status: "rejected", reason: { code: "Closed" } })
    for (const call of [engine.get(job.id), all(engine.events(job.id)), engine.submit("double", 1)]) {
      await expect(call).rejects.toMatchObject({ code: "Closed" })
    }
  })

  it("refuses a ledger whose keys were lost", async () => {
    await (await open()).close()
    await rm(join(folder, "ledger-keys.json"))
    await rm(join(folder, "ledger-keys.json.heads"))
    await expect(open()).rejects.toMatchObject({ code: "LedgerMismatch" })
  })

  it("uses a host's blobs and queue", async () => {
    const announced: Array<string> = []
    const queue: PromisedJobQueue = {
      announce: async (wakeUps) => void announced.push(...wakeUps.map(({ id }) => id)),
      wakeUps: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) })
    }
    const blobs = new MapBlobStore(["data"])
    const copy = defineKind({
      name: "copy",
      parameters: String,
      run: async ({ parameters, blobs: store, output }) => {
        const { size } = await store.write({ bucket: "data", key: "a" }, parameters, { mode: "create" })
        await output("size", size)
        const keys = (await all(store.list("data"))).map(({ key }) => key)
        return { keys, text: Buffer.from(await store.read({ bucket: "data", key: "a" }, { offset: 1 })).toString() }
      }
    })
    const engine = await open({ queue, blobs, kinds: [copy] })
    const { job } = await engine.submit("copy", "text")
    expect((await engine.wait(job.id)).outcome).toEqual({ _tag: "Succeeded", result: { keys: ["a"], text: "ext" } })
    expect(await engine.output(job.id, "size")).toEqual({ key: "size", data: 4 })
    expect(announced).toContain(job.id)
  })
})

/** The host's own services of everything that is kept in `sotto.db`, over those in memory. */
const hosted = async (): Promise<Required<Pick<EngineOptions, "store" | "records" | "ledger" | "ledgerKeys">>> => {
  const layers = Layer.mergeAll(layerMemoryJobStore(), layerMemoryRecords(), layerMemoryBudgetLedger()).pipe(
    Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))
  )
  const services = await ManagedRuntime.make(layers).context()
  /** Methods and values that are effects, as methods with Promises. */
  const promised = <T>(service: object, more: object = {}): T =>
    new Proxy(service, {
      get: (target, name) => {
        if (name in more) return Reflect.get(more, name)
        const member: unknown = Reflect.get(target, name)
        if (typeof member === "function") {
          return (...args: ReadonlyArray<unknown>) => Effect.runPromise(Reflect.apply(member, target, args))
        }
        return Effect.isEffect(member) ? () => Effect.runPromise(member as Effect.Effect<unknown>) : member
      }
    }) as T
  const { noiseKeys, activeNoiseKeyId, ...raw } = LEDGER_TEST_KEYS
  const noiseKey = async (id: string) => ({ id, key: noiseKeys.get(id) ?? raw.fingerprintKey })
  return {
    store: promised(Context.get(services, JobStore)),
    records: promised(Context.get(services, Records)),
    ledger: promised(Context.get(services, BudgetLedger), { identity: async (made: unknown) => made }),
    ledgerKeys: promised(Context.get(services, LedgerKeys), {
      ledgerId: async () => raw.ledgerId,
      fingerprintKey: async () => raw.fingerprintKey,
      activeNoiseKey: () => noiseKey(activeNoiseKeyId),
      noiseKey
    })
  }
}

describe("an engine over the host's store, records and ledger", () => {
  it("works and pays without a sotto.db", async () => {
    const host = await hosted()
    const spend = vi.spyOn(host.ledger, "spend")
    const engine = await open({ ...host, kinds: [double] })
    const { job } = await engine.submit("double", 4)
    expect((await engine.wait(job.id)).outcome).toEqual({ _tag: "Succeeded", result: 8 })
    await generateReports()
    const aggregation = await engine.submit("aggregation", aggregationOf("first"))
    expect((await engine.wait(aggregation.job.id)).outcome).toMatchObject({ result: { budget: { use: "Charged" } } })
    expect(spend).toHaveBeenCalledTimes(1)
    await engine.pause("double")
    expect(await host.records.scan({ collection: "paused-kinds", tenant: "engine", prefix: "" }, null, 9)).toHaveLength(
      1
    )
    expect((await readdir(folder)).filter((name) => name.startsWith("sotto.db"))).toEqual([])
  }, 30_000)
})

describe("defineKind", () => {
  it("refuses what cannot be sound, where it is written", () => {
    expect(() => defineKind({ name: "No", parameters: Number, run: () => 1 })).toThrow(/name/)
    expect(() =>
      defineKind({ name: "a", parameters: Number, run: () => 1, lease: { leaseMs: 1_000, renewMs: 900 } })
    ).toThrow(/lease/)
    const without = { name: "a", parameters: Number } as never
    expect(() => defineKind(without)).toThrow(
      expect.objectContaining({ name: "SottoError", code: "KindRejected", message: expect.stringContaining("run") })
    )
  })

  it("refuses parameters that are read with a Promise, and leaves no rejection to nobody", async () => {
    const late = defineKind({
      name: "late",
      parameters: async () => Promise.reject(new Error("too late")),
      run: () => 1
    })
    const engine = await open({ kinds: [late] })
    await expect(engine.submit("late", 1)).rejects.toMatchObject({
      code: "InvalidSubmission",
      message: expect.stringContaining("read them at once")
    })
  })

  it("tells a foreseen failure from an unforeseen one, which is tried again", async () => {
    const tries: Array<number> = []
    const flaky = defineKind({
      name: "flaky",
      parameters: String,
      retry: { firstMs: 0, maxFailures: 3 },
      run: ({ parameters, failures }) => {
        tries.push(failures)
        if (parameters === "foreseen") throw new JobError("Wrong", "It is wrong.", { category: "client", details: [1] })
        if (failures === 0) throw new Error("a passing trouble")
        return "done"
      }
    })
    const engine = await open({ kinds: [flaky] })
    const one = await engine.submit("flaky", "foreseen")
    expect((await engine.wait(one.job.id)).outcome).toMatchObject({
      failure: { code: "Wrong", category: "client", message: "It is wrong.", details: [1] }
    })
    const other = await engine.submit("flaky", "passing")
    expect((await engine.wait(other.job.id)).outcome).toEqual({ _tag: "Succeeded", result: "done" })
    expect(tries).toEqual([0, 0, 1])
  })

  it("skips, tells its progress and does once what is done once, though it starts anew", async () => {
    let done = 0
    const kind = defineKind({
      name: "steps",
      parameters: String,
      retry: { firstMs: 0 },
      run: async ({ parameters, once, skip, progress, finishing, failures }) => {
        if (parameters === "nothing") return skip("there was nothing to do")
        progress(1, 2, "half")
        const step = await once("step", () => ++done)
        if (failures === 0) throw new Error("after the step")
        await finishing()
        return step
      }
    })
    const engine = await open({ kinds: [kind] })
    const skipped = await engine.submit("steps", "nothing")
    expect((await engine.wait(skipped.job.id)).outcome).toEqual({ _tag: "Skipped", reason: "there was nothing to do" })
    const { job } = await engine.submit("steps", "something")
    expect((await engine.wait(job.id)).outcome).toEqual({ _tag: "Succeeded", result: 1 })
    expect(done).toBe(1)
    expect((await engine.get(job.id)).progress).toMatchObject({ done: 1, total: 2, phase: "half" })
  })
})
