import { sqlRunKind } from "@sotto/core/launcher"
import { aggregationKind } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { AggregationRules } from "../src/AggregationRules.ts"
import { json, play, serve, tenantOf } from "./support/Rig.ts"

const aggregation = (more: { readonly site?: string; readonly bucket?: string; readonly domain?: string } = {}) => ({
  kind: "aggregation",
  parameters: {
    inputDataBucketName: more.bucket ?? "data",
    inputDataBlobPrefix: "reports/",
    outputDataBucketName: "data",
    outputDataBlobPrefix: "summary",
    jobParameters: {
      reporting_site: more.site ?? "https://shop.example",
      output_domain_bucket_name: more.domain ?? "data",
      output_domain_blob_prefix: "domain.avro"
    }
  }
})

const asked = (body: unknown, query = "") =>
  Effect.gen(function* () {
    const tenants = [tenantOf("acme", { sites: ["https://shop.example"], buckets: ["data"] })]
    const { ask } = yield* serve({ tenants, kinds: [aggregationKind, sqlRunKind] }).pipe(
      Effect.provideService(AggregationRules, {
        siteOf: (origin) => (origin.endsWith(".shop.example") ? "https://shop.example" : undefined),
        domainOptional: false
      })
    )
    const answer = yield* ask(`POST /v1/jobs${query}`, { as: "acme", body })
    const { type, state } = yield* json(answer)
    return [answer.status, type ?? state]
  })

const FORBIDDEN = [403, "urn:sotto:problem:forbidden"]

describe("Admission", () => {
  it("lets a tenant ask about its own sites, in its own buckets", () =>
    play(() =>
      Effect.gen(function* () {
        expect(yield* asked(aggregation())).toEqual([202, "Queued"])
        const { reporting_site: _, ...jobParameters } = aggregation().parameters.jobParameters
        const origin = { ...jobParameters, attribution_report_to: "https://ads.shop.example" }
        const body = { ...aggregation(), parameters: { ...aggregation().parameters, jobParameters: origin } }
        expect(yield* asked(body)).toEqual([202, "Queued"])
      })
    ))

  it("leaves drivers of runs to the launcher, which lets one follow another", () =>
    play(() =>
      Effect.gen(function* () {
        const parameters = { jobId: "abcdefghijkl", jobConfig: { id: "clicks" }, launchedAt: 0 }
        expect(yield* asked({ kind: "sql-run", parameters })).toEqual([422, "urn:sotto:problem:invalid-submission"])
      })
    ))

  it.each([{ site: "https://other.example" }, { bucket: "theirs" }, { domain: "theirs" }])(
    "refuses %j at creation, and when it is only to be validated",
    (more) =>
      play(() =>
        Effect.gen(function* () {
          expect(yield* asked(aggregation(more))).toEqual(FORBIDDEN)
          expect(yield* asked(aggregation(more), "?validateOnly=true")).toEqual(FORBIDDEN)
        })
      )
  )

  it("refuses parameters that no worker could read", () =>
    play(() =>
      Effect.gen(function* () {
        const parameters = { ...aggregation().parameters, jobParameters: {} }
        expect(yield* asked({ kind: "aggregation", parameters })).toEqual([422, "urn:sotto:problem:invalid-submission"])
      })
    ))
})
