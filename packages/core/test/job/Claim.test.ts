import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Candidate, type ClaimKind, compareInQueue, type Held, isClaimable, pick } from "../../src/job/Claim.ts"

const tenants = ["a", "b", "c"]
const candidate = fc.record({
  tenant: fc.constantFrom(...tenants),
  kind: fc.constantFrom("k", "l"),
  concurrencyKey: fc.option(fc.constantFrom("x", "y")),
  priority: fc.integer({ min: -2, max: 2 }),
  readyAt: fc.integer({ min: 0, max: 5 }),
  createdAt: fc.constant(0)
})
const candidates: fc.Arbitrary<ReadonlyArray<Candidate>> = fc
  .array(candidate, { maxLength: 25 })
  .map((all) => all.map((one, i) => ({ ...one, id: String(i).padStart(2, "0") })))
const held: fc.Arbitrary<ReadonlyArray<Held>> = fc.array(
  fc.record({
    tenant: fc.constantFrom(...tenants),
    kind: fc.constantFrom("k", "l"),
    concurrencyKey: fc.option(fc.constantFrom("x", "y")),
    jobs: fc.integer({ min: 1, max: 3 })
  }),
  { maxLength: 4 }
)
const cap = fc.constantFrom(undefined, 1, 2, 5)
const claimKind = (kind: string): fc.Arbitrary<ClaimKind> =>
  fc.tuple(cap, cap).map(([perTenant, perKey]) => ({
    kind,
    ...(perTenant === undefined ? {} : { perTenant }),
    ...(perKey === undefined ? {} : { perKey })
  }))
const claimKinds = fc.tuple(claimKind("k"), claimKind("l")).chain((both) => fc.subarray(both, { minLength: 1 }))
const limit = fc.integer({ min: 0, max: 12 })

type Jobs = ReadonlyArray<Pick<Held, "tenant" | "kind" | "concurrencyKey"> & { readonly jobs?: number }>
const total = (jobs: Jobs, match: (job: Jobs[number]) => boolean) =>
  jobs.filter(match).reduce((sum, { jobs = 1 }) => sum + jobs, 0)
const roomFor = (job: Candidate, leased: Jobs, kinds: ReadonlyArray<ClaimKind>) => {
  const caps = kinds.find(({ kind }) => kind === job.kind)
  const ofKind = (one: Jobs[number]) => one.tenant === job.tenant && one.kind === job.kind
  return (
    caps !== undefined &&
    total(leased, ofKind) < (caps.perTenant ?? Infinity) &&
    (job.concurrencyKey === null ||
      total(leased, (one) => ofKind(one) && one.concurrencyKey === job.concurrencyKey) < (caps.perKey ?? Infinity))
  )
}

describe("pick", () => {
  it("takes, one by one, the first with room of a tenant that holds the fewest", () => {
    fc.assert(
      fc.property(candidates, held, claimKinds, limit, (all, leased, kinds, limit) => {
        const picked = pick(all, leased, kinds, limit)
        expect(new Set(picked).size).toBe(picked.length)
        let [left, now]: [ReadonlyArray<Candidate>, Jobs] = [all, leased]
        for (const one of picked) {
          const open = left.filter((job) => roomFor(job, now, kinds))
          expect(open).toContain(one)
          const load = (tenant: string) => total(now, (job) => job.tenant === tenant)
          expect(load(one.tenant)).toBe(Math.min(...open.map(({ tenant }) => load(tenant))))
          const rivals = open.filter(({ tenant }) => tenant === one.tenant).sort(compareInQueue)
          expect(rivals[0]).toBe(one)
          left = left.filter((job) => job !== one)
          now = [...now, one]
        }
        if (picked.length < limit) expect(left.filter((job) => roomFor(job, now, kinds))).toEqual([])
        else expect(picked.length).toBe(limit)
      })
    )
  })

  it("does not depend on the order of what it is offered", () => {
    fc.assert(
      fc.property(candidates, held, claimKinds, limit, (all, leased, kinds, limit) => {
        expect(pick(all.toReversed(), leased.toReversed(), kinds, limit)).toEqual(pick(all, leased, kinds, limit))
      })
    )
  })

  it("needs no more than the first few of each tenant, kind and key", () => {
    fc.assert(
      fc.property(candidates, held, claimKinds, limit, (all, leased, kinds, limit) => {
        const groups = Map.groupBy(all, ({ tenant, kind, concurrencyKey }) => `${tenant} ${kind} ${concurrencyKey}`)
        const first = [...groups.values()].flatMap((group) => [...group].sort(compareInQueue).slice(0, limit))
        expect(pick(first, leased, kinds, limit)).toEqual(pick(all, leased, kinds, limit))
      })
    )
  })

  it("orders by priority, then by waiting, then by id", () => {
    const job = (id: string, priority: number, readyAt: number): Candidate => ({
      tenant: "t",
      id,
      kind: "k",
      concurrencyKey: null,
      priority,
      readyAt,
      createdAt: 0
    })
    const all = [job("d", 0, 2), job("c", 0, 1), job("b", 0, 1), job("a", 1, 9)]
    expect(pick(all, [], [{ kind: "k" }], 9).map(({ id }) => id)).toEqual(["a", "b", "c", "d"])
  })
})

describe("isClaimable", () => {
  it("waits for its time, in Queued only", () => {
    expect(isClaimable({ state: "Queued", readyAt: 5 }, 5)).toBe(true)
    expect(isClaimable({ state: "Queued", readyAt: 6 }, 5)).toBe(false)
    expect(isClaimable({ state: "Queued", readyAt: null }, 5)).toBe(false)
    expect(isClaimable({ state: "Starting", readyAt: 1 }, 5)).toBe(false)
  })
})
