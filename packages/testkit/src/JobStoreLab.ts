import type { JobStore } from "@sotto/core/ports/JobStore"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What the laws of a store of jobs need beside port and clock: the same store, opened once more. */
export class JobStoreLab extends Context.Service<
  JobStoreLab,
  { readonly reopen: Effect.Effect<JobStore["Service"], never, Scope.Scope> }
>()("@sotto/testkit/JobStoreLab") {}
