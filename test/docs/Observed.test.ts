/** What docs/embedding.md says of exporters: a collector on this machine receives the spans and metrics of real jobs. */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { layerAggregator } from "@sotto/aggregator"
import { main } from "@sotto/cli"
import { JobKind } from "@sotto/core/job"
import { aggregationHandler, Engine, handle, layerJobs, METRICS } from "@sotto/engine"
import { generateKeyPair, layerFsBlobStore, layerFsKeyRing, layerSystemEntropy, writeKeys } from "@sotto/fs"
import { siteOf } from "@sotto/local"
import {
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords
} from "@sotto/memory"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Flusher } from "effect/observability/OtlpExporter"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { metricsPage, observed } from "./Observed.ts"

const received: Array<{ readonly path: string; readonly body: string }> = []
const collector = createServer(async (request, response) => {
  received.push({ path: request.url ?? "", body: await text(request) })
  response.end("{}")
})
const folder = mkdtempSync(join(tmpdir(), "sotto-observed-"))
beforeAll(() => new Promise<void>((resume) => void collector.listen(0, "127.0.0.1", resume)))
afterAll(() => {
  collector.closeAllConnections()
  collector.close()
  rmSync(folder, { recursive: true })
})

const waiting = handle(
  JobKind.make({
    name: "waiting",
    relation: "leased",
    parameters: Schema.Json,
    result: Schema.Json,
    failure: Schema.Json
  }),
  () => Effect.never
)

const service = () => {
  const keys = join(folder, "keys.json")
  const buckets = { reports: join(folder, "reports"), output: join(folder, "output") }
  mkdirSync(buckets.output)
  const aggregator = layerAggregator({ lanes: 1 }).pipe(
    Layer.provide(layerFsKeyRing({ path: keys })),
    Layer.provideMerge(layerFsBlobStore({ buckets }))
  )
  const ledger = layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS)))
  return layerJobs({
    handlers: [aggregationHandler({ siteOf }), waiting],
    lease: { leaseMs: 400, renewMs: 100 },
    sweepMs: 50
  }).pipe(
    Layer.provide(
      Layer.mergeAll(
        aggregator,
        ledger,
        layerMemoryJobStore(),
        layerMemoryRecords(),
        layerMemoryJobQueue(),
        layerSystemEntropy
      )
    )
  )
}

const aggregation = (prefix: string, epsilon: string) => ({
  inputDataBucketName: "reports",
  inputDataBlobPrefix: "day/",
  outputDataBucketName: "output",
  outputDataBlobPrefix: prefix,
  jobParameters: {
    reporting_site: "https://example.com",
    output_domain_bucket_name: "output",
    output_domain_blob_prefix: "domain",
    debug_privacy_epsilon: epsilon
  }
})

const TENANT = "north"
const submit = Effect.fnUntraced(function* (kind: string, parameters: unknown) {
  const { job } = yield* (yield* Engine).submit({ kind, tenant: TENANT, parameters })
  return job.id
})

describe("an engine with exporters", () => {
  it("tells a collector of its jobs by spans and metrics, and Prometheus of every metric", async () => {
    await Effect.runPromise(Effect.flatMap(generateKeyPair(), (pair) => writeKeys(join(folder, "keys.json"), [pair])))
    const quiet = vi.spyOn(process.stderr, "write").mockReturnValue(true)
    const generate = ["reports", "generate", "--count", "12", "--campaigns", "3", "--regions", "2"]
    await main([...generate, "--keys", join(folder, "keys.json"), "--out", join(folder, "reports/day")])
    quiet.mockRestore()
    const layers = service()
    renameSync(join(folder, "reports/day/domain.avro"), join(folder, "output/domain.avro"))
    rmSync(join(folder, "reports/day/truth.json"))

    const collected = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
    const page = await Effect.runPromise(
      Effect.gen(function* () {
        const engine = yield* Engine
        const hanging = yield* submit("waiting", null)
        yield* engine.follow(TENANT, hanging, 0).pipe(
          Stream.takeUntil(({ _tag }) => _tag === "Started"),
          Stream.runDrain
        )
        yield* engine.cancel(TENANT, hanging, "test")
        const paid = yield* submit("aggregation", aggregation("first", "3"))
        expect((yield* engine.wait(TENANT, paid)).outcome).toMatchObject({ _tag: "Succeeded" })
        const refused = yield* submit("aggregation", aggregation("second", "5"))
        expect((yield* engine.wait(TENANT, refused)).outcome).toMatchObject({
          failure: { code: "PRIVACY_BUDGET_EXHAUSTED" }
        })
        // A renewal tells of the lease, a sweep counts the jobs.
        yield* metricsPage.pipe(
          Effect.repeat({
            until: (shown) => shown.includes('because="cancelled"') && /kind="aggregation",state="Failed"/.test(shown),
            schedule: Schedule.spaced("20 millis")
          })
        )
        yield* Flusher.use(({ flush }) => flush)
        return yield* metricsPage
      }).pipe(Effect.provide(observed(layers, collected)))
    )

    const names = Object.values(METRICS).map(({ id }) => id)
    expect(names).toHaveLength(7)
    expect(names.filter((name) => !new RegExp(`^# TYPE ${name} `, "m").test(page))).toEqual([])
    expect(page).toMatch(/^sotto_jobs\{[^}]*kind="aggregation"[^}]*state="Succeeded"[^}]*\} 1$/m)
    expect(page).toMatch(/^sotto_budget_refusals_total\{[^}]*reason="exhausted"[^}]*\} 1$/m)
    expect(page).toMatch(/^sotto_lease_losses_total\{[^}]*because="cancelled"[^}]*\} 1$/m)
    expect(page).toMatch(/^sotto_epochs_total\{[^}]*kind="aggregation"[^}]*\} 2$/m)

    const sent = (path: string) =>
      received
        .filter((one) => one.path === path)
        .map(({ body }) => body)
        .join("\n")
    expect(names.filter((name) => !sent("/v1/metrics").includes(`"${name}"`))).toEqual([])
    const spans = sent("/v1/traces")
    for (const told of ['"sotto.kind"', '"aggregation"', '"sotto.epoch"', '"name":"job"', '"name":"pay"', '"shop"']) {
      expect(spans).toContain(told)
    }
    // No metric names whose job it was.
    expect(sent("/v1/metrics")).not.toContain(TENANT)
  }, 60_000)
})
