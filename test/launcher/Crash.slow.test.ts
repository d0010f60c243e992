import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { PlainObject } from "@sotto/core/job"
import { launcherKind } from "@sotto/core/launcher"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { SqlEngine } from "@sotto/core/ports/SqlEngine"
import { Launcher, layerEngine, layerLauncher } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { afterAll, describe, expect, it } from "vitest"
import { type CrashArguments, DEATHS, type Death, hastyKind, layerHome } from "./CrashHouse.ts"
import { aggregateOf, type Signal, signals } from "./Signals.ts"

const MODULE = fileURLToPath(new URL("./CrashWorker.ts", import.meta.url))
const CONFIGURATION = JSON.parse(
  readFileSync(new URL("../fixtures/launcher/configuration.json", import.meta.url), "utf8")
) as PlainObject & Readonly<Record<"id" | "inputCollection" | "outputCollection" | "referenceTime", string>>

const root = mkdtempSync(join(tmpdir(), "sotto-launcher-crash-"))
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

const NOW = Date.parse(CONFIGURATION.referenceTime)
const EARLY = NOW - 20 * 86_400_000

const put = (all: ReadonlyArray<Signal>) =>
  BlobStore.use((blobs) =>
    blobs.write(
      { bucket: "collections", key: `${CONFIGURATION.inputCollection}/1.ndjson` },
      Buffer.from(all.map((one) => `${JSON.stringify(one)}\n`).join("")),
      { mode: "replace" }
    )
  )

/** Groups of the output collection and how many signals each counts. */
const counts = Effect.scoped(
  Effect.gen(function* () {
    const blobs = yield* BlobStore
    const session = yield* (yield* SqlEngine).open()
    const objects = yield* Stream.runCollect(blobs.list("collections", `${CONFIGURATION.outputCollection}/`))
    yield* session.stage({ name: "t", objects, format: "parquet" })
    const to = { bucket: "collections", key: "read.ndjson" }
    yield* session.write("SELECT id, aggr_count_i FROM t", to, "ndjson")
    const lines = Buffer.concat(yield* Stream.runCollect(blobs.read(to)))
      .toString()
      .trim()
      .split("\n")
    return new Map(lines.map((line) => JSON.parse(line)).map(({ id, aggr_count_i: n }): [string, number] => [id, n]))
  })
)

/** Launches a run over workers of which each but the last kills itself, and tells its status. */
const runOver = Effect.fnUntraced(function* (home: string, jobConfig: PlainObject, deaths: ReadonlyArray<Death>) {
  const launcher = yield* Launcher
  const { jobId } = yield* launcher.launch("acme", jobConfig)
  for (const death of deaths) expect(yield* Effect.promise(() => work({ home, death }).ended)).toBe("SIGKILL")
  const last = work({ home, death: null })
  const status = yield* launcher.wait("acme", jobId)
  last.child.kill("SIGTERM")
  yield* Effect.promise(() => last.ended)
  return status
})

const inHome = <A, E>(
  name: string,
  program: (home: string) => Effect.Effect<A, E, Launcher | BlobStore | SqlEngine>
) => {
  const home = join(root, name)
  mkdirSync(join(home, "collections"), { recursive: true })
  return Effect.runPromise(
    Effect.provide(
      program(home),
      layerLauncher().pipe(
        Layer.provide(layerEngine({ kinds: [hastyKind, launcherKind] })),
        Layer.provideMerge(layerHome(home))
      )
    )
  )
}

describe("a run whose workers are killed", () => {
  it.each(DEATHS)("while %s ends right after a restart, and counts every signal once", (death) =>
    inHome(death, (home) =>
      Effect.gen(function* () {
        const all = signals(21, 800, NOW).filter(({ type }) => type !== "response")
        yield* put(all.filter(({ timestamp_tdt }) => timestamp_tdt <= EARLY))
        // Who finds the result written does not write again, and does not die of it.
        const deaths = death === "written" ? [death] : [death, death]
        const early = { ...CONFIGURATION, referenceTime: new Date(EARLY).toISOString() }
        const first = yield* runOver(home, early, deaths)
        yield* put(all)
        // The watermark was raised by a worker that did not write itself.
        const second = yield* runOver(home, CONFIGURATION, [death])
        expect([first.state, second.state]).toEqual(["finished", "finished"])
        const model = aggregateOf(all, { from: 0, until: NOW })
        expect(yield* counts).toEqual(new Map([...model].map(([id, { count }]) => [id, count])))
        expect(yield* Launcher.use(({ watermarks }) => watermarks.get("acme", CONFIGURATION.id))).toBe(NOW)
        // Nothing that the dead had staged is left.
        expect(readdirSync(join(home, "sessions"))).toEqual([])
      })
    )
  )
})
