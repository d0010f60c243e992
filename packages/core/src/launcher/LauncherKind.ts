/** Runs that a driver reports, and the job of ours that is the driver when our own engine runs the SQL (other systems A2). */
import * as Schema from "effect/Schema"
import type { Job } from "../job/Job.ts"
import { JobKind } from "../job/Kind.ts"

const MINUTE_MS = 60_000

/** A configuration as it was given: it is shown in every status, members that we do not know included. */
const JobConfig = Schema.Record(Schema.String, Schema.Json)

const LaunchParameters = Schema.Struct({ jobConfig: JobConfig })

export type LaunchParameters = typeof LaunchParameters.Type

/** Outward words are those of the report table (spec: launcher §1). */
export const launcherKind = JobKind.make({
  name: "launcher",
  relation: "reported",
  parameters: LaunchParameters,
  result: Schema.Json,
  failure: Schema.Json,
  silenceMs: 10 * MINUTE_MS,
  outward: {
    states: {
      Queued: "idle",
      Starting: "starting",
      Running: "running",
      Finishing: "finishing",
      Cancelling: "cancelling",
      Unknown: "unknown",
      Succeeded: "finished",
      Failed: "error",
      Cancelled: "cancelled",
      Skipped: "skipped"
    }
  }
})

const SqlRunParameters = Schema.Struct({
  /** The run that this job drives. */
  jobId: Schema.String,
  jobConfig: JobConfig,
  /** When it was launched, in milliseconds since 1970: the reference time of a configuration that names none. */
  launchedAt: Schema.Int
})

export type SqlRunParameters = typeof SqlRunParameters.Type

/**
 * One worker at a time drives a run, because its driver is a leased job; runs that write to one collection follow one another.
 * Neither an endless statement nor many runs of one tenant may keep the workers from all others.
 */
export const sqlRunKind = JobKind.make({
  name: "sql-run",
  relation: "leased",
  parameters: SqlRunParameters,
  result: Schema.Json,
  failure: Schema.Json,
  deadlineMs: 360 * MINUTE_MS,
  perTenant: 2,
  perKey: 1,
  without: {
    states: ["AwaitingInput", "AwaitingExternal"],
    events: ["InputGiven", "OutputEmitted", "Reset"]
  }
})

/** The name of the configuration that a run was launched with; empty for a report of an unknown one. */
export const configurationOf = (job: Pick<Job, "parameters">): string => {
  const { jobConfig } = job.parameters as unknown as LaunchParameters
  return typeof jobConfig["id"] === "string" ? jobConfig["id"] : ""
}
