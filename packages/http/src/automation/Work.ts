/** Work on services whose scripts run outside: a claim, and calls under its lease. For operators: jobs of all tenants. */
import type { Plain } from "@sotto/core/job"
import { OutsideWork } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"
import { apiOf } from "../ApiOf.ts"
import { ErrorForm } from "../ErrorForm.ts"
import { Caller, Guard } from "../Operation.ts"
import { answering, bodyOf, callForm, type Refused, respond } from "./CallForm.ts"
import { posts, type Prefix } from "./Declare.ts"
import { Empty, EXAMPLE_ID, EXAMPLE_SERVICE, Key } from "./Shapes.ts"

const LEASE = { lease: Schema.String }
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const Claim = Schema.Struct({ worker: Schema.optionalKey(Key) })
const Heartbeat = Schema.Struct({
  ...LEASE,
  progress: Schema.optionalKey(Schema.Struct({ done: Count, total: Count }))
})
const Emitted = Schema.Struct({ ...LEASE, key: Key, data: Schema.Json })
const Asked = Schema.Struct({
  ...LEASE,
  key: Key,
  stage: Schema.optionalKey(Schema.String),
  /** The input that is there is no good. */
  rejects: Schema.optionalKey(Schema.Boolean)
})
const Challenged = Schema.Struct({
  ...LEASE,
  url: Schema.String,
  /** Which challenge of the session it is, from 1. */
  nth: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0)))
})
const Done = Schema.Struct({ ...LEASE, code: Schema.optionalKey(Schema.NullOr(Schema.String)) })
const Failed = Schema.Struct({
  ...LEASE,
  code: Key,
  category: Schema.Literals(["client", "server", "website"]),
  message: Schema.String,
  details: Schema.optionalKey(Schema.Json)
})

const Claimed = Schema.Struct({
  job: Schema.NullOr(
    Schema.Struct({
      id: Schema.String,
      category: Schema.Literals(["live", "test"]),
      session: Schema.Int,
      lease: Schema.String,
      leaseMs: Schema.Int,
      inputs: Schema.Record(Schema.String, Schema.Json),
      outputs: Schema.Array(Schema.String)
    })
  )
})
const Answered = Schema.Struct({ parked: Schema.Boolean, data: Schema.optionalKey(Schema.Json) })

const job = { job: EXAMPLE_ID }
const lease = "WyJkZWZhdWx0Il0"
const OF_JOB = { job: Schema.String }

const groupAt = (prefix: Prefix) =>
  HttpApiGroup.make("automationWork")
    .add(
      posts("claim", `${prefix}/worker/services/:service/claim`, {
        audience: "operator",
        summary: "Take a job of a service whose scripts run outside",
        params: { service: Schema.String },
        body: Claim,
        answer: Claimed,
        example: { parameters: { service: EXAMPLE_SERVICE }, body: { worker: "one" }, answer: { job: null } }
      }),
      posts("heartbeat", `${prefix}/worker/jobs/:job/heartbeat`, {
        audience: "operator",
        summary: "Keep a job, and say how far it is",
        params: OF_JOB,
        body: Heartbeat,
        answer: Empty,
        example: { parameters: job, body: { lease, progress: { done: 1, total: 2 } }, answer: {} }
      }),
      posts("emit", `${prefix}/worker/jobs/:job/output`, {
        audience: "operator",
        summary: "Emit an output",
        params: OF_JOB,
        body: Emitted,
        answer: Empty,
        example: { parameters: job, body: { lease, key: "menu", data: [] }, answer: {} }
      }),
      posts("ask", `${prefix}/worker/jobs/:job/ask`, {
        audience: "operator",
        summary: "Ask for an input",
        description: "`parked`: the lease is over, and the job is claimed again when the input is there.",
        params: OF_JOB,
        body: Asked,
        answer: Answered,
        example: { parameters: job, body: { lease, key: "ingredientToAvoid" }, answer: { parked: true } }
      }),
      posts("challengeClient", `${prefix}/worker/jobs/:job/challenge`, {
        audience: "operator",
        summary: "Send the client to a 3-D Secure challenge",
        params: OF_JOB,
        body: Challenged,
        answer: Answered,
        example: { parameters: job, body: { lease, url: "https://bank.example" }, answer: { parked: true } }
      }),
      posts("succeed", `${prefix}/worker/jobs/:job/succeed`, {
        audience: "operator",
        summary: "End a job well",
        params: OF_JOB,
        body: Done,
        answer: Empty,
        example: { parameters: job, body: { lease, code: null }, answer: {} }
      }),
      posts("fail", `${prefix}/worker/jobs/:job/fail`, {
        audience: "operator",
        summary: "End a job with an error",
        params: OF_JOB,
        body: Failed,
        answer: Empty,
        example: {
          parameters: job,
          body: { lease, code: "SystemUnavailable", category: "website", message: "It is closed." },
          answer: {}
        }
      })
    )
    .middleware(Guard)
    .annotate(ErrorForm, callForm(prefix))
    .annotateMerge(
      OpenApi.annotations({
        title: "Automation workers",
        description: "For scripts that run outside. A lease that is over is answered 409."
      })
    )

interface Raw<Params extends string> {
  readonly request: HttpServerRequest
  readonly params: Readonly<Record<Params, string>>
}

export const automationWork = (prefix: Prefix) => {
  const group = groupAt(prefix)
  const layer = HttpApiBuilder.group(
    apiOf(group),
    "automationWork",
    Effect.fnUntraced(function* (handlers) {
      const work = yield* OutsideWork

      const run =
        <A, E extends Refused>(
          schema: Schema.Codec<A, unknown>,
          call: (id: string, body: A) => Effect.Effect<unknown, E>
        ) =>
        ({ request, params }: Raw<"job">) =>
          answering(
            Effect.gen(function* () {
              const body = yield* bodyOf(request, schema)
              return (yield* call(params.job, body)) ?? {}
            })
          )

      return handlers
        .handleRaw("claim", ({ request, params }: Raw<"service">) =>
          Effect.flatMap(Caller, ({ principal }) =>
            answering(
              Effect.gen(function* () {
                const { worker = principal.name } = yield* bodyOf(request, Claim)
                return respond({ job: (yield* work.claim(params.service, worker)) ?? null })
              })
            )
          )
        )
        .handleRaw(
          "heartbeat",
          run(Heartbeat, (id, { lease, progress }) => work.heartbeat(id, lease, progress))
        )
        .handleRaw(
          "emit",
          run(Emitted, (id, { lease, key, data }) => work.output(id, lease, key, data as Plain))
        )
        .handleRaw(
          "ask",
          run(Asked, (id, { lease, key, stage = "", rejects = false }) =>
            Effect.map(work.ask(id, lease, { key, stage, rejects }), answeredOf)
          )
        )
        .handleRaw(
          "challengeClient",
          run(Challenged, (id, { lease, url, nth = 1 }) => Effect.map(work.challenge(id, lease, nth, url), answeredOf))
        )
        .handleRaw(
          "succeed",
          run(Done, (id, { lease, code = null }) => work.succeed(id, lease, code))
        )
        .handleRaw(
          "fail",
          run(Failed, (id, { lease, code, category, message, details = null }) =>
            work.fail(id, lease, {
              code,
              category: category === "website" ? "external" : category,
              message,
              details: details as Plain
            })
          )
        )
    })
  )
  return { group, layer }
}

const answeredOf = (answered: Effect.Success<ReturnType<OutsideWork["Service"]["ask"]>>) =>
  answered._tag === "Parked" ? { parked: true } : { parked: false, data: answered.data }
