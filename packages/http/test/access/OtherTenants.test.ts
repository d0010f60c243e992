import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { Tokens } from "../../src/access/Tokens.ts"
import { type Answer, AS_OF, createJobBody, type House, read, type Things, visit } from "./House.ts"
import { isAbout, nameOf, type Operation, operationsOf, requestOf } from "./Operations.ts"

/** Parameters that name a tenant's things; all others mean the same for everybody. */
const IDS = ["job", "job_request_id", "endpoint", "delivery", "challenge"]

/** Parameters that name a thing of whoever asks: another tenant may have one of the same name. */
const NAMES = ["configuration", "resource"]

const ABSENT = {
  job: "0d0d0d0d-0d0d-4d0d-8d0d-0d0d0d0d0d0d",
  job_request_id: "abcd-request",
  endpoint: `ep_${"0d".repeat(16)}`,
  delivery: `msg_0mngx3ltw${"0d".repeat(16)}`,
  challenge: "0e0e0e0e-0e0e-4e0e-8e0e-0e0e0e0e0e0e"
}

/** Ids of nothing, as long as those of something, so that answers are as long. */
const absentBeside = ({ job }: { readonly job: string }) => ({ ...ABSENT, job: ABSENT.job.slice(0, job.length) })

const document = ({ ask }: House) => Effect.map(ask("GET /openapi.json"), (answer) => operationsOf(read(answer)))

/** The things of the first tenant as parameters, once for each of its jobs. */
const valuesOf = ({ jobs, file, endpoint, delivery, configuration, challenge }: Things) =>
  Object.values(jobs).map((job) => ({
    job,
    job_request_id: "acme-request",
    endpoint,
    delivery,
    challenge,
    configuration,
    resource: `spark:${configuration}`,
    file,
    name: file,
    input: "address",
    output: "offer",
    sequence: "1",
    kind: "interview",
    stage: "prod"
  }))

const idsIn = (values: typeof ABSENT): ReadonlyArray<string> => [
  values.job,
  values.job_request_id,
  values.endpoint,
  values.delivery,
  values.challenge
]

/** What a client may tell two answers apart by, with the ids it asked for taken out. */
const told = ({ status, headers, body }: Answer, ids: ReadonlyArray<string>) => {
  const { "x-request-id": _, ...rest } = headers
  const anonymous = (text: string) => ids.reduce((all, id) => all.replaceAll(id, "…"), text)
  return { status, headers: anonymous(JSON.stringify(rest)), body: anonymous(body) }
}

const ACCEPTED = ["*/*", "text/event-stream"]

const send = (
  { ask }: House,
  operation: Operation,
  values: Readonly<Record<string, string>>,
  key: string,
  accept = "*/*"
) => {
  const { line, asked } = requestOf(operation, values)
  return ask(line, { ...asked, key, headers: { ...asked.headers, accept } })
}

/** All that the first tenant can see of its things. */
const everythingOf = (house: House, key: string, { jobs, endpoint, configuration, challenge }: Things) =>
  Effect.map(
    Effect.forEach(
      [
        "/v1/jobs",
        `/v1/webhooks/${endpoint}`,
        `/v1/webhooks/${endpoint}/deliveries`,
        `/automation/3d-secure/${challenge}`,
        "/job-launcher/launcher/status",
        ...["", "/watermark"].map((part) => `/api/spark/configurations/${configuration}${part}`),
        ...["history", "schedule"].map((part) => `/api/jobs/spark:${configuration}/${part}`),
        ...Object.values(jobs).flatMap((id) => [`/v1/jobs/${id}`, `/v1/jobs/${id}/events`])
      ],
      (path) => house.ask(`GET ${path}`, { key })
    ),
    (answers) => answers.map(({ body }) => body).join("\n")
  )

describe("Another tenant's key", () => {
  it("is answered about the first tenant's things as about things that are not there, by every operation", () =>
    visit((house, things) =>
      Effect.gen(function* () {
        const operations = (yield* document(house)).filter((one) => isAbout(one, IDS))
        expect(operations.length).toBeGreaterThan(45)
        for (const path of ["/api/v1/", "/job-launcher/", "/automation/jobs/", "/automation/3d-secure/"])
          expect(
            operations.some((one) => one.path.startsWith(path)),
            path
          ).toBe(true)
        const before = yield* everythingOf(house, house.keys.acme, things)
        for (const operation of operations) {
          for (const values of valuesOf(things)) {
            for (const key of [house.keys.other, house.keys.admin]) {
              for (const accept of ACCEPTED) {
                const real = yield* send(house, operation, values, key, accept)
                const nothing = absentBeside(values)
                const absent = yield* send(house, operation, { ...values, ...nothing }, key, accept)
                const ids = [...idsIn(values), ...idsIn(nothing)]
                expect(told(real, ids), nameOf(operation)).toEqual(told(absent, ids))
                expect(real.status, nameOf(operation)).toBeGreaterThanOrEqual(400)
                expect(real.status, nameOf(operation)).toBeLessThan(500)
              }
            }
          }
        }
        expect(yield* everythingOf(house, house.keys.acme, things)).toBe(before)
      })
    ))

  it("is refused alike by HEAD, of which no body tells", () =>
    visit((house, things) =>
      Effect.gen(function* () {
        const operations = (yield* document(house)).filter((one) => one.method === "GET" && isAbout(one, IDS))
        for (const operation of operations.map((one) => ({ ...one, method: "HEAD" }))) {
          for (const values of valuesOf(things)) {
            const real = yield* send(house, operation, values, house.keys.other)
            const nothing = absentBeside(values)
            const absent = yield* send(house, operation, { ...values, ...nothing }, house.keys.other)
            const ids = [...idsIn(values), ...idsIn(nothing)]
            expect(told(real, ids), nameOf(operation)).toEqual(told(absent, ids))
            expect([real.body, real.status >= 400], nameOf(operation)).toEqual(["", true])
          }
        }
      })
    ))

  it("sees nothing of the first tenant in what is not about one thing", () =>
    visit((house, things) =>
      Effect.gen(function* () {
        const operations = (yield* document(house)).filter((one) => !isAbout(one, IDS))
        expect(operations.filter((one) => isAbout(one, NAMES)).length).toBeGreaterThan(8)
        const before = yield* everythingOf(house, house.keys.acme, things)
        const marks = [
          "acme",
          ...Object.values(things.jobs),
          things.question,
          things.endpoint,
          things.delivery,
          things.challenge
        ]
        let seen = 0
        for (const operation of operations) {
          const [values = {}] = valuesOf(things).map(({ kind, sequence, stage, configuration, resource }) => ({
            kind,
            sequence,
            stage,
            configuration,
            resource
          }))
          const { status, body, headers } = yield* send(house, operation, values, house.keys.other)
          const text = `${body}${JSON.stringify(headers)}`.toLowerCase()
          if (status < 300) seen++
          for (const mark of marks) expect(text.includes(mark), `${nameOf(operation)} told ${mark}`).toBe(false)
          expect(status, nameOf(operation)).not.toBe(500)
        }
        expect(seen).toBeGreaterThan(20)
        expect(yield* everythingOf(house, house.keys.acme, things)).toBe(before)
      })
    ))

  it("is what it fails for: the first tenant's own key is answered by every operation", () =>
    visit((house, things) =>
      Effect.gen(function* () {
        const operations = (yield* document(house)).filter((one) => isAbout(one, IDS))
        // A challenge is over when its job is. What removes a thing comes last.
        const last = (one: Operation) => (isAbout(one, ["challenge"]) ? -1 : Number(one.method === "DELETE"))
        for (const operation of operations.toSorted((a, b) => last(a) - last(b))) {
          const answers = yield* Effect.forEach(valuesOf(things), (values) =>
            send(house, operation, values, house.keys.acme)
          )
          const known = answers.filter(({ status, body }) => status < 300 || status === 303 || !isUnknown(body))
          expect(known.length, nameOf(operation)).toBeGreaterThan(0)
        }
      })
    ))

  it("does not reach the first tenant's deliveries through an endpoint of its own, and none is sent to it", () =>
    visit((house, things) =>
      Effect.gen(function* () {
        const { other } = house.keys
        const at = (delivery: string) => `/v1/webhooks/${things.otherEndpoint}/deliveries/${delivery}`
        for (const line of ["GET", "POST"]) {
          const to = (delivery: string) =>
            house.ask(`${line} ${at(delivery)}${line === "GET" ? "" : "/redeliver"}`, { key: other })
          const [real, absent] = [yield* to(things.delivery), yield* to(ABSENT.delivery)]
          const ids = [things.delivery, ABSENT.delivery]
          expect(told(real, ids)).toEqual(told(absent, ids))
          expect(real.status).toBe(404)
        }
        const sent = house.told.sent.map(({ url }) => url)
        expect(new Set(sent)).toEqual(new Set(["https://acme.test/hook"]))
      })
    ))

  it("has names of its own: ids, keys and requests of the first tenant are free for it", () =>
    visit(({ ask, keys: { acme, other } }) =>
      Effect.gen(function* () {
        const own = {
          input_data_bucket_name: "elsewhere",
          output_data_bucket_name: "elsewhere",
          job_parameters: {
            reporting_site: "https://other.org",
            output_domain_bucket_name: "elsewhere",
            output_domain_blob_prefix: "domain/"
          }
        }
        const create = (key: string, more: object) =>
          ask("POST /v1alpha/createJob", { key, body: createJobBody("acme-request", more) })
        expect((yield* create(other, own)).status).toBe(202)
        expect((yield* create(acme, {})).status).toBe(409)

        const submit = (key: string) =>
          ask("POST /v1/jobs", {
            key,
            headers: { "idempotency-key": '"acme-acme-offer"' },
            body: { kind: "interview", name: "acme acme-offer", parameters: { text: "acme-offer" } }
          })
        const [mine, theirs] = [yield* submit(other), yield* submit(acme)]
        expect([mine.status, theirs.status]).toEqual([202, 200])
        expect(read(mine).id).not.toBe(read(theirs).id)
      })
    ))

  it("turns no page of the first tenant's list", () =>
    visit((house) =>
      Effect.gen(function* () {
        const { ask, keys } = house
        const page = read(yield* ask("GET /v1/jobs?limit=1", { key: keys.acme }))
        expect(page.next).not.toBeNull()
        const turned = yield* ask(`GET /v1/jobs?cursor=${encodeURIComponent(page.next)}`, { key: keys.other })
        expect(turned.status).toBeLessThan(500)
        if (turned.status === 200) expect(read(turned)).toEqual({ jobs: [], next: null })
      })
    ))

  const MINE = { reporting_site: "https://other.org" }

  it.each<readonly [what: string, buckets: object, reporter: object, domain: string]>([
    ["a site that is not its own", {}, { reporting_site: "https://example.com" }, "elsewhere"],
    ["an origin that is not its own", {}, { attribution_report_to: "https://a.example.com" }, "elsewhere"],
    ["a bucket to read that is not its own", { input_data_bucket_name: "data" }, MINE, "elsewhere"],
    ["a bucket to write that is not its own", { output_data_bucket_name: "data" }, MINE, "elsewhere"],
    ["a bucket of the domain that is not its own", {}, MINE, "data"],
    ["a bucket that nobody has", { input_data_bucket_name: "nowhere" }, MINE, "elsewhere"]
  ])("makes no job about %s", (_, buckets, reporter, domain) =>
    visit(({ ask, keys: { other } }) =>
      Effect.gen(function* () {
        const body = {
          ...createJobBody("mine"),
          input_data_bucket_name: "elsewhere",
          output_data_bucket_name: "elsewhere",
          ...buckets,
          job_parameters: {
            ...reporter,
            output_domain_bucket_name: domain,
            output_domain_blob_prefix: "domain/"
          }
        }
        const flat = yield* ask("POST /v1alpha/createJob", { key: other, body })
        expect(flat.status).toBe(403)
        expect(read(flat)).toMatchObject({ code: 7, details: [{ reason: "PERMISSION_DENIED" }] })
        const native = yield* ask("POST /v1/jobs", {
          key: other,
          body: {
            kind: "aggregation",
            parameters: {
              inputDataBucketName: body.input_data_bucket_name,
              inputDataBlobPrefix: body.input_data_blob_prefix,
              outputDataBucketName: body.output_data_bucket_name,
              outputDataBlobPrefix: body.output_data_blob_prefix,
              jobParameters: body.job_parameters
            }
          }
        })
        expect([native.status, read(native).type]).toEqual([403, "urn:sotto:problem:forbidden"])
        expect(read(yield* ask("GET /v1/jobs", { key: other })).jobs).toEqual([])
      })
    )
  )

  it("reads the metrics of all only if it is an operator's", () =>
    visit(({ ask, keys }) =>
      Effect.gen(function* () {
        expect((yield* ask("GET /metrics", { key: keys.other })).status).toBe(403)
        expect((yield* ask("GET /metrics", { key: keys.admin })).status).toBe(200)
      })
    ))
})

describe("A token for one job", () => {
  it("is answered about its tenant's other jobs as about jobs that are not there, and by nothing else", () =>
    visit((house, things) =>
      Effect.gen(function* () {
        const { waiting, ...others } = things.jobs
        const grant = { tenant: "acme", id: waiting, until: AS_OF + 1_000_000 }
        const token = yield* Effect.provideContext(
          Effect.map(
            Tokens.use((tokens) => tokens.jobToken(grant)),
            Redacted.value
          ),
          house.context
        )
        const [values] = valuesOf(things)
        let mine = 0
        for (const operation of yield* document(house)) {
          const name = nameOf(operation)
          if (operation.isOpen) continue
          if (isAbout(operation, ["job"])) {
            for (const job of Object.values(others)) {
              const real = yield* send(house, operation, { ...values, job }, token)
              const nothing = absentBeside({ job })
              const absent = yield* send(house, operation, { ...values, ...nothing }, token)
              expect(told(real, [job, nothing.job]), name).toEqual(told(absent, [job, nothing.job]))
              expect(real.status, name).toBe(CLOSED_TO_TOKENS.test(name) ? 403 : 404)
            }
            const own = yield* send(house, operation, { ...values, job: waiting }, token)
            if (own.status < 300) mine++
          } else {
            const { status } = yield* send(house, operation, { ...values }, token)
            expect(ABOUT_ITS_OWN.get(name) ?? 403, name).toBe(status)
          }
        }
        expect(mine).toBeGreaterThan(4)
      })
    ))

  it("opens the vault if the job is an automation", () =>
    visit((house, { jobs }) =>
      Effect.gen(function* () {
        const grant = { tenant: "acme", id: jobs.automation, until: AS_OF + 1_000_000 }
        const token = yield* Effect.provideContext(
          Tokens.use((tokens) => tokens.jobToken(grant)),
          house.context
        )
        const { status } = yield* house.ask("POST /automation/vault/otp", { key: Redacted.value(token), body: {} })
        expect(status).toBe(200)
      })
    ))
})

/** Closed to tokens, also to the job's own: what makes them, and the work of operators. */
const CLOSED_TO_TOKENS = /^POST .*\/(tokens$|worker\/)/

/** What looks itself which job it is about, and the vault, which is for tokens of automations. */
const ABOUT_ITS_OWN: ReadonlyMap<string, number> = new Map([
  ["POST /job-launcher/launcher/status", 404],
  ["GET /automation/3d-secure/{challenge}", 404],
  ["POST /automation/3d-secure/{challenge}/finish", 404],
  ["POST /automation/vault/otp", 404]
])

const isUnknown = (body: string): boolean =>
  /unknown-(job|endpoint|delivery)|JOB_NOT_FOUND|There is no (job|challenge)/.test(body)
