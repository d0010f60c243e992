import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { filteringIds } from "@sotto/core/aggregation"
import { questionSeed } from "@sotto/core/noise"
import { DEFAULT_EPSILON } from "@sotto/core/budget"
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { BlobDenied, BlobStore, BlobUnavailable } from "@sotto/core/ports/BlobStore"
import { KeyRing } from "@sotto/core/ports/KeyRing"
import { readHeader } from "@sotto/avro"
import { layerFsBlobStore } from "@sotto/fs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  BUCKET,
  cbor,
  cleartext,
  container,
  debugFacts,
  domainFile,
  facts,
  FRESH,
  get,
  KEYS,
  list,
  MEMORY,
  NONE,
  OUTPUT,
  put,
  release,
  report,
  RULES,
  run,
  sealed,
  SEED,
  sharedInfo,
  sum
} from "./Harness.ts"
import { keysOf, readAll, releaseAll, view } from "./Local.ts"

let folder = ""
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "sotto-test-"))))
afterAll(() => rmSync(folder, { recursive: true }))

const CLEAR = { input: "cleartext" } as const
const rows = Array.from({ length: 60 }, (_, n) => report(n % 50, [[BigInt(n % 7), n]]))
const FILES = {
  "in/a.avro": container(rows.slice(0, 31), { perBlock: 4 }),
  "in/b.avro": container(rows.slice(31), { codec: "deflate" })
}
const DOMAIN = Array.from({ length: 40 }, (_, n) => BigInt(n))

/** The same without threads. */
const expected = async () => {
  const { merger } = await readAll(Object.entries(FILES))
  const [file] = await releaseAll(merger, keysOf(DOMAIN), {
    metadata: [
      ["sotto.epsilon", "10"],
      ["sotto.l1", "65536"],
      ["sotto.mechanism", "dlap-digits/1"],
      ["sotto.ledger", "none"]
    ]
  })
  const { histogram, ...rest } = view(merger)
  return {
    sums: { ...rest, sum: { ...rest.sum, words: Uint32Array.from(rest.sum.words) }, buckets: histogram.size },
    bytes: file!.bytes
  }
}

/** Workers of this process that have not ended. */
const workers = () =>
  process.getActiveResourcesInfo().filter((resource) => resource === "MessagePort" || resource === "Worker").length

describe("an aggregation on threads", () => {
  it("gives what the same modules give without threads, on three lanes", async () => {
    const progress: Array<string> = []
    const before = workers()
    const result = await run(
      Effect.gen(function* () {
        yield* put({ ...FILES, "domain/d.avro": domainFile(DOMAIN), "in/empty": new Uint8Array(0) })
        const sums = yield* sum({
          onProgress: ({ stage, rows, bytes, totalBytes }) => progress.push(`${stage} ${rows} ${bytes === totalBytes}`)
        })
        const files = yield* release(sums)
        return { sums, files, bytes: yield* get("out/summary-1-of-1.avro") }
      }),
      { lanes: 3, batchBytes: 3000 }
    )
    const { sums, bytes } = await expected()
    expect(result.sums).toEqual(sums)
    expect(result.sums.duplicates).toBe(10)
    expect(result.bytes.equals(bytes)).toBe(true)
    expect(result.files).toEqual({ summary: [{ bucket: BUCKET, key: "out/summary-1-of-1.avro", rows: 40 }], debug: [] })
    expect(progress.at(-1)).toBe("reports 60 true")
    expect(workers()).toBe(before)
  })

  it("reads files by their paths, spills a large domain and repeats its bytes", async () => {
    const blobs = layerFsBlobStore({ buckets: { [BUCKET]: join(folder, "store") } })
    const temporaryFolder = mkdtempSync(join(folder, "tmp-"))
    const spilled: Array<ReadonlyArray<string>> = []
    const result = await run(
      Effect.gen(function* () {
        yield* put({ ...FILES, "domain/d.avro": domainFile(DOMAIN, 3) })
        const sums = yield* sum()
        yield* release(sums)
        const first = yield* get("out/summary-1-of-1.avro")
        yield* release(sums)
        spilled.push(readdirSync(temporaryFolder))
        return [first, yield* get("out/summary-1-of-1.avro")] as const
      }),
      { partitionKeys: 5, temporaryFolder },
      blobs
    )
    const { bytes } = await expected()
    expect(result.map((file) => file.equals(bytes))).toEqual([true, true])
    expect(spilled[0]!.length).toBe(2)
    expect(readdirSync(temporaryFolder)).toEqual([])
  })

  it("asks for each key once, whichever lanes meet it, and takes a defect for an error of the report", async () => {
    const asked: Array<string> = []
    const keys = Layer.effect(
      KeyRing,
      Effect.map(KeyRing, (ring) =>
        KeyRing.of({
          privateKey: (id) =>
            Effect.suspend(() => (asked.push(id), id === "defect" ? Effect.die("?") : ring.privateKey(id)))
        })
      )
    ).pipe(Layer.provide(KEYS))
    const odd = ["defect", "unknown", "unusable"].map((id, i) => sealed(90 + i, cbor([]), sharedInfo(90 + i), id))
    const sums = await run(
      Effect.gen(function* () {
        yield* put({ "in/a": container([...rows, ...odd, ...odd], { perBlock: 2 }) })
        return yield* sum()
      }),
      { lanes: 2, batchBytes: 2000 },
      MEMORY,
      keys
    )
    expect(asked.sort()).toEqual(["defect", "key-1", "unknown", "unusable"])
    // In the order of ERROR_CATEGORIES: not found, fetch error, internal error.
    expect([4, 5, 7].map((i) => sums.errors.byCategory[i])).toEqual([2, 2, 2])
    expect(sums.errors.withErrors).toBe(6)
  })
})

describe("what cannot be summed", () => {
  const fails = (objects: Readonly<Record<string, Uint8Array>>, rules: Parameters<typeof sum>[0] = {}) =>
    run(
      Effect.gen(function* () {
        yield* put(objects)
        const error = yield* Effect.flip(sum(rules))
        expect(yield* list("out")).toEqual([])
        return error
      })
    )

  it("names object and byte of what is cut, and charges no earlier object for it", async () => {
    const bytes = container(rows.slice(0, 4), { perBlock: 2 })
    const error = await fails({ "in/a": container([]), "in/b": bytes.slice(0, -20) })
    expect(error).toMatchObject({ _tag: "InputUnreadable", bucket: BUCKET, key: "in/b" })
    expect((error as { offset: number }).offset).toBe(container(rows.slice(0, 2)).length)
    expect(error.message).toMatch(/^data\/in\/b: byte \d+: the file ends/)
  })

  it("is a denied or unavailable key, a new version, or too many errors", async () => {
    const keyed = (id: string) => ({ "in/a": container([...rows, sealed(99, cbor([]), sharedInfo(99), id)]) })
    expect(await fails(keyed("denied"))).toMatchObject({ _tag: "KeyDenied", keyId: "denied" })
    expect(await fails(keyed("unavailable"))).toMatchObject({ _tag: "KeyUnavailable", keyId: "unavailable" })
    const newer = cleartext(1, [], sharedInfo(1, { version: "5.0" }))
    expect(await fails({ "in/a": container([newer]) }, CLEAR)).toMatchObject({
      _tag: "ReportVersionUnsupported",
      version: "5.0"
    })
    const bad = Array.from({ length: 9 }, (_, n) => cleartext(n, [], "{}"))
    expect(await fails({ "in/a": container(bad) }, { ...CLEAR, errorLimit: 3n })).toMatchObject({
      _tag: "TooManyErrors",
      errors: { total: 4, withErrors: 4 }
    })
  })

  it.each(["memory", "files"])("is an object that is no longer the one listed, in a store of %s", async (kind) => {
    const blobs = kind === "memory" ? MEMORY : layerFsBlobStore({ buckets: { [BUCKET]: join(folder, "changed") } })
    const error = await run(
      Effect.gen(function* () {
        yield* put(FILES)
        const inputs = yield* list("in/")
        yield* put({ "in/b.avro": FILES["in/b.avro"] })
        const aggregator = yield* Aggregator
        return yield* Effect.flip(aggregator.sum(inputs, RULES, 0))
      }),
      {},
      blobs
    )
    expect(error).toMatchObject({ _tag: "InputUnreadable", key: "in/b.avro" })
    expect(error.message).toContain("changed")
  })

  it.each([
    ["may be there another time when the store does not answer", BlobUnavailable, true],
    ["stays away when the store denies it", BlobDenied, undefined]
  ] as const)("%s", async (_, Refusal, mayPass) => {
    const blobs = Layer.effect(
      BlobStore,
      Effect.map(BlobStore, (store) =>
        BlobStore.of({
          ...store,
          read: ({ bucket, key }) => Stream.fail(new Refusal({ bucket, key, message: "away" }))
        })
      )
    ).pipe(Layer.provide(MEMORY))
    const errors = await run(
      Effect.gen(function* () {
        yield* put({ ...FILES, "domain/d": domainFile(DOMAIN) })
        const aggregator = yield* Aggregator
        const objects = yield* list("domain/")
        return [
          yield* Effect.flip(sum()),
          yield* Effect.flip(aggregator.prepare({ format: "avro", objects, location: "" }, OUTPUT))
        ]
      }),
      {},
      blobs
    )
    expect(errors.map((error) => [error._tag, "mayPass" in error ? error.mayPass : undefined])).toEqual([
      ["InputUnreadable", mayPass],
      ["DomainUnreadable", mayPass]
    ])
  })

  it("is anything once a lane has ended, which is said and leaves no thread", async () => {
    const before = workers()
    const error = await run(
      Effect.gen(function* () {
        yield* put(FILES)
        return yield* Effect.flip(sum())
      }),
      { lanes: 2, batchBytes: 100, laneModule: new URL("data:text/javascript,process.exit(3)") }
    )
    expect(error).toMatchObject({
      _tag: "AggregatorCrashed",
      message: expect.stringContaining("a lane ended with code 3")
    })
    expect(workers()).toBe(before)
  })

  it("stops within a second when it is interrupted, even from an endless computation", async () => {
    const before = workers()
    const took = await run(
      Effect.gen(function* () {
        yield* put(FILES)
        const fiber = yield* Effect.forkChild(sum())
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 300)))
        const start = performance.now()
        yield* Fiber.interrupt(fiber)
        expect(workers()).toBe(before)
        return performance.now() - start
      }),
      { lanes: 2, batchBytes: 100, laneModule: new URL("data:text/javascript,for(;;);") }
    )
    expect(took).toBeLessThan(1000)
  })
})

describe("what is prepared and released", () => {
  it("needs a domain that is there, has keys, and is sound", async () => {
    const tags = await run(
      Effect.gen(function* () {
        yield* put({
          "d/empty": domainFile([]),
          "d/long": Buffer.from("x".repeat(17)),
          "d/bad": Buffer.from("nothing")
        })
        const aggregator = yield* Aggregator
        const prepare = (prefix: string, format: "avro" | "text") =>
          Effect.flatMap(list(prefix), (objects) =>
            Effect.flip(aggregator.prepare({ format, objects, location: prefix }, OUTPUT))
          )
        return [
          yield* prepare("d/none", "avro"),
          yield* prepare("d/empty", "avro"),
          yield* prepare("d/long", "text"),
          yield* prepare("d/bad", "avro")
        ]
      })
    )
    expect(tags.map((error) => `${"reason" in error ? error.reason : ""}: ${error.message}`)).toEqual([
      "missing: No output domain shards found for location: d/none",
      "empty: No output domain provided in the location: d/empty",
      "keyTooLong: data/d/long: line 1 has more than 16 bytes",
      expect.stringMatching(/^unreadable: data\/d\/bad: byte 0: /)
    ])
  })

  it("knows a place that is refused from one that is full", async () => {
    const nowhere = { ...OUTPUT, bucket: "nowhere" }
    const refused = await run(Aggregator.use((aggregator) => Effect.flip(aggregator.prepare(undefined, nowhere))))
    expect(refused).toMatchObject({ _tag: "OutputUnwritable", mayPass: false })
  })

  it("needs a place that can be written to, before and after", async () => {
    let broken = false
    const blobs = Layer.effect(
      BlobStore,
      Effect.map(BlobStore, (store) => {
        const fail = (ref: { bucket: string; key: string }) =>
          Effect.fail(new BlobUnavailable({ ...ref, message: "disk full" }))
        return BlobStore.of({
          ...store,
          probe: (ref) => (broken ? fail(ref) : store.probe(ref)),
          write: ((ref: never, source: never, options: never) =>
            broken ? fail(ref) : store.write(ref, source, options)) as typeof store.write
        })
      })
    ).pipe(Layer.provide(MEMORY))
    const errors = await run(
      Effect.gen(function* () {
        yield* put({ ...FILES, "domain/d": domainFile(DOMAIN) })
        const sums = yield* sum()
        const aggregator = yield* Aggregator
        const objects = yield* list("domain/")
        const prepared = yield* aggregator.prepare({ format: "avro", objects, location: "" }, OUTPUT)
        broken = true
        const probed = yield* Effect.flip(aggregator.prepare(undefined, OUTPUT))
        const failed = yield* Effect.flip(aggregator.release(sums, prepared, FRESH))
        broken = false
        // What was paid for can still be had.
        yield* aggregator.release(sums, prepared, FRESH)
        expect((yield* get("out/summary-1-of-1.avro")).equals((yield* Effect.promise(expected)).bytes)).toBe(true)
        return [probed, failed]
      }),
      {},
      blobs
    )
    for (const error of errors) {
      expect(error).toMatchObject({ _tag: "OutputUnwritable", key: "out/summary-1-of-1.avro", message: "disk full" })
      expect(error).not.toHaveProperty("mayPass")
    }
  })

  it("replaces the shards of an earlier release, and nothing else", async () => {
    const result = await run(
      Effect.gen(function* () {
        yield* put({ ...FILES, "domain/d": domainFile([1n, 2n, 30n]) })
        const old = ["out/summary-1-of-3.avro", "out/summary-2-of-2.avro", "out/debug/summary-3-of-9.avro"]
        const others = ["out/summary-1-of-3", "out/summary-x-1-of-3.avro", "out/summary-01-of-3.avro"]
        yield* put(Object.fromEntries([...old, ...others].map((key) => [key, Uint8Array.of(1)])))
        const sums = yield* sum()
        const files = yield* release(sums, { shardRows: 2, debug: true }, { ...FRESH, debugRun: true } as typeof FRESH)
        const keys = (yield* list("out/")).map(({ key }) => key)
        const debug = yield* Effect.forEach(files.debug, ({ key }) => Effect.map(get(key), debugFacts))
        const summary = yield* Effect.forEach(files.summary, ({ key }) => Effect.map(get(key), facts))
        const headers = [yield* get("out/summary-1-of-2.avro"), yield* get("out/debug/summary-1-of-5.avro")]
        return { keys, debug: debug.flat(), summary: summary.flat(), headers, others }
      })
    )
    const shards = [
      "out/summary-1-of-2.avro",
      "out/summary-2-of-2.avro",
      ...[1, 2, 3, 4, 5].map((i) => `out/debug/summary-${i}-of-5.avro`)
    ]
    expect(result.keys.toSorted()).toEqual([...shards, ...result.others].toSorted())
    expect(result.summary.map(({ bucket }) => bucket)).toEqual([1n, 2n, 30n])
    expect(result.debug.map(({ bucket }) => bucket)).toEqual([1n, 2n, 30n, 0n, 3n, 4n, 5n, 6n])
    const marks = result.headers.map((bytes) => {
      const header = readHeader("x", bytes)
      if ("_tag" in header) throw new Error(header._tag)
      return [...header.metadata]
        .filter(([name]) => name.startsWith("sotto."))
        .map(([name, value]) => `${name}=${Buffer.from(value)}`)
    })
    const all = [
      "sotto.epsilon=10",
      "sotto.l1=65536",
      "sotto.mechanism=dlap-digits/1",
      "sotto.ledger=none",
      "sotto.private=false"
    ]
    expect(marks).toEqual([all, all])
  })

  it("marks what was paid for with nothing, and what has no noise with its lack", async () => {
    const question = { _tag: "Question", seed: questionSeed(SEED), epsilon: DEFAULT_EPSILON, l1: 65536 } as const
    const [paid, fresh, none, json, exit] = await run(
      Effect.gen(function* () {
        yield* put({ "in/a": container([cleartext(1, [[3n, 4]])]), "domain/d": domainFile([3n]) })
        const sums = yield* sum({ ...CLEAR, filteringIds: filteringIds([0n]) })
        const single = {
          _tag: "Single",
          key: "s/output.avro",
          debugKey: "s/debug_output.avro",
          format: "avro"
        } as const
        const bytes = (noising: Parameters<typeof release>[2]) =>
          Effect.flatMap(release(sums, { names: single }, noising), () => get(single.key))
        const paid = yield* bytes(question)
        const fresh = yield* bytes(FRESH)
        const none = yield* bytes(NONE)
        const names = { ...single, key: "s/output.json", format: "json" } as const
        yield* release(sums, { names }, NONE)
        const exit = yield* Effect.exit(release(sums, { names: single, debug: true }, question))
        return [paid, fresh, none, yield* get("s/output.json"), exit] as const
      })
    )
    const marks = (bytes: Buffer) => {
      const header = readHeader("x", bytes)
      return "_tag" in header ? [] : [...header.metadata.keys()].filter((name) => name.startsWith("sotto."))
    }
    expect(marks(paid)).toEqual(["sotto.epsilon", "sotto.l1", "sotto.mechanism"])
    expect(marks(fresh)).toEqual(["sotto.epsilon", "sotto.l1", "sotto.mechanism", "sotto.ledger"])
    expect(marks(none)).toEqual(["sotto.mechanism", "sotto.ledger", "sotto.private"])
    expect(facts(paid)).toEqual(facts(fresh))
    expect(facts(none)).toEqual([{ bucket: 3n, metric: 4n }])
    expect(json.toString()).toContain('"metric" : 4')
    expect(exit._tag).toBe("Failure")
  })
})

describe("the threads", () => {
  it.each(["Lane", "Coordinator"])("of %s never load effect", async (name) => {
    const module = new URL(`../src/${name}.ts`, import.meta.url)
    const code = `
      const { registerHooks } = require("node:module")
      const { parentPort } = require("node:worker_threads")
      const urls = []
      registerHooks({ resolve: (specifier, context, next) => { const found = next(specifier, context); urls.push(found.url); return found } })
      import(${JSON.stringify(module.href)}).then(() => parentPort.postMessage(urls))`
    const worker = new Worker(code, { eval: true, workerData: { laneModule: module.href } })
    const urls = await new Promise<ReadonlyArray<string>>((resolve, reject) => {
      worker.on("message", resolve)
      worker.on("error", reject)
    })
    await worker.terminate()
    expect(urls.some((url) => url.includes("/core/src/aggregation/"))).toBe(true)
    expect(urls.filter((url) => /\/node_modules\/effect\//.test(url))).toEqual([])
  })
})
