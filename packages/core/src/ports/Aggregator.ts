import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ErrorCounts } from "../aggregation/ErrorSummary.ts"
import type { FilteringIds } from "../aggregation/FilteringIds.ts"
import type { Reporter } from "../aggregation/ReportChecks.ts"
import type { Epsilon } from "../budget/Epsilon.ts"
import type { UnitSource } from "../budget/BudgetUnit.ts"
import type { ReportSum } from "../budget/Question.ts"
import type { LedgerUnit } from "../budget/Spend.ts"
import type { FreshSeed, QuestionSeed } from "../noise/Seed.ts"
import type { BlobInfo, BlobRef } from "./BlobStore.ts"
import type { KeyDenied, KeyUnavailable } from "./KeyRing.ts"
import type { SecretBytes } from "./SecretBytes.ts"

/** How far a call has come. `totalBytes` counts objects as they are stored, so a rate gives the time left. */
export interface Progress {
  readonly stage: "reports" | "domain" | "release"
  /** Reports or domain keys read, or rows written. */
  readonly rows: number
  /** Bytes read of `totalBytes`; both 0 during `release`. */
  readonly bytes: number
  readonly totalBytes: number
}

/** Called a few times a second, and once at the end of a call. It should return at once. */
export type OnProgress = (progress: Progress) => void

/** What makes a report count (spec: aggregation §3.5, §4.1, §5; ledger §2, §7). */
export interface SumRules {
  /** `cleartext`: the payload column holds the CBOR itself, and `key_id` is not looked at. */
  readonly input: "encrypted" | "cleartext"
  /** `reduced` is the local tool's set: no check of origin, age and operation. */
  readonly checks: "full" | "reduced"
  readonly reporter: Reporter
  /**
   * Site of an origin, `undefined` when none can be derived. Called on the caller's thread, once for each distinct origin
   * and only if `reporter` is a site: origins are few, and functions cannot cross threads.
   */
  readonly siteOf: (origin: string) => string | undefined
  readonly filteringIds: FilteringIds
  /** Values of one report are cut in payload order once their running sum passes this. */
  readonly perReport?: number
  readonly debugRun: boolean
  /** Reading ends, with `TooManyErrors`, at the report that makes more errors than this (`earlyErrorLimit`). */
  readonly errorLimit?: bigint
  /** F of the ledger: with it `Sums.sum` names the counted reports; without it (no ledger) only their number is counted. */
  readonly fingerprintKey?: SecretBytes
  /** `Sums.units` lists at most so many, `Sums.unitCount` counts them all. Default 30 000, the limit of a charge. */
  readonly unitLimit?: number
  readonly onProgress?: OnProgress
}

/** A budget unit of a question, with the public metadata of the first counted report that has it (spec: aggregation §9.3). */
export interface UnitUse extends LedgerUnit {
  readonly filteringId: bigint
  readonly source: UnitSource
}

/**
 * What one pass over the reports found. The sums themselves stay where they are, until the scope closes.
 *
 * Independent of the number of lanes and of how the rows are spread over blocks.
 */
export interface Sums {
  /** Over all reports read, duplicates included. */
  readonly errors: ErrorCounts
  /** `acc` and n over the counted reports: valid, and the first of their id in (key bytes, row) order. */
  readonly sum: ReportSum
  /** Valid reports left out because their id was seen. */
  readonly duplicates: number
  readonly units: ReadonlyArray<UnitUse>
  readonly unitCount: number
  /** Distinct buckets that are present in counted reports. */
  readonly buckets: number
}

/** Where the keys to publish are listed (spec: aggregation §7). */
export interface OutputDomain {
  readonly format: "avro" | "text"
  readonly objects: ReadonlyArray<BlobInfo>
  /** How messages name the place, e.g. `bucket/prefix`. */
  readonly location: string
  readonly onProgress?: OnProgress
}

/** `shards`: `prefix-1-of-1.avro` … (spec: aggregation §10). `single`: one file each, as the local tool writes. */
export type OutputNames =
  | { readonly _tag: "Shards"; readonly prefix: string }
  | { readonly _tag: "Single"; readonly key: string; readonly debugKey: string; readonly format: "avro" | "json" }

export interface Output {
  readonly bucket: string
  readonly names: OutputNames
  /** Write the debug rows too: un-noised sums, so only a release without a ledger may have them. */
  readonly debug: boolean
  /** Publish keys of reports that the domain does not list (domain-optional mode, `--skip_domain`), unthresholded. */
  readonly reportKeys: boolean
  /** Most rows of one shard; default 4 999 983. */
  readonly shardRows?: number
  readonly onProgress?: OnProgress
}

/** A domain that was read to its end and an output place that was written to. Usable until the scope closes. */
export interface Prepared {
  readonly output: Output
  /** Distinct domain keys. */
  readonly domainKeys: number
}

/**
 * The noise of a release, and with it what the files say of themselves.
 *
 * A question that was paid for has a `QuestionSeed`. Everything else has a fresh seed, and marks: `sotto.ledger=none`,
 * and for debug runs and un-noised sums `sotto.private=false` (spec: ledger §4, §7).
 */
export type Noising =
  | { readonly _tag: "Question"; readonly seed: QuestionSeed; readonly epsilon: Epsilon; readonly l1: number }
  | {
      readonly _tag: "Fresh"
      readonly seed: FreshSeed
      readonly epsilon: Epsilon
      readonly l1: number
      readonly debugRun: boolean
    }
  | { readonly _tag: "None" }

export interface WrittenFile extends BlobRef {
  readonly rows: number
}

/** In the order of writing. */
export interface Files {
  readonly summary: ReadonlyArray<WrittenFile>
  readonly debug: ReadonlyArray<WrittenFile>
}

/** An input object cannot be read, is cut, corrupt, or not what was listed. `INPUT_DATA_READ_FAILED`. */
export class InputUnreadable extends Schema.TaggedError<InputUnreadable>()("InputUnreadable", {
  bucket: Schema.String,
  key: Schema.String,
  /** Byte of the object, when the fault has a place. */
  offset: Schema.optionalKey(Schema.Int),
  /** The store did not answer: at another time the same object may be read. */
  mayPass: Schema.optionalKey(Schema.Boolean),
  message: Schema.String
}) {}

/** A report of a major version that does not exist yet. `UNSUPPORTED_REPORT_VERSION`. */
export class ReportVersionUnsupported extends Schema.TaggedError<ReportVersionUnsupported>()(
  "ReportVersionUnsupported",
  { version: Schema.String, message: Schema.String }
) {}

/** Reading ended early (`SumRules.errorLimit`). `REPORTS_WITH_ERRORS_EXCEEDED_THRESHOLD`. */
export class TooManyErrors extends Schema.TaggedError<TooManyErrors>()("TooManyErrors", {
  /** Up to and including the report that was one too many. */
  errors: Schema.Struct({
    total: Schema.Int,
    withErrors: Schema.Int,
    byCategory: Schema.Array(Schema.Int)
  }),
  message: Schema.String
}) {}

/**
 * The domain cannot be read (`INPUT_DATA_READ_FAILED`), or has a key of more than 16 bytes (`INVALID_JOB`).
 *
 * `reason` separates the root causes that spec: aggregation §7 words: `missing` is no object, `empty` no key in any.
 */
export class DomainUnreadable extends Schema.TaggedError<DomainUnreadable>()("DomainUnreadable", {
  reason: Schema.Literals(["missing", "empty", "unreadable", "keyTooLong"]),
  /** The store did not answer: at another time the same domain may be read. */
  mayPass: Schema.optionalKey(Schema.Boolean),
  message: Schema.String
}) {}

/** The output place cannot be written to. `RESULT_WRITE_ERROR`. */
export class OutputUnwritable extends Schema.TaggedError<OutputUnwritable>()("OutputUnwritable", {
  bucket: Schema.String,
  key: Schema.String,
  /** `false`: the place itself is refused, and will be at another time. */
  mayPass: Schema.optionalKey(Schema.Boolean),
  message: Schema.String
}) {}

/** A part of the data plane ended by itself: out of memory, killed, a defect. Nothing was lost that was paid for. */
export class AggregatorCrashed extends Schema.TaggedError<AggregatorCrashed>()("AggregatorCrashed", {
  message: Schema.String
}) {}

export type SumError =
  InputUnreadable | ReportVersionUnsupported | TooManyErrors | KeyDenied | KeyUnavailable | AggregatorCrashed
export type PrepareError = DomainUnreadable | OutputUnwritable | AggregatorCrashed
export type ReleaseError = OutputUnwritable | AggregatorCrashed

/**
 * The data plane of an aggregation in its three calls (spec: ledger §7, order of a release). What a question costs is
 * decided between the second and the third, by the engine: this port knows no ledger.
 *
 * Interruption and the end of the scope stop all work within a second.
 */
export class Aggregator extends Context.Service<
  Aggregator,
  {
    /**
     * Reads, opens, checks and sums every report of `inputs`, in one pass.
     *
     * `inputs` are sorted by the bytes of their keys and distinct; objects of zero bytes are skipped. `asOf`, in
     * milliseconds since 1970, is when age is judged.
     */
    sum(inputs: ReadonlyArray<BlobInfo>, rules: SumRules, asOf: number): Effect.Effect<Sums, SumError, Scope.Scope>

    /** Reads the domain to its end and tries the output place, so that neither can fail a release that is paid for. */
    prepare(domain: OutputDomain | undefined, output: Output): Effect.Effect<Prepared, PrepareError, Scope.Scope>

    /**
     * Noises and writes. Files of older releases of the same prefix with another number of shards are removed first;
     * each file appears whole or not at all, the last shard last. May be repeated: the same sums, domain and seed
     * give the same bytes, and a larger domain gives the old keys the same values.
     *
     * `sums` and `prepared` must come from this service and be in scope; anything else is a defect, and so are debug
     * rows for a `Question`.
     */
    release(sums: Sums, prepared: Prepared, noising: Noising): Effect.Effect<Files, ReleaseError>
  }
>()("@sotto/core/ports/Aggregator") {}
