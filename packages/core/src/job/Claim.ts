/**
 * Which jobs a claim takes: priorities within a tenant, fairness between tenants, and caps.
 *
 * Jobs are taken one after another, each from the tenant that holds the fewest at that moment; of one tenant's jobs the
 * highest priority goes first, then the one that waits longest. So a tenant with a million jobs waits for nobody's sake,
 * and nobody waits for it. Stores that select in their own language agree with `pick`.
 */
import type { Millis } from "./Lifecycle.ts"
import type { Job } from "./Job.ts"

export interface ClaimKind {
  readonly kind: string
  /** The most jobs of this kind that one tenant may have under lease, all workers together; absent: no limit. */
  readonly perTenant?: number
  /** The same for the jobs of one tenant that share a concurrency key. Jobs without one are not limited by it. */
  readonly perKey?: number
}

/** What a choice looks at of a job. */
export type Candidate = Pick<Job, "tenant" | "id" | "kind" | "concurrencyKey" | "priority" | "readyAt" | "createdAt">

/** How many jobs are under lease; one entry for each tenant, kind and concurrency key that has any. */
export interface Held {
  readonly tenant: string
  readonly kind: string
  readonly concurrencyKey: string | null
  readonly jobs: number
}

/** Whether a job waits for a worker now. */
export const isClaimable = (job: Pick<Job, "state" | "readyAt">, now: Millis): boolean =>
  job.state === "Queued" && job.readyAt !== null && job.readyAt <= now

/** Orders the jobs of one tenant: who is claimed first comes first. Ids make it total. */
export const compareInQueue = (a: Candidate, b: Candidate): number =>
  b.priority - a.priority || (a.readyAt ?? 0) - (b.readyAt ?? 0) || compareTexts(a.id, b.id)

/**
 * At most `limit` of the claimable `candidates`, in the order in which they are taken.
 *
 * It is enough to offer the first `limit` of each tenant and (kind, concurrency key), by `compareInQueue`.
 */
export const pick = <C extends Candidate>(
  candidates: ReadonlyArray<C>,
  held: ReadonlyArray<Held>,
  kinds: ReadonlyArray<ClaimKind>,
  limit: number
): ReadonlyArray<C> => {
  const limits = new Map(kinds.map((one) => [one.kind, one]))
  const counts = new Map<string, number>()
  const count = (key: string) => counts.get(key) ?? 0
  const add = ({ tenant, kind, concurrencyKey }: Pick<Held, "tenant" | "kind" | "concurrencyKey">, jobs: number) => {
    for (const key of [ofTenant(tenant), ofKind(tenant, kind), ofKey(tenant, kind, concurrencyKey)]) {
      counts.set(key, count(key) + jobs)
    }
  }
  for (const one of held) add(one, one.jobs)

  const open = ({ tenant, kind, concurrencyKey }: Candidate): boolean => {
    const caps = limits.get(kind)
    return (
      caps !== undefined &&
      count(ofKind(tenant, kind)) < (caps.perTenant ?? Infinity) &&
      (concurrencyKey === null || count(ofKey(tenant, kind, concurrencyKey)) < (caps.perKey ?? Infinity))
    )
  }

  const waiting = new Map<string, Array<C>>()
  for (const one of [...candidates].sort(compareInQueue)) {
    const queue = waiting.get(one.tenant)
    if (queue === undefined) waiting.set(one.tenant, [one])
    else queue.push(one)
  }
  const taken: Array<C> = []
  while (taken.length < limit) {
    let best: { readonly queue: Array<C>; readonly at: number } | undefined
    for (const queue of waiting.values()) {
      const at = queue.findIndex(open)
      if (at < 0) continue
      const [one, other] = [queue[at], best?.queue[best.at]]
      if (one !== undefined && (other === undefined || compareTenants(one, other, count) < 0)) best = { queue, at }
    }
    const [next] = best?.queue.splice(best.at, 1) ?? []
    if (next === undefined) break
    taken.push(next)
    add(next, 1)
  }
  return taken
}

const compareTenants = (a: Candidate, b: Candidate, count: (key: string) => number): number =>
  count(ofTenant(a.tenant)) - count(ofTenant(b.tenant)) ||
  (a.readyAt ?? 0) - (b.readyAt ?? 0) ||
  compareTexts(a.tenant, b.tenant)

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

// Names hold no control characters (Submission.ts), so these keys are unique.
const ofTenant = (tenant: string) => tenant
const ofKind = (tenant: string, kind: string) => `${tenant}\n${kind}`
const ofKey = (tenant: string, kind: string, key: string | null) => `${tenant}\n${kind}\n${key ?? "\n"}`
