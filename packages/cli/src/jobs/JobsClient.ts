/** What `sotto jobs` asks of jobs, wherever they are: in a store, or behind a server. */
import type { JobState } from "@sotto/core/job"
import type { JobSummary, JobView } from "@sotto/http"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"

/** As the native interface shows them. */
export type ShownJob = typeof JobView.Type
export type ShownSummary = typeof JobSummary.Type

export interface Submission {
  readonly kind: string
  readonly parameters: unknown
  readonly key?: string
  readonly name?: string
  readonly priority: number
}

export interface JobsFilter {
  readonly kind?: string
  readonly states: ReadonlyArray<JobState>
}

/** One event; `document` is what `--json` prints. */
export interface ShownEvent {
  readonly number: number
  /** RFC 3339. */
  readonly at: string
  readonly name: string
  readonly rest: object
  readonly document: object
}

/** Errors are sentences for who typed the command. */
export interface JobsClient<E extends { readonly message: string }> {
  readonly submit: (submission: Submission) => Effect.Effect<{ readonly job: ShownJob; readonly created: boolean }, E>

  /** The newest first, at most `limit` of them, and whether there are more. */
  readonly list: (
    filter: JobsFilter,
    limit: number
  ) => Effect.Effect<{ readonly jobs: ReadonlyArray<ShownSummary>; readonly more: boolean }, E>

  /** The job when it has ended, or after so many seconds as it is then; 0: at once. */
  readonly look: (id: string, seconds: number) => Effect.Effect<ShownJob, E>

  readonly cancel: (id: string, reason?: string) => Effect.Effect<ShownJob, E>

  /** The events behind number `after`: those that are there or, to `follow` them, until the job has ended. */
  readonly events: (
    id: string,
    options: { readonly after: number; readonly follow: boolean }
  ) => Stream.Stream<ShownEvent, E>
}
