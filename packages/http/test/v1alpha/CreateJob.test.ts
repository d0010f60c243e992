import { JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { mutatedTexts } from "../../../core/test/aggregation/support.ts"
import { play } from "../../../engine/test/Rig.ts"
import { calls, idle, REQUEST } from "./support.ts"

const reasonOf = (body: string) => (JSON.parse(body) as { details: [{ reason: string }] }).details[0].reason

describe("createJob", () => {
  it("submits a job under its id and answers 202 with an empty object", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        expect(yield* calls(engine).create()).toEqual({
          status: 202,
          body: "{\n}"
        })
        const { rows } = yield* engine.list("acme", { key: "request-1" }, null, 10)
        expect(rows).toMatchObject([{ kind: "aggregation", key: "request-1", state: "Queued", tenant: "acme" }])
      })
    ))

  it("answers 409 to a known id, whatever else is asked with it, and keeps the first job", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        const { create } = calls(engine)
        yield* create()
        for (const changes of [{}, { output_data_blob_prefix: "elsewhere" }]) {
          const { status, body } = yield* create(changes)
          expect([status, reasonOf(body)]).toEqual([409, "DUPLICATE_JOB_KEY"])
        }
        const { rows } = yield* engine.list("acme", {}, null, 10)
        expect(rows).toHaveLength(1)
        expect(rows[0]?.parameters).toMatchObject({ outputDataBlobPrefix: "out/summary.avro" })
      })
    ))

  it("lets two tenants use one id", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { create } = calls((yield* idle(ports)).engine)
        expect((yield* create()).status).toBe(202)
        expect((yield* create({}, { name: "other" })).status).toBe(202)
      })
    ))

  it.each([
    ["any", 202],
    [["https://example.com"], 202],
    [["https://a.example.com"], 202],
    [["https://b.example.com", "https://example.org"], 403],
    [[], 403]
  ] as const)("takes an origin if the tenant's sites are %j: %i", (sites, status) =>
    play((ports) =>
      Effect.gen(function* () {
        const { create } = calls((yield* idle(ports)).engine)
        expect((yield* create({}, { sites })).status).toBe(status)
      })
    )
  )

  it.each([
    [["data"], {}, 202],
    [["other"], {}, 403],
    [["data"], { input_data_bucket_name: "other" }, 403],
    [["data"], { output_data_bucket_name: "other" }, 403],
    [["data"], { job_parameters: { ...REQUEST.job_parameters, output_domain_bucket_name: "other" } }, 403]
  ] as const)("takes buckets if they are among %j: %j %i", (buckets, changes, status) =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        expect((yield* calls(engine).create(changes, { buckets })).status).toBe(status)
        expect((yield* engine.list("acme", {}, null, 10)).rows).toHaveLength(status === 202 ? 1 : 0)
      })
    )
  )

  it("refuses a job beyond those that a tenant may have", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        const limits = { requestsPerMinute: null, jobs: 1, streams: null }
        const asked = (job_request_id: string) =>
          Effect.map(calls(engine).create({ job_request_id }, { limits }), ({ status }) => status)
        expect([yield* asked("a"), yield* asked("b")]).toEqual([202, 429])
        const { rows } = yield* engine.list("acme", {}, null, 10)
        yield* engine.cancel("acme", String(rows[0]?.id), "me")
        expect(yield* asked("b")).toBe(202)
      })
    ))

  it("asks for no output domain where the workers need none", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { create } = calls((yield* idle(ports)).engine)
        const job_parameters = { reporting_site: "https://example.com" }
        expect((yield* create({ job_parameters })).status).toBe(400)
        expect((yield* create({ job_parameters }, {}, true)).status).toBe(202)
      })
    ))

  it("answers 500 with code 13 when the store does not, and 409 to the repetition if the job was made", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        const lost = Engine.of({
          ...engine,
          submit: (request) =>
            Effect.andThen(
              engine.submit(request),
              Effect.fail(new JobStoreUnavailable({ because: "io", message: "The answer was lost." }))
            )
        })
        const { status, body } = yield* calls(lost).create()
        expect([status, JSON.parse(body)]).toEqual([
          500,
          {
            code: 13,
            message: "Internal error occurred when reaching the DB",
            details: [{ reason: "SERVER_ERROR", domain: "", metadata: {} }]
          }
        ])
        expect((yield* calls(engine).create()).status).toBe(409)
      })
    ))

  it("charges shared exactly if the request brings job_epsilon", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        const { create } = calls(engine)
        const parametersOf = (key: string) =>
          Effect.map(engine.list("acme", { key }, null, 1), ({ rows }) => rows[0]?.parameters)
        yield* create({ privacy_params: { laplace_dp_params: { job_epsilon: 2.5 } } })
        yield* create({ job_request_id: "request-2" })
        expect(yield* parametersOf("request-1")).toMatchObject({ jobEpsilon: 2_500_000 })
        expect(yield* parametersOf("request-2")).not.toHaveProperty("jobEpsilon")
      })
    ))

  it("answers any text at all with an empty object or a flat fault of the request", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* idle(ports)
        const statuses = new Map<number, number>()
        const samples = [
          JSON.stringify(REQUEST),
          JSON.stringify({ ...REQUEST, privacy_params: { laplace_dp_params: { job_epsilon: 1 } } })
        ]
        for (const text of mutatedTexts(samples, 3_000)) {
          const { status, body } = yield* calls(engine).send(text)
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
          if (status === 202) expect(body).toBe("{\n}")
          else expect(JSON.parse(body)).toEqual({ code: CODES[status], message: expect.any(String), details: DETAILS })
        }
        expect([...statuses.keys()].toSorted()).toEqual([202, 400, 409])
      })
    ))
})

const CODES: Readonly<Record<number, number>> = { 400: 3, 409: 6 }
const DETAILS = [
  { reason: expect.stringMatching(/^(JSON_ERROR|VALIDATION_FAILED|DUPLICATE_JOB_KEY)$/), domain: "", metadata: {} }
]
