import { type Parameters, parseParameters, parseRequest, type AggregationRequest } from "@sotto/core/aggregation"
import { aggregationKind, Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { ownsBucket, ownsSite, type Tenant } from "../access/Tenants.ts"
import type { AggregationRules } from "../AggregationRules.ts"
import {
  alreadyExists,
  answer,
  databaseFailed,
  type FlatAnswer,
  invalidArgument,
  permissionDenied
} from "./FlatAnswer.ts"

/**
 * Submits the aggregation that a body asks for; its `job_request_id` becomes the job's key.
 *
 * Checked are, in this order: the request (spec: aggregation §1.3), the parameters that the original leaves to its worker
 * (§2.3, §9.4), that reports and buckets are the tenant's (spec: ledger §7), and that the id is new, whatever was asked
 * with it before.
 */
export const createJob = Effect.fn("v1alpha.createJob")(function* (
  body: string,
  tenant: Tenant,
  { siteOf, domainOptional }: AggregationRules
) {
  const request = parseRequest(body)
  if ("_tag" in request) return invalidArgument(request.reason, request.message)
  const parameters = parseParameters({ ...request, domainOptional })
  if ("_tag" in parameters) return invalidArgument("VALIDATION_FAILED", parameters.message)
  const foreign = foreignIn(request, parameters, tenant, siteOf)
  if (foreign !== undefined) return permissionDenied(`${foreign} is not among those of your tenant.`)

  const engine = yield* Engine
  const { jobRequestId: key } = request
  return yield* engine.submit({ kind: aggregationKind.name, tenant: tenant.name, key, parameters: request }).pipe(
    Effect.map(({ created }): FlatAnswer => (created ? answer(202, {}) : duplicate(key))),
    Effect.catchTags({
      KeyTaken: () => Effect.succeed(duplicate(key)),
      InvalidSubmission: ({ message }) => Effect.succeed(invalidArgument("VALIDATION_FAILED", message)),
      JobStoreUnavailable: () => Effect.succeed(databaseFailed),
      // A server without aggregations has no such route.
      UnknownKind: Effect.die
    })
  )
})

const duplicate = (id: string): FlatAnswer =>
  alreadyExists("DUPLICATE_JOB_KEY", `Duplicate job_request_id provided: job_request_id=${id} is not unique.`)

/** What the request names first that is not the tenant's. */
const foreignIn = (
  { inputDataBucketName, outputDataBucketName }: AggregationRequest,
  { reporter, outputDomain }: Parameters,
  tenant: Tenant,
  siteOf: AggregationRules["siteOf"]
): string | undefined => {
  if (!ownsSite(tenant, reporter, siteOf)) {
    return reporter._tag === "Site"
      ? `The reporting_site ${reporter.reportingSite}`
      : `The attribution_report_to ${reporter.attributionReportTo}`
  }
  const buckets = [inputDataBucketName, outputDataBucketName, ...(outputDomain ? [outputDomain.bucketName] : [])]
  const bucket = buckets.find((bucket) => !ownsBucket(tenant, bucket))
  return bucket === undefined ? undefined : `The bucket ${bucket}`
}
