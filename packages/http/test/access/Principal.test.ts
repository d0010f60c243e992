import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { mayUse, type Principal, type Scope, type Subject } from "../../src/access/Principal.ts"

const text = fc.constantFrom("a", "b", "a/b")
const ref = fc.record({ bucket: text, key: text })
const now = fc.integer({ min: 0, max: 100 })

const scope: fc.Arbitrary<Scope> = fc.oneof(
  fc.constant({ _tag: "All" as const }),
  fc.record({ _tag: fc.constant("Job" as const), id: text }),
  fc.record({ _tag: fc.constant("Blob" as const), ref, until: now })
)

const subject: fc.Arbitrary<Subject> = fc.oneof(
  fc.constant({ _tag: "Tenant" as const }),
  fc.record({ _tag: fc.constant("Job" as const), id: text }),
  fc.record({ _tag: fc.constant("Blob" as const), ref })
)

const principal = (of: Scope): Principal => ({ tenant: "acme", name: "key 1", scope: of })

describe("A principal", () => {
  it("of everything may use whatever the tenant has, at any time", () =>
    fc.assert(fc.property(subject, now, (one, at) => mayUse(principal({ _tag: "All" }), one, at))))

  it("of one job may use that job and nothing else, so never a list, a submission or an object", () =>
    fc.assert(
      fc.property(text, subject, now, (id, one, at) => {
        expect(mayUse(principal({ _tag: "Job", id }), one, at)).toBe(one._tag === "Job" && one.id === id)
      })
    ))

  it("of one object may read that object before its time is over, and nothing else", () =>
    fc.assert(
      fc.property(ref, now, subject, now, (own, until, one, at) => {
        const same = one._tag === "Blob" && one.ref.bucket === own.bucket && one.ref.key === own.key
        expect(mayUse(principal({ _tag: "Blob", ref: own, until }), one, at)).toBe(same && at < until)
      })
    ))

  it("does not mistake a bucket for a part of a key", () => {
    const link = principal({ _tag: "Blob", ref: { bucket: "a", key: "b/c" }, until: 10 })
    expect(mayUse(link, { _tag: "Blob", ref: { bucket: "a/b", key: "c" } }, 0)).toBe(false)
  })

  it("is not refused more as time goes back", () =>
    fc.assert(
      fc.property(scope, subject, now, now, (of, one, a, b) => {
        const [early, late] = [Math.min(a, b), Math.max(a, b)]
        expect(mayUse(principal(of), one, early) || !mayUse(principal(of), one, late)).toBe(true)
      })
    ))
})
