import type { Rejected } from "@sotto/core/job"
import * as Schema from "effect/Schema"

/** No kind of this name is registered here. */
export class UnknownKind extends Schema.TaggedError<UnknownKind>()("UnknownKind", {
  kind: Schema.String,
  message: Schema.String
}) {}

/** This tenant has no such job: it never had, or the job was kept for as long as its kind says and is gone. */
export class UnknownJob extends Schema.TaggedError<UnknownJob>()("UnknownJob", {
  id: Schema.String,
  message: Schema.String
}) {}

/** Parameters or options are not what the kind takes; nothing was submitted. */
export class InvalidSubmission extends Schema.TaggedError<InvalidSubmission>()("InvalidSubmission", {
  kind: Schema.String,
  message: Schema.String
}) {}

/** The key names another job: one with other parameters. */
export class KeyTaken extends Schema.TaggedError<KeyTaken>()("KeyTaken", {
  /** The job that has the key. */
  id: Schema.String,
  message: Schema.String
}) {}

/** The job is where this cannot be done; nothing changed. */
export class CommandRefused extends Schema.TaggedError<CommandRefused>()("CommandRefused", {
  id: Schema.String,
  state: Schema.String,
  event: Schema.String,
  /** A guard of the lifecycle, `not` a guard, or `notListed`. */
  reason: Schema.String,
  message: Schema.String
}) {}

/** A worker wrote under a lease that is not current. */
export class LeaseEnded extends Schema.TaggedError<LeaseEnded>()("LeaseEnded", {
  because: Schema.Literals(["expired", "superseded", "cancelled", "reset"]),
  message: Schema.String
}) {}

/** Options of an engine, worker or sweeper that cannot be sound; `message` lists what to change. */
export class OptionsRejected extends Schema.TaggedError<OptionsRejected>()("OptionsRejected", {
  faults: Schema.Array(Schema.String),
  message: Schema.String
}) {}

/** Throws `OptionsRejected` if there is a fault: such options are a mistake in a program, not something that happens. */
export const demandSound = (what: string, faults: ReadonlyArray<string>): void => {
  if (faults.length > 0) {
    throw new OptionsRejected({ faults, message: `Correct the options of the ${what}: ${faults.join("; ")}.` })
  }
}

export const wholeFaults = (name: string, value: number, from: number, to: number): ReadonlyArray<string> =>
  Number.isInteger(value) && value >= from && value <= to
    ? []
    : [`${name} is a whole number from ${from} to ${to}, not ${value}`]

/** A sentence for each name that stands there more than once. */
export const repeatedFaults = (what: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set(names.filter((name, i) => names.indexOf(name) !== i))].map(
    (name) => `${what} has "${name}" more than once; give each its own name`
  )

export const unknownKind = (kind: string, known: ReadonlyArray<string>): UnknownKind =>
  new UnknownKind({
    kind,
    message: `No kind of job is called "${kind}" here. Register it, or use one of: ${known.join(", ") || "(none)"}.`
  })

export const unknownJob = (id: string): UnknownJob =>
  new UnknownJob({ id, message: `There is no job "${id}". Check the id and the tenant.` })

export const refused = (id: string, { state, event, reason, message }: Rejected): CommandRefused =>
  new CommandRefused({ id, state, event, reason, message: `${message}. The job was left as it is.` })

export const leaseEnded = (because: LeaseEnded["because"]): LeaseEnded =>
  new LeaseEnded({ because, message: `The lease is over (${because}): stop, another worker may have the job.` })
