/** Jobs, their inputs, outputs, events and challenges, and the services that they are of (other systems A3). */
import { type CallError, namedUuid, parseListQuery } from "@sotto/core/automation"
import type { Plain } from "@sotto/core/job"
import { Automations, Engine } from "@sotto/engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Tokens } from "../access/Tokens.ts"
import { requireRoom } from "../Admission.ts"
import { apiOf } from "../ApiOf.ts"
import { ErrorForm } from "../ErrorForm.ts"
import { Caller, Guard } from "../Operation.ts"
import { answering, bodyOf, callForm, fails, ofProblem, type Refused, respondError } from "./CallForm.ts"
import { gets, posts, type Prefix, queryOf } from "./Declare.ts"
import {
  Challenge,
  ClientView,
  Empty,
  EndUser,
  EventList,
  EXAMPLE_END_USER,
  EXAMPLE_EVENT,
  EXAMPLE_ID,
  EXAMPLE_INPUT,
  EXAMPLE_JOB,
  EXAMPLE_OUTPUT,
  EXAMPLE_SERVICE,
  Input,
  InputList,
  Job,
  JobList,
  NewInput,
  NewJob,
  Output,
  OutputList,
  PreviousOutputList,
  PreviousQuery,
  ResetBody,
  ServiceList
} from "./Shapes.ts"

const OF_JOB = { job: Schema.String }
const of = { job: EXAMPLE_ID }
const list = (...data: ReadonlyArray<unknown>) => ({ object: "list", data })

const groupAt = (prefix: Prefix) =>
  HttpApiGroup.make("automations")
    .add(
      posts("create", `${prefix}/jobs`, {
        audience: "tenant",
        summary: "Start an automation",
        description: "Inputs may be given with it, or whenever it asks.",
        body: NewJob,
        answer: Job,
        example: { body: { category: "test", serviceId: EXAMPLE_SERVICE }, answer: EXAMPLE_JOB }
      }),
      gets("list", `${prefix}/jobs`, {
        audience: "tenant",
        summary: "List automations",
        description: "`state` may repeat: any of them. With `period=range`, `since` and `until` are inclusive.",
        query: ["serviceId", "category", "state", "sort", "period", "since", "until", "limit", "offset"],
        answer: JobList,
        example: { answer: { ...list(EXAMPLE_JOB), totalCount: 1, totalSessionCount: 1, sort: "-createdAt" } }
      }),
      gets("get", `${prefix}/jobs/:job`, {
        audience: "job",
        summary: "How an automation stands",
        params: OF_JOB,
        answer: Job,
        example: { parameters: of, answer: EXAMPLE_JOB }
      }),
      gets("events", `${prefix}/jobs/:job/events`, {
        audience: "job",
        summary: "What happened, from the beginning or behind `offset`",
        params: OF_JOB,
        query: ["offset"],
        answer: EventList,
        example: { parameters: { ...of, offset: "1" }, answer: list(EXAMPLE_EVENT) }
      }),
      gets("inputs", `${prefix}/jobs/:job/inputs`, {
        audience: "job",
        summary: "What was given",
        params: OF_JOB,
        answer: InputList,
        example: { parameters: of, answer: { ...list(EXAMPLE_INPUT), totalCount: 1 } }
      }),
      posts("give", `${prefix}/jobs/:job/inputs`, {
        audience: "job",
        summary: "Give an input",
        description: "Each key once: the first stays.",
        params: OF_JOB,
        body: NewInput,
        answer: Input,
        example: { parameters: of, body: { key: "ingredientToAvoid", data: "almond" }, answer: EXAMPLE_INPUT }
      }),
      gets("outputs", `${prefix}/jobs/:job/outputs`, {
        audience: "job",
        summary: "What came out so far",
        params: OF_JOB,
        answer: OutputList,
        example: { parameters: of, answer: { ...list(EXAMPLE_OUTPUT), totalCount: 1 } }
      }),
      gets("output", `${prefix}/jobs/:job/outputs/:output`, {
        audience: "job",
        summary: "One output",
        params: { ...OF_JOB, output: Schema.String },
        answer: Output,
        example: { parameters: { ...of, output: "ingredients" }, answer: EXAMPLE_OUTPUT }
      }),
      posts("cancel", `${prefix}/jobs/:job/cancel`, {
        audience: "job",
        summary: "Cancel an automation",
        params: OF_JOB,
        body: Empty,
        answer: Job,
        example: { parameters: of, answer: EXAMPLE_JOB }
      }),
      posts("reset", `${prefix}/jobs/:job/reset`, {
        audience: "job",
        summary: "Start again, or from an input on",
        description: "While it runs or waits for input, and for 15 minutes after it failed.",
        params: OF_JOB,
        body: ResetBody,
        answer: Job,
        example: { parameters: of, body: { fromInputKey: "payment", preserveInputs: [] }, answer: EXAMPLE_JOB }
      }),
      posts("removeData", `${prefix}/jobs/:job/remove-data`, {
        audience: "job",
        summary: "Make the personal data of an ended automation unreadable",
        params: OF_JOB,
        body: Empty,
        answer: Job,
        example: { parameters: of, answer: { ...EXAMPLE_JOB, piiRemoved: true } }
      }),
      gets("endUser", `${prefix}/jobs/:job/end-user`, {
        audience: "job",
        summary: "A token that is good for this job only",
        params: OF_JOB,
        answer: EndUser,
        example: { parameters: of, answer: EXAMPLE_END_USER }
      }),
      gets("challenge", `${prefix}/3d-secure/:challenge`, {
        audience: "either",
        summary: "Where the client is to go for 3-D Secure",
        params: { challenge: Schema.String },
        answer: Challenge,
        example: {
          parameters: { challenge: EXAMPLE_ID },
          answer: { object: "3d-secure", id: EXAMPLE_ID, url: "https://bank.example/challenge" }
        }
      }),
      posts("finishChallenge", `${prefix}/3d-secure/:challenge/finish`, {
        audience: "either",
        summary: "Say that the client came back from 3-D Secure",
        description: "`data` is for the script.",
        params: { challenge: Schema.String },
        body: Finished,
        answer: Job,
        example: { parameters: { challenge: EXAMPLE_ID }, body: { data: null }, answer: EXAMPLE_JOB }
      }),
      posts("previous", `${prefix}/services/:service/previous-job-outputs`, previous),
      gets("previousByGet", `${prefix}/services/:service/previous-job-outputs`, {
        ...previous,
        example: { parameters: previous.example.parameters, answer: previous.example.answer }
      }),
      gets("services", `${prefix}/services`, {
        audience: "tenant",
        summary: "The services that are offered here",
        query: ["limit", "offset"],
        answer: ServiceList,
        example: {
          answer: {
            ...list({
              object: "service",
              id: EXAMPLE_SERVICE,
              name: "School Menu",
              domainId: "Generic",
              tags: [],
              version: "1.0.0",
              inputs: {}
            }),
            totalCount: 1
          }
        }
      }),
      gets("client", `${prefix}/client`, {
        audience: "tenant",
        summary: "Who asks",
        answer: ClientView,
        example: { answer: { object: "client", name: "default", concurrentJobsLimit: 100 } }
      })
    )
    .middleware(Guard)
    .annotate(ErrorForm, callForm(prefix))
    .annotateMerge(
      OpenApi.annotations({
        title: "Automations",
        description: "Jobs that stop to ask for input. Errors are `error` objects with their status in `details`."
      })
    )

const Finished = Schema.Struct({ data: Schema.optionalKey(Schema.Json) })

const previous = {
  audience: "tenant",
  summary: "Outputs of earlier jobs of a service",
  description: "Of the newest jobs that succeeded with these inputs, one for each key.",
  params: { service: Schema.String },
  query: ["key"],
  body: PreviousQuery,
  answer: PreviousOutputList,
  example: {
    parameters: { service: EXAMPLE_SERVICE, key: "ingredients" },
    body: { inputs: [] },
    answer: list({ ...EXAMPLE_OUTPUT, object: "previous-job-output", id: EXAMPLE_ID, variability: 0 })
  }
} as const

interface Raw<Params extends string = never> {
  readonly request: HttpServerRequest
  readonly params: Readonly<Record<Params, string>>
}

/** As long as a session and its resets may take, and a while for those who come back. */
const END_USER_MS = 24 * 60 * 60_000

const LIMIT_SERVICES = 1_000

export const automationJobs = (prefix: Prefix) => {
  const group = groupAt(prefix)
  const layer = HttpApiBuilder.group(
    apiOf(group),
    "automations",
    Effect.fnUntraced(function* (handlers) {
      const automations = yield* Automations
      const engine = yield* Engine
      const tokens = yield* Tokens

      /** Runs an operation for who asks. */
      const asked = <E extends CallError | Refused, R>(
        run: (tenant: string, by: string) => Effect.Effect<unknown, E, R>
      ) => Effect.flatMap(Caller, ({ tenant, principal }) => answering(run(tenant.name, principal.name)))

      /** The challenge, unless it is of a job that the caller may not see. */
      const mine = Effect.fnUntraced(function* (challenge: string) {
        const { principal, tenant } = yield* Caller
        const job = yield* automations.challengeJob(tenant.name, challenge)
        if (principal.scope._tag === "Job" && principal.scope.id !== job) {
          return yield* fails("RecordNotFoundError", `There is no challenge "${challenge}". It may be over.`)
        }
        return tenant.name
      })

      const earlier = (
        { request, params }: Raw<"service">,
        inputs: Effect.Effect<typeof PreviousQuery.Type, CallError>
      ) =>
        asked((tenant) =>
          Effect.gen(function* () {
            // Clients that ask for no key in particular write the word.
            const key = queryOf(request).get("key")
            const wanted = key === null || key === "" || key === "undefined" ? undefined : key
            const given = (yield* inputs).inputs ?? []
            const found = yield* automations.previousOutputs(tenant, params.service, wanted, given as never)
            return list(...found)
          })
        )

      const create = ({ request }: Raw) =>
        Effect.gen(function* () {
          const { tenant } = yield* Caller
          const refused = yield* requireRoom(tenant).pipe(
            Effect.provideService(Engine, engine),
            Effect.as(undefined),
            Effect.catch((problem) => Effect.succeed(respondError(ofProblem(problem))))
          )
          if (refused !== undefined) return refused
          return yield* answering(
            Effect.gen(function* () {
              const { serviceId, category, input, callbackUrl } = yield* bodyOf(request, NewJob)
              if (typeof callbackUrl === "string" && !/^https?:\/\/./i.test(callbackUrl)) {
                return yield* fails("ValidationError", "Correct callbackUrl.", ["callbackUrl: write an http(s) URL"])
              }
              return yield* automations.create({
                tenant: tenant.name,
                serviceId,
                category: category ?? "live",
                inputs: (input ?? {}) as Readonly<Record<string, Plain>>,
                callbackUrl: callbackUrl ?? null
              })
            })
          )
        })

      return handlers
        .handleRaw("create", create)
        .handleRaw("list", ({ request }) =>
          asked((tenant) =>
            Effect.gen(function* () {
              const query = parseListQuery(queryOf(request))
              if ("_tag" in query) return yield* fails("ValidationError", "Correct the query.", query.messages)
              const { jobs, ...totals } = yield* automations.list(tenant, query)
              return { ...list(...jobs), ...totals, sort: query.sort }
            })
          )
        )
        .handleRaw("get", ({ params }: Raw<"job">) => asked((tenant) => automations.get(tenant, params.job)))
        .handleRaw("events", ({ request, params }: Raw<"job">) =>
          asked((tenant) =>
            Effect.gen(function* () {
              const text = queryOf(request).get("offset") ?? "0"
              if (!/^\d{1,9}$/.test(text)) {
                return yield* fails("ValidationError", "Correct the query.", ["offset: write a whole number from 0"])
              }
              return list(...(yield* automations.events(tenant, params.job, Number(text))))
            })
          )
        )
        .handleRaw("inputs", ({ params }: Raw<"job">) =>
          asked((tenant) =>
            Effect.map(automations.inputs(tenant, params.job), (all) => ({ ...list(...all), totalCount: all.length }))
          )
        )
        .handleRaw("give", ({ request, params }: Raw<"job">) =>
          asked((tenant) =>
            Effect.gen(function* () {
              const { key, data, stage } = yield* bodyOf(request, NewInput)
              return yield* automations.giveInput(tenant, params.job, {
                key,
                data: data as Plain,
                stage: stage ?? undefined
              })
            })
          )
        )
        .handleRaw("outputs", ({ params }: Raw<"job">) =>
          asked((tenant) =>
            Effect.map(automations.outputs(tenant, params.job), (all) => ({ ...list(...all), totalCount: all.length }))
          )
        )
        .handleRaw("output", ({ params }: Raw<"job" | "output">) =>
          asked((tenant) =>
            Effect.gen(function* () {
              const found = yield* automations.output(tenant, params.job, params.output)
              return found ?? (yield* fails("RecordNotFoundError", `There is no output "${params.output}" yet.`))
            })
          )
        )
        .handleRaw("cancel", ({ params }: Raw<"job">) =>
          asked((tenant, by) => automations.cancel(tenant, params.job, by))
        )
        .handleRaw("reset", ({ request, params }: Raw<"job">) =>
          asked((tenant, by) =>
            Effect.gen(function* () {
              const { fromInputKey, preserveInputs } = yield* bodyOf(request, ResetBody)
              return yield* automations.reset(tenant, params.job, {
                by,
                fromInputKey: fromInputKey ?? null,
                preserveInputs: preserveInputs ?? []
              })
            })
          )
        )
        .handleRaw("removeData", ({ params }: Raw<"job">) =>
          asked((tenant) => automations.removeData(tenant, params.job))
        )
        .handleRaw("endUser", ({ params }: Raw<"job">) =>
          asked((tenant) =>
            Effect.gen(function* () {
              const { id, serviceId, createdAt } = yield* automations.get(tenant, params.job)
              const until = (yield* Clock.currentTimeMillis) + END_USER_MS
              const token = yield* tokens.jobToken({ tenant, id, until })
              return {
                object: "end-user",
                id: namedUuid(`end-user/${tenant}/${id}`),
                clientId: namedUuid(`client/${tenant}`),
                jobId: id,
                serviceId,
                token: Redacted.value(token),
                createdAt,
                updatedAt: createdAt
              }
            })
          )
        )
        .handleRaw("challenge", ({ params }: Raw<"challenge">) =>
          asked(() =>
            Effect.flatMap(mine(params.challenge), (tenant) => automations.challenge(tenant, params.challenge))
          )
        )
        .handleRaw("finishChallenge", ({ request, params }: Raw<"challenge">) =>
          asked(() =>
            Effect.gen(function* () {
              const tenant = yield* mine(params.challenge)
              const { data = null } = yield* bodyOf(request, Finished)
              return yield* automations.finishChallenge(tenant, params.challenge, data as Plain)
            })
          )
        )
        .handleRaw("previous", (raw: Raw<"service">) => earlier(raw, bodyOf(raw.request, PreviousQuery)))
        .handleRaw("previousByGet", (raw: Raw<"service">) => earlier(raw, Effect.succeed({})))
        .handleRaw("services", ({ request }) =>
          asked(() =>
            Effect.sync(() => {
              const query = queryOf(request)
              const limit = Number(query.get("limit") ?? LIMIT_SERVICES) || LIMIT_SERVICES
              const offset = Number(query.get("offset") ?? 0) || 0
              const all = automations.services.toSorted((a, b) => (a.name < b.name ? -1 : 1))
              return { ...list(...all.slice(offset, offset + limit)), totalCount: all.length }
            })
          )
        )
        .handleRaw("client", () =>
          Effect.flatMap(Caller, ({ tenant: { name, limits } }) =>
            answering(Effect.succeed({ object: "client", name, concurrentJobsLimit: limits.jobs ?? 100 }))
          )
        )
    })
  )
  return { group, layer }
}
