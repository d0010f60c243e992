/**
 * What a tenant may submit, by whichever interface: jobs about its own sites, in its own buckets, not too many at once.
 */
import { type Parameters, parseParameters, type Reporter } from "@sotto/core/aggregation"
import { isAutomationKind } from "@sotto/core/automation"
import { isTerminal } from "@sotto/core/job"
import { sqlRunKind } from "@sotto/core/launcher"
import { onDemandKind } from "@sotto/core/tabular"
import { aggregationKind, Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { ownsBucket, ownsSite, type Tenant } from "./access/Tenants.ts"
import { AggregationRules } from "./AggregationRules.ts"
import { problem, problemOf } from "./Problem.ts"

/** Fails unless the tenant has room for one more job. */
export const requireRoom = Effect.fnUntraced(function* ({ name, limits }: Tenant) {
  if (limits.jobs === null) return
  const engine = yield* Engine
  const tally = yield* Effect.mapError(engine.tally(name), problemOf)
  const live = tally.reduce((sum, { state, jobs }) => sum + (isTerminal(state) ? 0 : jobs), 0)
  if (live < limits.jobs) return
  return yield* Effect.fail(
    problem("too-many-jobs", `You have ${live} jobs that are not over. Wait for some to end, or cancel them.`)
  )
})

/** Fails unless the tenant may submit a job of this kind with these parameters, which are those that clients write. */
export const requireOwn = Effect.fnUntraced(function* (tenant: Tenant, kind: string, parameters: unknown) {
  if (kind === onDemandKind.name) return yield* Effect.fail(onlyWithFile)
  if (isAutomationKind(kind)) return yield* Effect.fail(onlyByService)
  if (kind === sqlRunKind.name) return yield* Effect.fail(onlyByLaunch)
  if (kind !== aggregationKind.name) return
  const read = aggregationKind.parameters.decode(parameters)
  // What cannot be read is refused by the kind, which says why.
  if (read._tag === "NotCoded") return
  const { siteOf, domainOptional } = yield* AggregationRules
  const { jobRequestId, jobParameters, inputDataBucketName, outputDataBucketName } = read.value
  const told = parseParameters({ jobRequestId, jobParameters, domainOptional })
  if ("_tag" in told) return yield* Effect.fail(problem("invalid-submission", told.message))
  const strange = strangeIn(told, [inputDataBucketName, outputDataBucketName], tenant, siteOf)
  if (strange !== undefined) return yield* Effect.fail(problem("forbidden", strange))
})

/** Its parameters say where its file is and what was paid: they are the server's to write. */
const onlyWithFile = problem("invalid-submission", "Submit it with its file, by POST /api/v1/jobs.")

/** Its inputs are sealed with a key that its parameters name. */
const onlyByService = problem(
  "invalid-submission",
  "Submit it by the interface of automations, which names its service."
)

/** What an aggregation names first that is not the tenant's, said in a sentence: a bucket, or whose reports it takes. */
export const strangeIn = (
  { outputDomain, reporter }: Parameters,
  buckets: ReadonlyArray<string>,
  tenant: Tenant,
  siteOf: AggregationRules["siteOf"]
): string | undefined => {
  const named = outputDomain === undefined ? buckets : [...buckets, outputDomain.bucketName]
  const strange = named.find((name) => !ownsBucket(tenant, name))
  if (strange !== undefined) return `The bucket "${strange}" is not yours. Name one that is.`
  return ownsSite(tenant, reporter, siteOf) ? undefined : `Reports for ${whose(reporter)} are not yours to ask about.`
}

const whose = (reporter: Reporter): string =>
  reporter._tag === "Site" ? reporter.reportingSite : reporter.attributionReportTo

/** It follows other runs of its configuration by a key that the launch sets, and drives the run that the launch made. */
const onlyByLaunch = problem(
  "invalid-submission",
  "Launch the configuration by POST /job-launcher/launcher, which makes this job."
)
