import type { PlainObject } from "@sotto/core/job"
import { launcherKind, parseReport, sqlRunKind } from "@sotto/core/launcher"
import { BlobStore, BlobUnavailable } from "@sotto/core/ports/BlobStore"
import { Records } from "@sotto/core/ports/Records"
import { SqlFailed } from "@sotto/core/ports/SqlEngine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { Engine, Launcher, layerLauncher, type LauncherOptions, sqlRunHandler } from "../../src/index.ts"
import { pass, play, type Ports, start, TENANT } from "../Rig.ts"
import { type Script, script, scripted } from "./Script.ts"

const CLICKS: PlainObject = {
  type: "aggregation",
  id: "clicks",
  inputCollection: "signals",
  outputCollection: "clicks",
  sql: "SELECT id FROM signals",
  rollupSql: "SELECT id FROM clicks",
  skipCheckEnabled: true
}

const START = Date.UTC(2026, 0, 1)

const put = (ports: Context.Context<Ports>, key: string) =>
  Context.get(ports, BlobStore).write({ bucket: "data", key }, Buffer.from("{}"), { mode: "replace" })

/** A process that launches and, with a script, drives. */
const launching = Effect.fnUntraced(function* (
  ports: Context.Context<Ports>,
  told: Script | undefined,
  options: LauncherOptions & { readonly concurrency?: number } = {}
) {
  const { concurrency = 4, ...more } = options
  const handler = sqlRunHandler({ placeOf: (tenant) => ({ bucket: "data", prefix: `${tenant}/` }), hostname: "host-1" })
  const process = yield* start(ports, {
    kinds: [launcherKind, sqlRunKind],
    concurrency,
    handlers: told === undefined ? [] : [handler],
    ...(told === undefined ? {} : { services: scripted(told, Context.get(ports, BlobStore)) as never })
  })
  const launcher = Context.get(
    yield* Layer.build(
      Layer.fresh(layerLauncher(more)).pipe(
        Layer.provide(Layer.succeed(Engine, process.engine)),
        Layer.provide(Layer.succeedContext(ports))
      )
    ),
    Launcher
  )
  return { ...process, launcher }
})

const reported = (body: PlainObject) => {
  const read = parseReport(body)
  if ("_tag" in read) throw new Error(read.messages.join())
  return read
}

const SIGNALS = `${TENANT}/signals/1.ndjson`

/** All states that a run was in, in order. */
const statesOf = (engine: Engine["Service"], id: string) =>
  Effect.map(engine.events(TENANT, id, 0, 1000), (events) => [...new Set(events.map(({ state }) => state))])

describe("Launcher", () => {
  it("answers a launch with a status that is starting, and drives the run to its end", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const told = script({ run: Effect.sleep("30 seconds"), write: Effect.sleep("10 seconds") })
        const { launcher, engine } = yield* launching(ports, told)
        const launched = yield* launcher.launch(TENANT, CLICKS)
        expect(launched).toEqual({
          state: "starting",
          jobId: expect.stringMatching(/^[a-z]{12}$/),
          jobConfig: CLICKS,
          hostname: "launcher",
          result: { jobConfigId: "clicks", jobRunId: launched.jobId }
        })
        yield* pass(45)
        expect(yield* launcher.status(TENANT, launched.jobId)).toEqual({
          ...launched,
          state: "finished",
          hostname: "host-1",
          result: {
            jobConfigId: "clicks",
            jobRunId: launched.jobId,
            aggrClass: "SQL",
            query: CLICKS["sql"],
            state: "finished",
            aggregated: 5,
            applicationId: `sotto-${launched.jobId}`,
            podId: "host-1",
            aggr_type_s: "click@"
          },
          startTime: expect.any(String),
          endTime: expect.any(String),
          duration: expect.any(Number)
        })
        expect(yield* statesOf(engine, launched.jobId)).toEqual(["Starting", "Running", "Finishing", "Succeeded"])
        expect(told).toMatchObject({ open: 0, written: 1, staged: [SIGNALS] })
      })
    ))

  it("keeps what a run wrote under its tenant, and its watermark", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const { launcher } = yield* launching(ports, script())
        const { jobId } = yield* launcher.launch(TENANT, CLICKS, { at: START - 1_000 })
        yield* pass(5)
        expect(yield* launcher.status(TENANT, jobId)).toMatchObject({ state: "finished" })
        expect(yield* launcher.watermarks.get(TENANT, "clicks")).toBe(START - 1_000)
        expect(yield* launcher.watermarks.get("other", "clicks")).toBeUndefined()
        // A run of an earlier time does not set it back.
        yield* launcher.launch(TENANT, CLICKS, { at: START - 5_000 })
        yield* pass(5)
        expect(yield* launcher.watermarks.get(TENANT, "clicks")).toBe(START - 1_000)
        yield* launcher.watermarks.set(TENANT, "clicks", 7)
        expect(yield* launcher.watermarks.get(TENANT, "clicks")).toBe(7)
        yield* launcher.watermarks.set(TENANT, "clicks", undefined)
        expect(yield* launcher.watermarks.get(TENANT, "clicks")).toBeUndefined()
      })
    ))

  it("skips a run that has nothing to do, and leaves the watermark", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { launcher } = yield* launching(ports, script())
        const { jobId } = yield* launcher.launch(TENANT, CLICKS)
        yield* pass(5)
        expect(yield* launcher.status(TENANT, jobId)).toMatchObject({
          state: "skipped",
          result: { state: "skipped", aggregated: 0, reason: "The collection signals has no objects." }
        })
        expect(yield* launcher.watermarks.get(TENANT, "clicks")).toBeUndefined()
      })
    ))

  it.each([
    ["rejected", "client"],
    ["failed", "client"],
    ["memory", "server"],
    ["crashed", "server"]
  ] as const)("ends in an error when SQL is %s", (because, category) =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const told = script({ run: new SqlFailed({ because, message: "No such field." }) })
        const { launcher, engine } = yield* launching(ports, told)
        const { jobId } = yield* launcher.launch(TENANT, CLICKS)
        yield* pass(5)
        const { state, result } = yield* launcher.status(TENANT, jobId)
        expect(state).toBe("error")
        expect(result).toMatchObject({ state: "error", exception: { message: "No such field." } })
        expect((yield* engine.get(TENANT, jobId)).job.outcome).toMatchObject({ failure: { category } })
        const { rows } = yield* engine.list(TENANT, { kinds: ["sql-run"] }, null, 10)
        expect(rows.map(({ state, failures }) => ({ state, failures }))).toEqual([{ state: "Failed", failures: 0 }])
      })
    )
  )

  it("tries again while a store cannot be reached, and says so in the end", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        let tries = 0
        const told = script({
          write: Effect.suspend(() => {
            tries++
            return Effect.delay(
              Effect.fail(new BlobUnavailable({ bucket: "data", key: "k", message: "The disk is full." })),
              "1 second"
            )
          })
        })
        const { launcher } = yield* launching(ports, told)
        const { jobId } = yield* launcher.launch(TENANT, CLICKS)
        yield* pass(5)
        expect(tries).toBeGreaterThan(1)
        expect((yield* launcher.status(TENANT, jobId)).state).toBe("finishing")
        yield* TestClock.adjust("30 minutes")
        yield* pass(5)
        expect(tries).toBe(sqlRunKind.retry.maxFailures)
        expect(yield* launcher.status(TENANT, jobId)).toMatchObject({
          state: "error",
          result: { exception: { message: "The disk is full." } }
        })
      })
    ))

  it("drives a run again whose worker was killed, which recognises what was written", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const dying = script({ write: Effect.sleep("10 seconds") })
        const first = yield* launching(ports, dying)
        const { jobId } = yield* first.launcher.launch(TENANT, CLICKS)
        yield* pass(5)
        expect((yield* first.launcher.status(TENANT, jobId)).state).toBe("finishing")
        yield* first.kill
        // The object is there, and nobody was told.
        yield* pass(6)
        expect(dying.written).toBe(1)
        const taking = script()
        const second = yield* launching(ports, taking)
        yield* pass(20)
        expect(yield* second.launcher.status(TENANT, jobId)).toMatchObject({
          state: "finished",
          result: { aggregated: 5 }
        })
        expect(taking.written).toBe(0)
        expect(yield* second.launcher.watermarks.get(TENANT, "clicks")).toBe(START)
      })
    ))

  it("finishes a run that was seen writing and then has nothing to do", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const first = yield* launching(ports, script({ write: Effect.never }))
        const { jobId } = yield* first.launcher.launch(TENANT, CLICKS)
        yield* pass(5)
        yield* first.kill
        const second = yield* launching(ports, script({ fresh: 0n }))
        yield* pass(20)
        expect(yield* second.launcher.status(TENANT, jobId)).toMatchObject({
          state: "finished",
          result: { state: "skipped", aggregated: 0 }
        })
      })
    ))

  it("makes the record itself when the launch died before it did", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const { launcher, engine } = yield* launching(ports, script())
        const parameters = { jobId: "abcdefghijkl", jobConfig: CLICKS, launchedAt: START }
        yield* engine.submit({ kind: "sql-run", tenant: TENANT, key: "abcdefghijkl", parameters })
        yield* pass(5)
        expect(yield* launcher.status(TENANT, "abcdefghijkl")).toMatchObject({ state: "finished", jobConfig: CLICKS })
        // The launch is repeated, and finds both.
        expect(yield* launcher.launch(TENANT, CLICKS, { id: "abcdefghijkl", at: START })).toMatchObject({
          state: "finished"
        })
        expect((yield* engine.list(TENANT, { kinds: ["sql-run"] }, null, 10)).rows).toHaveLength(1)
      })
    ))

  it("lets one worker drive a run, and runs of one configuration follow one another", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const scripts = [script({ run: Effect.sleep("20 seconds") }), script({ run: Effect.sleep("20 seconds") })]
        const [one] = yield* Effect.forEach(scripts, (told) => launching(ports, told))
        const { launcher } = one as NonNullable<typeof one>
        const ids = yield* Effect.forEach([1, 2, 3], (n) => launcher.launch(TENANT, CLICKS, { at: START + n }))
        yield* launcher.launch(TENANT, { ...CLICKS, id: "views", outputCollection: "views" })
        for (let n = 0; n < 75; n++) {
          yield* pass(1)
          // One of clicks and one of views.
          const open = scripts.reduce((sum, told) => sum + told.open, 0)
          expect(open).toBeLessThanOrEqual(n < 25 ? 2 : 1)
        }
        expect(scripts.reduce((sum, { written }) => sum + written, 0)).toBe(4)
        const states = yield* Effect.forEach(ids, ({ jobId }) => launcher.status(TENANT, jobId))
        expect(states.map(({ state }) => state)).toEqual(["finished", "finished", "finished"])
      })
    ))

  it("lets runs that write to one collection follow one another, whatever their configuration", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const told = script({ run: Effect.sleep("20 seconds") })
        const { launcher } = yield* launching(ports, told)
        yield* launcher.launch(TENANT, CLICKS)
        yield* launcher.launch(TENANT, { ...CLICKS, id: "hats" })
        for (let n = 0; n < 50; n++) {
          yield* pass(1)
          expect(told.open).toBeLessThanOrEqual(1)
        }
        expect(told.written).toBe(2)
      })
    ))

  it("lets runs that write nothing follow one another by their configuration", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const told = script({ run: Effect.sleep("20 seconds") })
        const { launcher } = yield* launching(ports, told)
        const counting = { ...CLICKS, outputCollection: "-", rollupSql: "" }
        yield* launcher.launch(TENANT, counting)
        yield* launcher.launch(TENANT, counting)
        yield* pass(10)
        expect(told.open).toBe(1)
        yield* launcher.launch(TENANT, { ...counting, id: "hats" })
        yield* pass(5)
        expect(told.open).toBe(2)
        yield* pass(50)
        expect(told).toMatchObject({ open: 0, written: 0 })
      })
    ))

  it("says that it is there while it works for long, also for those that wait", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const { launcher } = yield* launching(ports, script({ run: Effect.sleep("2 hours") }), { lookMs: 600_000 })
        const working = yield* launcher.launch(TENANT, CLICKS)
        const waiting = yield* launcher.launch(TENANT, CLICKS, { at: START + 1 })
        for (let n = 0; n < 100; n++) {
          for (let i = 0; i < 15; i++) yield* TestClock.adjust("4 seconds")
          expect((yield* launcher.status(TENANT, working.jobId)).state).toBe("running")
          expect((yield* launcher.status(TENANT, waiting.jobId)).state).toBe("starting")
        }
      })
    ))

  it("stops within a second when its run is to be cancelled, and confirms it", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const told = script({ run: Effect.sleep("2 hours") })
        // Another process than the one that drives hears of the wish.
        const here = yield* launching(ports, undefined)
        yield* launching(ports, told)
        const { jobId } = yield* here.launcher.launch(TENANT, CLICKS)
        yield* pass(5)
        expect(told.open).toBe(1)
        expect(yield* here.launcher.cancel(TENANT, jobId, "me")).toMatchObject({ state: "cancelling" })
        yield* pass(1.5)
        expect(yield* here.launcher.status(TENANT, jobId)).toMatchObject({
          state: "cancelled",
          endTime: expect.any(String)
        })
        expect(told).toMatchObject({ open: 0, written: 0 })
        // Once more is no harm, and an ended run stays as it is.
        expect(yield* here.launcher.cancel(TENANT, jobId, "me")).toMatchObject({ state: "cancelled" })
        const refused = yield* Effect.flip(here.launcher.report(TENANT, reported({ jobId, state: "running" })))
        expect(refused).toMatchObject({ _tag: "CommandRefused", state: "Cancelled" })
      })
    ))

  it("remembers the wish to cancel a run that was lost since", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const here = yield* launching(ports, undefined)
        const lost = yield* launching(ports, script({ run: Effect.never }))
        const { jobId } = yield* here.launcher.launch(TENANT, CLICKS)
        yield* pass(5)
        yield* lost.kill
        expect((yield* here.launcher.cancel(TENANT, jobId, "me")).state).toBe("cancelling")
        for (let n = 0; n < 11; n++) yield* TestClock.adjust("1 minute")
        expect((yield* here.launcher.status(TENANT, jobId)).state).toBe("unknown")
        const told = script()
        yield* launching(ports, told)
        yield* pass(20)
        expect((yield* here.launcher.status(TENANT, jobId)).state).toBe("cancelled")
        expect(told.written).toBe(0)
      })
    ))

  it("cancels a run that nobody drives yet at once", () =>
    play((ports) =>
      Effect.gen(function* () {
        yield* put(ports, SIGNALS)
        const { launcher, engine } = yield* launching(ports, undefined)
        const { jobId } = yield* launcher.launch(TENANT, CLICKS)
        expect(yield* launcher.cancel(TENANT, jobId, "me")).toMatchObject({ state: "cancelled" })
        const told = script()
        yield* launching(ports, told)
        yield* pass(5)
        expect(told).toMatchObject({ open: 0, written: 0 })
        expect((yield* engine.list(TENANT, { kinds: ["sql-run"] }, null, 10)).rows[0]?.state).toBe("Cancelled")
      })
    ))

  it("stops all runs of a configuration and no other", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { launcher } = yield* launching(ports, undefined)
        const [one, two] = [yield* launcher.launch(TENANT, CLICKS), yield* launcher.launch(TENANT, CLICKS)]
        const other = yield* launcher.launch(TENANT, { ...CLICKS, id: "views" })
        const stopped = yield* launcher.stop(TENANT, "clicks", "me")
        expect([...stopped].sort()).toEqual([one.jobId, two.jobId].sort())
        expect((yield* launcher.status(TENANT, other.jobId)).state).toBe("starting")
        const history = yield* launcher.list(TENANT, { configuration: "clicks" }, 10)
        expect(history.map(({ state }) => state)).toEqual(["cancelled", "cancelled"])
        expect(yield* launcher.list(TENANT, { states: ["starting"] }, 10)).toHaveLength(1)
        expect(yield* launcher.list(TENANT, {}, 2)).toHaveLength(2)
        expect(yield* launcher.list("other", {}, 10)).toEqual([])
      })
    ))

  it("makes the record only when a driver outside runs it", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { launcher, engine } = yield* launching(ports, undefined)
        const spark = { type: "spark", id: "nightly" }
        const { jobId } = yield* launcher.launch(TENANT, spark)
        const own = yield* launcher.launch(TENANT, CLICKS, { driver: "outside" })
        expect((yield* engine.list(TENANT, { kinds: ["sql-run"] }, null, 10)).rows).toEqual([])
        const told = yield* launcher.report(TENANT, reported({ jobId, state: "running", hostname: "pod-7" }))
        expect(told).toMatchObject({ state: "running", hostname: "pod-7", jobConfig: spark })
        // Nobody spoke of the other.
        yield* TestClock.adjust("10 minutes")
        yield* pass(5)
        expect((yield* launcher.status(TENANT, own.jobId)).state).toBe("unknown")
        yield* TestClock.adjust("50 minutes")
        yield* pass(5)
        expect((yield* launcher.status(TENANT, own.jobId)).state).toBe("error")
      })
    ))

  it("launches nothing that it could not run, and names the members", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { launcher, engine } = yield* launching(ports, undefined)
        const refused = yield* Effect.flip(launcher.launch(TENANT, { ...CLICKS, sql: "DROP TABLE x", id: "1" }))
        expect(refused).toMatchObject({ _tag: "LauncherRefused" })
        expect((refused as { faults: ReadonlyArray<{ path: string }> }).faults.map(({ path }) => path)).toEqual([
          "id",
          "sql"
        ])
        expect(yield* Effect.flip(launcher.launch(TENANT, { type: "spark" }))).toMatchObject({
          _tag: "LauncherRefused"
        })
        expect(yield* engine.tally(TENANT)).toEqual([])
        const bare = yield* launching(ports, undefined, { runsSql: false })
        expect(yield* Effect.flip(bare.launcher.launch(TENANT, CLICKS, { driver: "engine" }))).toMatchObject({
          _tag: "LauncherRefused"
        })
        expect(yield* bare.launcher.launch(TENANT, CLICKS)).toMatchObject({ state: "starting" })
      })
    ))

  it("keeps configurations for a tenant, and removes a schedule with its configuration", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { launcher } = yield* launching(ports, undefined)
        const { configurations, schedules } = launcher
        yield* configurations.put(TENANT, CLICKS)
        yield* configurations.put(TENANT, { ...CLICKS, id: "alpha", rows: 10 })
        expect((yield* configurations.list(TENANT)).map(({ id }) => id)).toEqual(["alpha", "clicks"])
        expect(yield* configurations.get(TENANT, "alpha")).toMatchObject({ rows: 10 })
        expect(yield* configurations.list("other")).toEqual([])
        expect(yield* Effect.flip(configurations.get("other", "clicks"))).toMatchObject({
          _tag: "UnknownConfiguration"
        })
        expect(yield* Effect.flip(launcher.start("other", "clicks"))).toMatchObject({ _tag: "UnknownConfiguration" })
        yield* schedules.put(TENANT, "clicks", { triggers: [{ type: "interval", interval: 1, timeUnit: "minute" }] })
        yield* configurations.remove(TENANT, "clicks")
        expect(yield* Effect.flip(schedules.get(TENANT, "clicks"))).toMatchObject({ _tag: "UnknownConfiguration" })
        expect(yield* Effect.flip(configurations.remove(TENANT, "clicks"))).toMatchObject({
          _tag: "UnknownConfiguration"
        })
        yield* configurations.put(TENANT, CLICKS)
        expect((yield* schedules.get(TENANT, "clicks")).triggers).toEqual([])
        const big = { ...CLICKS, note: "x".repeat(70_000) }
        expect(yield* Effect.flip(configurations.put(TENANT, big))).toMatchObject({ _tag: "LauncherRefused" })
      })
    ))
})

describe("Triggers", () => {
  const every = (interval: number, timeUnit: string) => ({ triggers: [{ type: "interval", interval, timeUnit }] })

  it("launch once in several processes, at each time", () =>
    play((ports) =>
      Effect.gen(function* () {
        const [one, two] = [yield* launching(ports, undefined), yield* launching(ports, undefined)]
        yield* one.launcher.configurations.put(TENANT, CLICKS)
        yield* one.launcher.schedules.put(TENANT, "clicks", every(1, "minute"))
        for (let n = 0; n < 190; n++) yield* TestClock.adjust("1 second")
        const runs = yield* two.launcher.list(TENANT, {}, 100)
        expect(runs).toHaveLength(3)
        const { rows } = yield* two.engine.list(TENANT, { kinds: ["sql-run"] }, null, 100)
        expect(rows.map(({ parameters }) => (parameters as { launchedAt: number }).launchedAt).sort()).toEqual(
          [1, 2, 3].map((n) => START + n * 60_000)
        )
        expect(yield* one.launcher.schedules.get(TENANT, "clicks")).toMatchObject({
          enabled: true,
          lastTime: START + 180_000,
          nextTime: START + 240_000
        })
      })
    ))

  it("launch once for all times that were missed", () =>
    play((ports) =>
      Effect.gen(function* () {
        const first = yield* launching(ports, undefined, { lookMs: 365 * 86_400_000 })
        yield* first.launcher.configurations.put(TENANT, CLICKS)
        yield* first.launcher.schedules.put(TENANT, "clicks", {
          triggers: [{ type: "cron", expression: "15 3-8 * * *", timeZone: "Europe/Berlin" }]
        })
        yield* TestClock.adjust("5 hours")
        expect(yield* first.launcher.list(TENANT, {}, 10)).toEqual([])
        const second = yield* launching(ports, undefined)
        yield* pass(6)
        const { rows } = yield* second.engine.list(TENANT, { kinds: ["sql-run"] }, null, 100)
        expect(rows.map(({ parameters }) => (parameters as { launchedAt: number }).launchedAt)).toEqual([
          Date.UTC(2026, 0, 1, 4, 15)
        ])
      })
    ))

  it("launch nothing while they are off, and nothing that is wrong or gone", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { launcher } = yield* launching(ports, undefined)
        yield* launcher.configurations.put(TENANT, CLICKS)
        yield* launcher.schedules.put(TENANT, "clicks", { ...every(1, "second"), enabled: false })
        yield* pass(12)
        expect(yield* launcher.list(TENANT, {}, 10)).toEqual([])
        yield* launcher.schedules.put(TENANT, "clicks", every(1, "second"))
        yield* Context.get(ports, Records).delete(
          { collection: "launcher-configurations", tenant: TENANT, key: "clicks" },
          "any"
        )
        yield* pass(12)
        expect(yield* launcher.list(TENANT, {}, 10)).toEqual([])
        expect(yield* Effect.flip(launcher.schedules.put(TENANT, "clicks", every(0, "second")))).toMatchObject({
          _tag: "LauncherRefused"
        })
      })
    ))

  it("launch again what was launched when the mark was not written", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { launcher } = yield* launching(ports, undefined, { lookMs: 365 * 86_400_000 })
        yield* launcher.configurations.put(TENANT, CLICKS)
        yield* launcher.schedules.put(TENANT, "clicks", every(1, "minute"))
        const records = Context.get(ports, Records)
        const place = { collection: "launcher-schedules", tenant: "launcher", key: `${TENANT}/clicks` }
        const before = Option.getOrThrow(Option.fromNullishOr(yield* records.get(place)))
        yield* TestClock.adjust("1 minute")
        yield* launcher.look
        // As if the process had died between the launch and the mark.
        yield* records.put({ ...place, bytes: before.bytes, expectVersion: "any", expiresAt: null })
        yield* launcher.configurations.put(TENANT, { ...CLICKS, rows: 5 })
        yield* launcher.look
        expect(yield* launcher.list(TENANT, {}, 10)).toHaveLength(1)
      })
    ))
})
