import { JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { type AggregationFacts, aggregationKind, Engine, handle, JobFailed } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { kindOf, pass, play, start } from "../../../engine/test/Rig.ts"
import { calls, idle } from "./support.ts"

const FACTS: AggregationFacts = {
  returnCode: "SUCCESS_WITH_ERRORS",
  returnMessage: "Aggregation job successfully processed but some reports have errors.",
  errorCounts: [{ category: "DECRYPTION_ERROR", count: 3, description: "It's unreadable." }],
  asOf: 0,
  epsilon: "10",
  budget: { use: "NotAsked" }
}

const HELD = { returnCode: "RESULT_WRITE_ERROR", returnMessage: "" } as const

/** A handler that fails unexpectedly a few times, a second into each attempt, and then succeeds. */
const failing = (times: number) =>
  handle(aggregationKind, ({ failures }) =>
    Effect.sleep("1 second").pipe(
      Effect.andThen(
        failures < times
          ? Effect.fail(
              new JobFailed<AggregationFacts>({
                code: "RESULT_WRITE_ERROR",
                category: "external",
                message: `try ${failures + 1}`,
                details: { ...FACTS, ...HELD },
                retryable: true
              })
            )
          : Effect.succeed(FACTS)
      )
    )
  )

interface Shown {
  readonly [name: string]: unknown
  readonly result_info?: { readonly [name: string]: unknown }
}

const shown = (body: string) => JSON.parse(body) as Shown

describe("getJob", () => {
  it("prints a new job to the byte", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { create, get } = calls((yield* idle(ports)).engine)
        yield* create({ postback_url: "https://me.example?a='1'&b=<2>" })
        expect(yield* get()).toEqual({
          status: 200,
          body: String.raw`{
  "job_status": "RECEIVED",
  "request_received_at": "2026-01-01T00:00:00Z",
  "request_updated_at": "2026-01-01T00:00:00Z",
  "job_request_id": "request-1",
  "input_data_blob_prefix": "in/",
  "input_data_bucket_name": "data",
  "output_data_blob_prefix": "out/summary.avro",
  "output_data_bucket_name": "data",
  "postback_url": "https://me.example?a\u003d\u00271\u0027\u0026b\u003d\u003c2\u003e",
  "job_parameters": {
    "attribution_report_to": "https://a.example.com",
    "output_domain_bucket_name": "data",
    "output_domain_blob_prefix": "domain/"
  },
  "input_data_blob_prefixes": []
}`
        })
      })
    ))

  it("prints a finished job to the byte", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [failing(0)] })
        const { create, get } = calls(engine)
        yield* create({ input_data_blob_prefix: null, input_data_blob_prefixes: ["in/1", ""] })
        yield* pass(2)
        const { body } = yield* get()
        expect(body).toBe(String.raw`{
  "job_status": "FINISHED",
  "request_received_at": "2026-01-01T00:00:00Z",
  "request_updated_at": "2026-01-01T00:00:01Z",
  "job_request_id": "request-1",
  "input_data_blob_prefix": "",
  "input_data_bucket_name": "data",
  "output_data_blob_prefix": "out/summary.avro",
  "output_data_bucket_name": "data",
  "postback_url": "",
  "result_info": {
    "return_code": "SUCCESS_WITH_ERRORS",
    "return_message": "Aggregation job successfully processed but some reports have errors.",
    "error_summary": {
      "error_counts": [{
        "category": "DECRYPTION_ERROR",
        "count": 3,
        "description": "It\u0027s unreadable."
      }],
      "error_messages": []
    },
    "finished_at": "2026-01-01T00:00:01Z"
  },
  "job_parameters": {
    "attribution_report_to": "https://a.example.com",
    "output_domain_bucket_name": "data",
    "output_domain_blob_prefix": "domain/"
  },
  "request_processing_started_at": "2026-01-01T00:00:00Z",
  "input_data_blob_prefixes": ["in/1", ""]
}`)
      })
    ))

  it("tells the times of the latest attempt and the messages of all that failed", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [failing(2)] })
        const { create, get } = calls(engine)
        yield* create()
        const seen: Array<Shown> = []
        for (let second = 0; second < 60 && seen.at(-1)?.["job_status"] !== "FINISHED"; second++) {
          const now = shown((yield* get()).body)
          if (JSON.stringify(now) !== JSON.stringify(seen.at(-1))) seen.push(now)
          yield* pass(0.25)
        }
        const messages = seen.map(
          ({ result_info }) =>
            (result_info?.["error_summary"] as { error_messages: unknown } | undefined)?.error_messages
        )
        expect(messages.filter((one, i) => i === 0 || JSON.stringify(one) !== JSON.stringify(messages[i - 1]))).toEqual(
          [undefined, ["try 1"], ["try 1", "try 2"], []]
        )
        const between = seen.filter(({ result_info }) => result_info?.["return_code"] === "")
        for (const one of between) expect(one).toMatchObject({ job_status: "IN_PROGRESS" })
        // The end of an attempt stays while the next one runs, whose start is told at once.
        const [afterFirst, ...later] = between
        expect(afterFirst).toMatchObject({
          result_info: { return_message: "", finished_at: "2026-01-01T00:00:01Z" },
          request_processing_started_at: "2026-01-01T00:00:00Z"
        })
        const running = later.find((one) => one["request_processing_started_at"] !== "2026-01-01T00:00:00Z")
        expect(running).toMatchObject({ result_info: { finished_at: "2026-01-01T00:00:01Z" } })
        const last = seen.at(-1)
        const [started, updated] = ["request_processing_started_at", "request_updated_at"].map((name) =>
          Date.parse(String(last?.[name]))
        )
        expect(Number(updated) - Number(started)).toBe(1_000)
        expect(last?.result_info).toMatchObject({ finished_at: last?.["request_updated_at"] })
      })
    ))

  it("keeps all messages of a job whose tries are used up", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [failing(99)] })
        const { create, get } = calls(engine)
        yield* create()
        yield* pass(200)
        expect(shown((yield* get()).body)).toMatchObject({
          job_status: "FINISHED",
          result_info: {
            return_code: "RETRIES_EXHAUSTED",
            return_message: "Number of retry attempts exhausted, the job failed to process after 5 tries.",
            error_summary: { error_counts: [], error_messages: ["try 1", "try 2", "try 3", "try 4", "try 5"] }
          }
        })
      })
    ))

  it("shows a cancelled job as finished, and no start of one that never ran", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        const { create, get } = calls(engine)
        yield* create()
        const { rows } = yield* engine.list("acme", { key: "request-1" }, null, 1)
        yield* engine.cancel("acme", String(rows[0]?.id), "me")
        const { body } = yield* get()
        expect(shown(body)).toMatchObject({ job_status: "FINISHED", result_info: { return_code: "JOB_CANCELLED" } })
        expect(shown(body)).not.toHaveProperty("request_processing_started_at")
      })
    ))

  it("finds the last attempt behind any number of other events, and is not moved by them", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [failing(1)] })
        const { create, get } = calls(engine)
        yield* create()
        yield* pass(20)
        const before = yield* get()
        expect(shown(before.body)["job_status"]).toBe("FINISHED")
        const { rows } = yield* engine.list("acme", { key: "request-1" }, null, 1)
        for (let n = 0; n < 250; n++) yield* engine.rename("acme", String(rows[0]?.id), `name ${n}`)
        yield* pass(1)
        expect(yield* get()).toEqual(before)
      })
    ))

  it("sees only the tenant's own jobs", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { create, get } = calls((yield* idle(ports)).engine)
        yield* create()
        expect((yield* get(undefined, "other")).status).toBe(404)
        yield* create({ input_data_blob_prefix: "theirs/" }, { name: "other" })
        expect(shown((yield* get(undefined, "other")).body)["input_data_blob_prefix"]).toBe("theirs/")
        expect(shown((yield* get()).body)["input_data_blob_prefix"]).toBe("in/")
      })
    ))

  it("finds no job of another kind under the id", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [aggregationKind, kindOf("note")], sweeps: false })
        yield* engine.submit({ kind: "note", tenant: "acme", key: "it's", parameters: {} })
        expect(yield* calls(engine).get("job_request_id=it%27s")).toMatchObject({
          status: 404,
          body: expect.stringContaining(String.raw`Job with job_request_id \u0027it\u0027s\u0027 could not be found`)
        })
      })
    ))

  it("answers 500 with code 13 when the store does not", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        const away = Engine.of({
          ...engine,
          list: () => Effect.fail(new JobStoreUnavailable({ because: "io", message: "Away." }))
        })
        const { status, body } = yield* calls(away).get()
        expect([status, shown(body)["code"]]).toEqual([500, 13])
      })
    ))

  it("reads any legal id from a query, encoded in either way", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        const asked: Array<string | undefined> = []
        const { get } = calls(
          Engine.of({
            ...engine,
            list: (tenant, filter, after, limit) =>
              Effect.suspend(() => {
                asked.push(filter.key)
                return engine.list(tenant, filter, after, limit)
              })
          })
        )
        const legal = fc.string({
          unit: fc
            .integer({ min: 0x21, max: 0x7e })
            .filter((code) => code !== 0x7c)
            .map((code) => String.fromCharCode(code)),
          minLength: 1,
          maxLength: 128
        })
        for (const id of fc.sample(legal, 300)) {
          yield* get(`job_request_id=${encodeURIComponent(id)}`)
          yield* get(new URLSearchParams({ a: "b", job_request_id: id }).toString())
          // What a careless client may leave as it is.
          yield* get(`job_request_id=${id.replace(/[%&#]/g, encodeURIComponent)}`)
          expect(asked.splice(0)).toEqual([id, id, id])
        }
      })
    ))
})
