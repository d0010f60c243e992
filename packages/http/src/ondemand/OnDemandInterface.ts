/** On-demand jobs over HTTP: what answers at the addresses of `OnDemandJobs`. */
import { parseInstant, toMillis } from "@sotto/core/Instant"
import { isName, MAX_NAME } from "@sotto/core/job"
import type { BlobExists } from "@sotto/core/ports/BlobStore"
import { isDataPartRejected, jobObject, type ModelView, readDataPart, readJobId } from "@sotto/core/tabular"
import {
  Engine,
  OnDemand,
  type OnDemandJobId,
  type OnDemandRefused,
  type OnDemandRequest,
  type ResultMissing,
  unknownJob,
  type UnknownModel,
  type Upload,
  type UploadTooLarge
} from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Principal } from "../access/Principal.ts"
import { requireRoom } from "../Admission.ts"
import { CurrentRequest } from "../front/CurrentRequest.ts"
import { Draining } from "../front/Draining.ts"
import { httpInterface } from "../Interface.ts"
import { Caller } from "../Operation.ts"
import { type KnownTag, type Problem, problem, problemOf } from "../Problem.ts"
import { parseCursor, printCursor } from "../v1/Cursor.ts"
import { linkTo } from "../v1/FileLink.ts"
import { parseIdempotencyKey } from "../v1/IdempotencyKey.ts"
import { OnDemandJobs } from "./Endpoints.ts"
import { envelopeForm, respond } from "./Envelope.ts"
import { readForm } from "./Form.ts"

export interface OnDemandHttpOptions {
  /** How long a submission, and a link to its result, wait for the end of the job; 25 000 unless told. */
  readonly waitMs?: number
  /** What links begin with, e.g. `https://jobs.example.com` or `https://example.com/jobs`; unless told, the address that the client used. */
  readonly publicUrl?: string
}

/** Proxies and clients wait longer than this for an answer. */
const WAIT_MS = 25_000

/** How many jobs `latest` shows (spec: ondemand §6). */
const LATEST = 25

interface Query {
  readonly model?: string
}

/** On-demand jobs for `layerHttp`. */
export const onDemandInterface = (options: OnDemandHttpOptions = {}) =>
  httpInterface([OnDemandJobs], layerOnDemandJobs(options))

const layerOnDemandJobs = ({ waitMs = WAIT_MS, publicUrl }: OnDemandHttpOptions) =>
  HttpApiBuilder.group(
    HttpApi.make("sotto").add(OnDemandJobs),
    "onDemand",
    Effect.fnUntraced(function* (handlers) {
      const onDemand = yield* OnDemand
      const draining = yield* Draining
      const engine = yield* Engine

      /** The job when it has ended, when it has taken too long, or when the server is about to stop. */
      const waited = (one: OnDemandJobId) =>
        Effect.raceFirst(onDemand.wait(one, waitMs), Effect.andThen(draining.begun, onDemand.get(one)))

      const named = Effect.fnUntraced(function* (text: string) {
        const { tenant, principal } = yield* Caller
        const id = readJobId(text)
        if (id === undefined) return yield* unknownJob(text)
        return { tenant: tenant.name, id, ...modelOf(principal) } satisfies OnDemandJobId
      })

      /** Reads a submission and hands it on, file and all; of one that cannot be read nothing is kept. */
      const submitted = Effect.fnUntraced(function* <A, E, R>(
        request: HttpServerRequest,
        query: Query,
        use: (submission: OnDemandRequest) => Effect.Effect<A, E, R>
      ) {
        const { tenant, principal } = yield* Caller
        const model = yield* chosen(principal, query.model, onDemand.models)
        let upload: Upload | undefined
        const discard = Effect.suspend(() => (upload === undefined ? Effect.void : onDemand.discard(upload)))
        const submission = yield* Effect.gen(function* () {
          const { fields, file } = yield* readForm(request, ({ fileName, type, content }) =>
            Effect.map(onDemand.upload(tenant.name, content), (kept) => {
              upload = kept
              return { upload: kept, fileName, partType: type }
            })
          )
          const text = fields.get("data")
          if (text === undefined || file === undefined) {
            const missing = text === undefined ? "data" : "file"
            return yield* Effect.fail(
              problem("malformed-request", `The part "${missing}" is missing. Send "data" and "file".`)
            )
          }
          const data = readDataPart(text)
          if (isDataPartRejected(data)) return yield* Effect.fail(problem("malformed-request", data.message))
          yield* requireName(data.name)
          return { tenant: tenant.name, model, data, ...file } satisfies OnDemandRequest
        }).pipe(Effect.onError(() => discard))
        return yield* use(submission)
      })

      const linked = (which: "data" | "errors") =>
        Effect.fnUntraced(function* ({ params, request }: RawRequest & { readonly params: { readonly job: string } }) {
          const one = yield* named(params.job)
          yield* waited(one)
          const file = yield* onDemand.result(one, which, 0)
          const link = yield* linkTo(one.tenant, file, file.name)
          return respond(link.startsWith("/") ? `${publicUrl?.replace(/\/+$/, "") ?? originOf(request)}${link}` : link)
        }, answering)

      const change = (command: (one: OnDemandJobId, by: string) => ReturnType<typeof onDemand.erase>) =>
        Effect.fnUntraced(function* ({ params }: { readonly params: { readonly job: string } }) {
          const { principal } = yield* Caller
          return respond(jobObject(yield* command(yield* named(params.job), principal.name)))
        }, answering)

      return handlers
        .handleRaw(
          "submit",
          Effect.fnUntraced(
            function* ({ request, query, headers }) {
              const { tenant, principal } = yield* Caller
              const header = headers["idempotency-key"]
              const key = header === undefined ? null : (parseIdempotencyKey(header) ?? undefined)
              if (key === undefined) return yield* Effect.fail(malformedKey)
              yield* requireRoom(tenant)
              const { job } = yield* submitted(request, query, (submission) =>
                onDemand.submit({ ...submission, key, submittedBy: principal.keyId ?? null })
              )
              return respond(jobObject(yield* waited({ tenant: tenant.name, id: job.id })))
            },
            Effect.provideService(Engine, engine),
            answering
          )
        )
        .handleRaw(
          "quote",
          Effect.fnUntraced(function* ({ request, query }) {
            return respond(
              yield* submitted(request, query, (submission) =>
                Effect.ensuring(onDemand.quote(submission), onDemand.discard(submission.upload))
              )
            )
          }, answering)
        )
        .handleRaw(
          "latest",
          Effect.fnUntraced(function* ({ request, query }) {
            const { tenant, principal } = yield* Caller
            const after = query.cursor === undefined ? null : parseCursor(query.cursor)
            if (after === undefined) {
              return yield* Effect.fail(
                problem("malformed-cursor", "Follow the header Link of the page before as it is.")
              )
            }
            const model = principal.model ?? query.model
            const page = yield* onDemand.list(
              {
                tenant: tenant.name,
                ...(model === undefined ? {} : { model }),
                ...(query.search === undefined ? {} : { search: query.search }),
                ...(query.status === undefined ? {} : { statuses: query.status })
              },
              after,
              query.limit ?? LATEST
            )
            const response = respond(page.jobs)
            return page.next === null
              ? response
              : HttpServerResponse.setHeader(response, "link", nextOf(request.url, printCursor(page.next)))
          }, answering)
        )
        .handleRaw("resultLink", linked("data"))
        .handleRaw("errorLink", linked("errors"))
        .handleRaw(
          "get",
          Effect.fnUntraced(function* ({ params }) {
            return respond(jobObject(yield* onDemand.get(yield* named(params.job))))
          }, answering)
        )
        .handleRaw(
          "rename",
          Effect.fnUntraced(function* ({ params, request }) {
            const one = yield* named(params.job)
            if (!/^(|application\/([\w.-]+\+)?json *(;.*)?)$/i.test(request.headers["content-type"] ?? "")) {
              return yield* Effect.fail(problem("unsupported-media-type", "Send the body as application/json."))
            }
            // The same words as in a submission, and read as leniently.
            const data = readDataPart(yield* Effect.orDie(request.text))
            if (isDataPartRejected(data)) {
              return yield* Effect.fail(problem("malformed-request", 'Send a JSON object such as {"name": "March"}.'))
            }
            yield* requireName(data.name)
            return respond(jobObject(yield* onDemand.rename(one, data.name)))
          }, answering)
        )
        .handleRaw("cancel", change(onDemand.cancel))
        .handleRaw("erase", change(onDemand.erase))
        .handleRaw(
          "models",
          Effect.fnUntraced(function* () {
            const { model } = (yield* Caller).principal
            return respond(onDemand.models.filter(({ name }) => model === undefined || name === model))
          }, answering)
        )
        .handleRaw(
          "usage",
          Effect.fnUntraced(function* ({ query }) {
            const { tenant, principal } = yield* Caller
            const [from, to] = [yield* timeOf("from", query.from), yield* timeOf("to", query.to)]
            const lines = yield* onDemand.usage({ tenant: tenant.name, ...from, ...to })
            return respond(lines.filter(({ model }) => principal.model === undefined || model === principal.model))
          }, answering)
        )
    })
  )

interface RawRequest {
  readonly request: HttpServerRequest
}

const modelOf = ({ model }: Principal) => (model === undefined ? {} : { model })

/** The model of a key, or the one that is asked for, or the only one. */
const chosen = (
  { model }: Principal,
  asked: string | undefined,
  models: ReadonlyArray<ModelView>
): Effect.Effect<string, Problem> => {
  if (model !== undefined) {
    return asked === undefined || asked === model
      ? Effect.succeed(model)
      : Effect.fail(problem("forbidden", `Your key is for the model "${model}". Leave ?model= out.`))
  }
  if (asked !== undefined) return Effect.succeed(asked)
  const [only, ...others] = models
  if (only !== undefined && others.length === 0) return Effect.succeed(only.name)
  const names = models.map(({ name }) => name).join(", ")
  return Effect.fail(
    problem("malformed-request", `Your key is for no model in particular. Name one as ?model=: ${names}.`)
  )
}

const requireName = (name: string | null): Effect.Effect<void, Problem> =>
  name === null || isName(name)
    ? Effect.void
    : Effect.fail(
        problem("malformed-request", `A name has 1 to ${MAX_NAME} characters and none of them controls anything.`)
      )

const malformedKey = problem(
  "malformed-idempotency-key",
  'Write the key in quotes, e.g. "8e03978e-40d5-43dd", with 1 to 200 visible characters.'
)

const timeOf = <Name extends "from" | "to">(
  name: Name,
  text: string | undefined
): Effect.Effect<{ readonly [_ in Name]?: number }, Problem> => {
  if (text === undefined) return Effect.succeed({})
  const at = parseInstant(text)
  return at === undefined
    ? Effect.fail(problem("malformed-request", `Write ?${name}= as 2026-01-31T00:00:00Z.`))
    : Effect.succeed({ [name]: toMillis(at) } as { readonly [_ in Name]?: number })
}

/** Where the client found the server: hosts that mount it tell all of the address, a socket only its path. */
const originOf = ({ originalUrl, headers }: HttpServerRequest): string => {
  const told = [originalUrl, `http://${headers["host"]}`]
  return new URL(told.find((one) => URL.canParse(one)) ?? "http://localhost").origin
}

/** RFC 8288, with the same filter. */
const nextOf = (url: string, cursor: string): string => {
  const query = new URLSearchParams(url.split("?")[1] ?? "")
  query.set("cursor", cursor)
  return `</api/v1/jobs/latest?${query}>; rel="next"`
}

type Trouble =
  | Problem
  | UnknownModel
  | OnDemandRefused
  | UploadTooLarge
  | ResultMissing
  | BlobExists
  | { readonly _tag: KnownTag; readonly message: string }

const faultOf = (error: Trouble): Problem => {
  if (!("_tag" in error)) return error
  switch (error._tag) {
    case "UnknownModel":
    case "OnDemandRefused":
    case "ResultMissing":
      return problem("malformed-request", error.message)
    case "UploadTooLarge":
      return problem("payload-too-large", error.message)
    case "BlobNotFound":
    case "BlobDenied":
    case "BlobExists":
      // The bucket is the server's own: who asks can do nothing about it.
      return problem("unavailable", "The server cannot reach its files. Try again later.")
    default:
      return problemOf(error)
  }
}

/** Says what went wrong in the form of this interface. */
const answering = <E extends Trouble, R>(effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  effect.pipe(
    Effect.catch((error) => Effect.map(CurrentRequest, ({ asked }) => envelopeForm.render(faultOf(error), asked)))
  )
