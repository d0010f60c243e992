import { aggregationKind, Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"
import type * as Context from "effect/Context"
import { start, type Ports } from "../../../engine/test/Rig.ts"
import type { Tenant } from "../../src/access/Tenants.ts"
import { createJob } from "../../src/v1alpha/CreateJob.ts"
import type { FlatAnswer } from "../../src/v1alpha/FlatAnswer.ts"
import { getJob } from "../../src/v1alpha/GetJob.ts"

const TENANT: Tenant = {
  name: "acme",
  sites: "any",
  buckets: "any",
  ledgerScope: "default",
  operator: false,
  limits: { requestsPerMinute: null, jobs: null, streams: null }
}

export const REQUEST = {
  job_request_id: "request-1",
  input_data_blob_prefix: "in/",
  input_data_bucket_name: "data",
  output_data_blob_prefix: "out/summary.avro",
  output_data_bucket_name: "data",
  job_parameters: {
    attribution_report_to: "https://a.example.com",
    output_domain_bucket_name: "data",
    output_domain_blob_prefix: "domain/"
  }
}

/** The site is what follows the first label. */
const siteOf = (origin: string): string | undefined =>
  /^https:\/\/\w+\.(\w+\.\w+)$/.exec(origin)?.[1]?.replace(/^/, "https://")

/** The two calls over an engine, for a tenant that may do all unless it is said otherwise. */
export const calls = (engine: Engine["Service"]) => {
  const send = (body: string, tenant: Partial<Tenant> = {}, domainOptional = false): Effect.Effect<FlatAnswer> =>
    createJob(body, { ...TENANT, ...tenant }, { siteOf, domainOptional }).pipe(Effect.provideService(Engine, engine))
  return {
    send,
    create: (changes: object = {}, tenant?: Partial<Tenant>, domainOptional?: boolean) =>
      send(JSON.stringify({ ...REQUEST, ...changes }), tenant, domainOptional),
    get: (query = "job_request_id=request-1", tenant = "acme"): Effect.Effect<FlatAnswer> =>
      getJob(query, tenant).pipe(Effect.provideService(Engine, engine))
  }
}

/** An engine that takes aggregations, with no one to run them. */
export const idle = (ports: Context.Context<Ports>) => start(ports, { kinds: [aggregationKind], sweeps: false })
