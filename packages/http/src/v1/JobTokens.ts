/**
 * Credentials for one job, to be handed to whoever has to do with nothing else: a browser that follows its events, a
 * person who gives it an input.
 */
import { Engine } from "@sotto/engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Tokens } from "../access/Tokens.ts"
import { apiOf } from "../ApiOf.ts"
import { Caller, Guard, Operation } from "../Operation.ts"
import { problemOf, problems } from "../Problem.ts"
import { EXAMPLE_ID } from "./Examples.ts"
import { printTime, Time } from "./JobView.ts"

const HOUR_MS = 3_600_000

/** A token cannot be taken back alone, so it does not last for long. */
const LONGEST_MS = 7 * 24 * HOUR_MS

const Grant = Schema.Struct({
  /** How long it is good for, in milliseconds; an hour unless told. */
  expiresInMs: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1_000, maximum: LONGEST_MS })))
}).annotate({ identifier: "JobTokenGrant" })

const JobToken = Schema.Struct({
  /** It is told this once. */
  token: Schema.String,
  until: Time
}).annotate({ identifier: "JobToken" })

const create = HttpApiEndpoint.post("create", "/v1/jobs/:job/tokens", {
  params: { job: Schema.String },
  payload: [Grant, Schema.Null],
  success: JobToken.pipe(HttpApiSchema.status(201)),
  error: problems("unknown-job", "unknown-kind", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Make a token for one job",
      description:
        "It does on this job what the API key may do, and nothing else; it makes no further tokens. Sent as bearer or " +
        "as user of HTTP Basic. It is good until its time, also when the key that made it is revoked."
    })
  )
  .annotate(Operation, {
    // A token that made tokens would have no end.
    audience: "tenant",
    example: {
      parameters: { job: EXAMPLE_ID },
      body: { expiresInMs: HOUR_MS },
      answer: { token: "sotto_job_made-by-the-server", until: "2026-04-01T09:00:00.000Z" }
    }
  })

export const JobTokens = HttpApiGroup.make("jobTokens")
  .add(create)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Tokens", description: "Credentials for one job." }))

export const layerJobTokensGroup = HttpApiBuilder.group(
  apiOf(JobTokens),
  "jobTokens",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* Engine
    const tokens = yield* Tokens
    return handlers.handleAll({
      create: Effect.fnUntraced(function* ({ params, payload }) {
        const { tenant } = yield* Caller
        const { job } = yield* Effect.mapError(engine.get(tenant.name, params.job), problemOf)
        const until = (yield* Clock.currentTimeMillis) + (payload?.expiresInMs ?? HOUR_MS)
        const grant = { tenant: tenant.name, id: job.id, until }
        const token = yield* Effect.mapError(tokens.jobToken(grant), problemOf)
        return HttpServerResponse.jsonUnsafe({ token: Redacted.value(token), until: printTime(until) }, { status: 201 })
      })
    })
  })
)
