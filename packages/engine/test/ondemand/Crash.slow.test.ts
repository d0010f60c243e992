import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type BlobRef, BlobStore } from "@sotto/core/ports/BlobStore"
import { filesOf, jobObject } from "@sotto/core/tabular"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { afterAll, describe, expect, it } from "vitest"
import { layerEngine, layerOnDemand, OnDemand } from "../../src/index.ts"
import { BATCH, type CrashArguments, hastyKind, layerHome, PLACE, ROWS, slowModel } from "./CrashedShop.ts"
import { data, utf8 } from "./Shop.ts"

const MODULE = fileURLToPath(new URL("./CrashWorker.ts", import.meta.url))

const root = mkdtempSync(join(tmpdir(), "sotto-on-demand-crash-"))
const running = new Set<ChildProcess>()
afterAll(() => {
  for (const child of running) child.kill("SIGKILL")
  rmSync(root, { recursive: true, force: true })
})

const work = (given: CrashArguments) => {
  const child = spawn(process.execPath, ["--conditions=@sotto/source", MODULE, JSON.stringify(given)], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_NO_WARNINGS: "1" }
  })
  running.add(child)
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once("close", (_, signal) => {
      running.delete(child)
      resolve(signal)
    })
  )
  return { child, ended }
}

const CONTENT = `x\n${Array.from({ length: ROWS }, (_, i) => (i % 10 === 5 ? "five\n" : `${i}\n`)).join("")}`

/** One job over workers of which each but the last kills itself in a batch. */
const runOver = (name: string, deaths: ReadonlyArray<number>) => {
  const home = join(root, name)
  mkdirSync(join(home, "data"), { recursive: true })
  const program = Effect.gen(function* () {
    const shop = yield* OnDemand
    const upload = yield* shop.upload("acme", Stream.succeed(utf8(CONTENT)))
    const request = { tenant: "acme", model: "slow", data: data(), upload, fileName: "x.csv", partType: null, key: "k" }
    const { job } = yield* shop.submit(request)
    const signals: Array<NodeJS.Signals | null> = []
    for (const dieInBatch of deaths) signals.push(yield* Effect.promise(() => work({ home, dieInBatch }).ended))
    const last = work({ home, dieInBatch: null })
    const done = yield* shop.wait({ tenant: "acme", id: job.id }, 60_000)
    last.child.kill("SIGTERM")
    yield* Effect.promise(() => last.ended)
    const blobs = yield* BlobStore
    const text = (ref: BlobRef) =>
      Effect.map(Stream.runCollect(blobs.read(ref)), (all) => Buffer.concat(all).toString())
    return {
      job: jobObject(done),
      epoch: done.epoch,
      signals,
      usage: yield* shop.usage({ tenant: "acme" }),
      texts: yield* Effect.forEach(filesOf(done), text),
      files: readdirSync(join(home, "data"), { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
        .length
    }
  })
  const shop = layerOnDemand({ models: [slowModel(() => {})], place: PLACE }).pipe(
    Layer.provide(layerEngine({ kinds: [hastyKind] })),
    Layer.provideMerge(layerHome(home))
  )
  return Effect.runPromise(Effect.provide(program, shop))
}

describe("a job whose workers are killed", () => {
  it("ends with the bytes of an undisturbed one, in one place, billed once", async () => {
    const alone = await runOver("alone", [])
    const disturbed = await runOver("disturbed", [1, 17, ROWS / BATCH - 8])
    expect(disturbed.signals).toEqual(["SIGKILL", "SIGKILL", "SIGKILL"])
    expect([alone.epoch, disturbed.epoch]).toEqual([1, 4])
    expect(disturbed.job).toMatchObject({ status: "success", recordCount: ROWS, billedUsage: Math.ceil(ROWS / 7) * 3 })
    expect(alone.texts[0]?.split("\n").length).toBeGreaterThan(200)
    expect(disturbed.texts).toEqual(alone.texts)
    expect(disturbed.usage).toEqual(alone.usage)
    // The input, the result and the errors; nothing half written.
    expect([alone.files, disturbed.files]).toEqual([3, 3])
  })
})
