import { parseParameters, parseRequest } from "@sotto/core/aggregation"
import { aggregationKind, Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"
import type { Tenant } from "../access/Tenants.ts"
import { requireRoom, strangeIn } from "../Admission.ts"
import type { AggregationRules } from "../AggregationRules.ts"
import { storeLost } from "../Operation.ts"
import { causeOf } from "../Problem.ts"
import {
  alreadyExists,
  answer,
  databaseFailed,
  exhausted,
  type FlatAnswer,
  invalidArgument,
  notFound,
  permissionDenied
} from "./FlatAnswer.ts"

/**
 * Submits the aggregation that a body asks for; its `job_request_id` becomes the job's key.
 *
 * Checked are, in this order: the request (spec: aggregation §1.3), the parameters that the original leaves to its worker
 * (§2.3, §9.4), that reports and buckets are the tenant's (spec: ledger §7), that it has room for one more job, and that the
 * id is new, whatever was asked with it before.
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
  const { jobRequestId: key, inputDataBucketName, outputDataBucketName } = request
  const strange = strangeIn(parameters, [inputDataBucketName, outputDataBucketName], tenant, siteOf)
  if (strange !== undefined) return permissionDenied(strange)

  const engine = yield* Engine
  const submitted = engine.submit({ kind: aggregationKind.name, tenant: tenant.name, key, parameters: request }).pipe(
    Effect.map(({ created }) => (created ? answer(202, {}) : duplicate(key))),
    Effect.catchTags({
      KeyTaken: () => Effect.succeed(duplicate(key)),
      InvalidSubmission: ({ message }) => Effect.succeed(invalidArgument("VALIDATION_FAILED", message)),
      JobStoreUnavailable: ({ message }) => Effect.as(storeLost(message), databaseFailed),
      UnknownKind: () => Effect.succeed(noAggregations)
    })
  )
  return yield* Effect.matchEffect(requireRoom(tenant), {
    onSuccess: () => submitted,
    onFailure: (said): Effect.Effect<FlatAnswer> =>
      said.status === 429
        ? Effect.succeed(exhausted(said.detail))
        : Effect.as(storeLost(causeOf(said) ?? said.detail), databaseFailed)
  })
})

const noAggregations = notFound("INVALID_URL_PATH_OR_VARIABLE", "This server runs no aggregations.")

const duplicate = (id: string): FlatAnswer =>
  alreadyExists("DUPLICATE_JOB_KEY", `Duplicate job_request_id provided: job_request_id=${id} is not unique.`)
