/** What is run and killed: two kinds with short leases, and what their workers tell the test, one JSON line at a time. */
import { aggregationKind } from "@sotto/engine"
import { JobKind } from "@sotto/core/job"
import * as Schema from "effect/Schema"

/** Short, so that a killed worker is noticed soon; and as many failures as it takes. */
const often = {
  lease: { leaseMs: 1_200, renewMs: 400 },
  retry: { maxFailures: 100, firstMs: 50, factor: 1, capMs: 50 }
}

/** Who did something: proof that it had the job then. */
const By = Schema.Struct({ worker: Schema.String, epoch: Schema.Int })

/** Each step hashes the one before; so an output shows all that led to it. */
export const chainKind = JobKind.make({
  name: "chain",
  relation: "leased",
  parameters: Schema.Struct({ name: Schema.String, steps: Schema.Int, rounds: Schema.Int }),
  result: Schema.Struct({ link: Schema.String, by: By }),
  failure: Schema.Null,
  ...often
})

export const summaryKind = { ...aggregationKind, ...often }

/** Where a worker may be told to die; the name says what was done last. */
export const POINTS = [
  "claimed",
  "worked",
  "committing",
  "committed",
  "renewed",
  "opening",
  "paying",
  "charged",
  "headRaised",
  "writing",
  "written"
] as const

export type Point = (typeof POINTS)[number]

/** In a home. */
export const KEYS_FILE = "ledger-keys.json"

export interface WorkerArguments {
  readonly name: string
  /** The store with the ledger, the ledger's keys and the folder `out`. */
  readonly home: string
  /** The folder `in` with reports and domain, which several homes may share. */
  readonly shared: string
  /** Dies when it comes to this point for the `nth` time (from 1). */
  readonly die?: { readonly point: Point; readonly nth: number }
}

/** What a worker holds, so that the test can write in its name when it is dead. */
export interface Held {
  readonly tenant: string
  readonly id: string
  readonly epoch: number
  readonly token: string
}

export type Told =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Claimed"; readonly leases: ReadonlyArray<Held> }
  /** The store refused a write or a renewal. */
  | { readonly _tag: "Refused"; readonly what: "write" | "renewal" }
  | { readonly _tag: "Dying"; readonly point: Point }
