/**
 * Who asks, and for what that is enough (spec: ledger §7).
 *
 * A principal is a tenant with a scope. Pure: who turns a header into a principal is `Authentication`.
 */
import type { BlobRef } from "@sotto/core/ports/BlobStore"

/** `All`: everything of the tenant. `Job`: everything on one job, nothing else. `Blob`: to read one object, before `until`. */
export type Scope =
  | { readonly _tag: "All" }
  | {
      readonly _tag: "Job"
      readonly id: string
      /** Milliseconds since 1970: what was opened before ends then. Absent: it lasts for as long as it is let in. */
      readonly until?: number
    }
  | {
      readonly _tag: "Blob"
      readonly ref: BlobRef
      /** Milliseconds since 1970. */
      readonly until: number
    }

export interface Principal {
  readonly tenant: string
  /** Who it is, for the log: the name of a key, never the key. */
  readonly name: string
  /** The id of the API key that was shown, which is who pays; absent for whoever shows something else. */
  readonly keyId?: string
  /** The model that on-demand jobs with this credential are for; absent: any. */
  readonly model?: string
  readonly scope: Scope
}

/**
 * What a request is about. `Tenant`: whatever is not one job or one object: submitting, lists, budget, webhooks.
 * `Job`: that job with its inputs, outputs, events and result. `Blob`: reading that object.
 */
export type Subject =
  | { readonly _tag: "Tenant" }
  | { readonly _tag: "Job"; readonly id: string }
  | { readonly _tag: "Blob"; readonly ref: BlobRef }

/**
 * Whether a principal may use a subject of its own tenant at `now` (milliseconds since 1970).
 *
 * Whether the subject exists there is another question: stores are asked with `principal.tenant`, and what another tenant
 * has is answered like what nobody has.
 */
export const mayUse = ({ scope }: Principal, subject: Subject, now: number): boolean => {
  switch (scope._tag) {
    case "All":
      return true
    case "Job":
      return subject._tag === "Job" && subject.id === scope.id
    case "Blob":
      return (
        subject._tag === "Blob" &&
        subject.ref.bucket === scope.ref.bucket &&
        subject.ref.key === scope.ref.key &&
        now < scope.until
      )
  }
}
