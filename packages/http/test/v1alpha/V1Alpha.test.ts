import { aggregationKind } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, play, serve } from "../support/Rig.ts"
import { REQUEST } from "./support.ts"

describe("v1alpha as a web handler", () => {
  it("answers both calls, with and without a stage", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ kinds: [aggregationKind] })
        for (const [n, stage] of ["", "/prod"].entries()) {
          const id = `a+b&${n}`
          const created = yield* ask(`POST ${stage}/v1alpha/createJob`, {
            as: "acme",
            body: { ...REQUEST, job_request_id: id }
          })
          expect([created.status, yield* Effect.promise(() => created.text())]).toEqual([202, "{\n}"])
          const got = yield* ask(`GET ${stage}/v1alpha/getJob?x=y&job_request_id=${encodeURIComponent(id)}`, {
            as: "acme"
          })
          expect([got.status, yield* json(got)]).toMatchObject([200, { job_request_id: id, job_status: "RECEIVED" }])
        }
      })
    ))

  it("is for keys of a tenant: a token for one job says nothing here", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ kinds: [aggregationKind] })
        for (const line of ["POST /v1alpha/createJob", "GET /v1alpha/getJob?job_request_id=request-1"]) {
          const answer = yield* ask(line, {
            as: "acme/some-job",
            ...(line.startsWith("POST") ? { body: REQUEST } : {})
          })
          expect([answer.status, yield* json(answer)]).toMatchObject([403, { code: 7 }])
        }
      })
    ))

  it("says so when the server runs no aggregations", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("POST /v1alpha/createJob", { as: "acme", body: REQUEST })
        expect([answer.status, yield* json(answer)]).toMatchObject([
          404,
          { code: 5, message: "This server runs no aggregations." }
        ])
      })
    ))
})
