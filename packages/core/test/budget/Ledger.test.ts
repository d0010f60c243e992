import { describe, expect, it } from "vitest"
import type { Epsilon } from "../../src/budget/Epsilon.ts"
import {
  acceptRollback,
  emptyLedger,
  LEDGER_POLICY,
  type Ledger,
  purge,
  remainingOf,
  scopeOf,
  spend,
  viewOf
} from "../../src/budget/Ledger.ts"
import type { Fingerprint, Head, KeyCheck, LedgerUnit, SpendRequest, UnitId } from "../../src/budget/Spend.ts"

// The laws of spec: ledger §3 and the wrong ledgers that they catch are in the testkit; here are the edges.

const unit = (n: number, hour = 10): LedgerUnit => ({
  id: n.toString(16).padStart(64, "0") as UnitId,
  hour,
  origin: "https://shop.example"
})

const request = (n: number, more: Partial<SpendRequest> = {}): SpendRequest => ({
  scope: "default",
  spender: `job-${n}`,
  fingerprint: n.toString(16).padStart(64, "f") as Fingerprint,
  charge: "shared",
  epsilon: 10_000_000 as Epsilon,
  reports: 3,
  units: [unit(1), unit(2)],
  noiseKeyId: "noise-a",
  kcv: "0011223344556677" as KeyCheck,
  asOf: 5,
  ...more
})

const empty = emptyLedger({ ledgerId: "ab".repeat(16), fingerprintKcv: "8899aabbccddeeff" as KeyCheck })
const after = (...requests: ReadonlyArray<SpendRequest>): Ledger =>
  requests.reduce((ledger, each) => spend(ledger, LEDGER_POLICY, each, 7)[0], empty)
const answerOf = (ledger: Ledger, asked: SpendRequest, policy = LEDGER_POLICY) => spend(ledger, policy, asked, 9)[1]

describe("Ledger", () => {
  it("gives a receipt without secrets, at the store's time", () => {
    expect(answerOf(empty, request(1))).toEqual({
      _tag: "Charged",
      receipt: {
        scope: "default",
        sequence: 1,
        fingerprint: request(1).fingerprint,
        noiseKeyId: "noise-a",
        kcv: "0011223344556677",
        chargedAt: 9
      }
    })
  })

  it("leaves 54 of 64 after one question of ε = 10 (spec: aggregation §9.4)", () => {
    const view = viewOf(after(request(1)), "default")
    expect(remainingOf(view, LEDGER_POLICY, [unit(3), unit(1), unit(1)])).toEqual([
      { id: unit(1).id, remaining: 54_000_000 },
      { id: unit(3).id, remaining: 64_000_000 }
    ])
  })

  it("names every short unit, sorted, and what it could pay", () => {
    const ledger = after(request(1, { epsilon: 60_000_000 as Epsilon, units: [unit(2), unit(4)] }))
    const asked = request(2, { units: [4, 3, 2, 1].map((n) => unit(n)) })
    expect(answerOf(ledger, asked)).toEqual({
      _tag: "Exhausted",
      units: [
        { id: unit(2).id, remaining: 4_000_000 },
        { id: unit(4).id, remaining: 4_000_000 }
      ]
    })
  })

  it("keeps scopes apart, and one key check for all of them", () => {
    const ledger = after(request(1, { charge: "exclusive" }))
    expect(answerOf(ledger, request(1, { scope: "other", charge: "exclusive" }))._tag).toBe("Charged")
    expect(answerOf(ledger, request(2, { scope: "other", kcv: "ffffffffffffffff" as KeyCheck }))._tag).toBe(
      "NoiseKeyMismatch"
    )
  })

  it("fits no ε above a lowered cap into any unit, and never shows less than nothing", () => {
    const low = { ...LEDGER_POLICY, cap: 5_000_000 as Epsilon }
    for (const charge of ["shared", "exclusive"] as const) {
      expect(answerOf(empty, request(1, { charge }), low)).toMatchObject({
        units: [{ remaining: 5e6 }, { remaining: 5e6 }]
      })
    }
    expect(answerOf(after(request(1)), request(2), low)).toMatchObject({ units: [{ remaining: 0 }, { remaining: 0 }] })
  })

  it("looks at the key before the job, and at the job before the question", () => {
    const ledger = after(request(1), request(2))
    const wrongKey = { kcv: "ffffffffffffffff" as KeyCheck }
    expect(answerOf(ledger, request(1, { fingerprint: request(2).fingerprint, ...wrongKey }))._tag).toBe(
      "NoiseKeyMismatch"
    )
    expect(answerOf(ledger, request(1, { fingerprint: request(2).fingerprint }))._tag).toBe("SpenderConflict")
  })

  it("cuts hours to 32 bits in the history only", () => {
    const ledger = after(request(1, { units: [unit(1, -5), unit(2, 2 ** 40), unit(3, 447_072)] }))
    expect(scopeOf(ledger, "default").spends[0]?.hours).toEqual([0, 2 ** 32 - 1, 447_072])
    expect([...scopeOf(ledger, "default").units.values()].map(({ hour }) => hour)).toEqual([-5, 2 ** 40, 447_072])
  })

  it("never changes a ledger in place", () => {
    const ledger = after(request(1))
    const before = structuredClone(ledger)
    spend(ledger, LEDGER_POLICY, request(2), 9)
    purge(ledger, "default", 11)
    acceptRollback(ledger, "default", { sequence: 9, hash: "c".repeat(64) as Head["hash"] }, "lost", 9)
    expect(ledger).toEqual(before)
  })

  it.each<[string, Partial<SpendRequest>]>([
    ["a negative ε, which would be a refund", { epsilon: -1 as Epsilon }],
    ["ε = 0", { epsilon: 0 as Epsilon }],
    ["a broken ε", { epsilon: 1.5 as Epsilon }],
    ["ε above 64", { epsilon: 64_000_001 as Epsilon }],
    ["an unknown charge", { charge: "free" as "shared" }],
    ["half a report", { reports: 0.5 }],
    ["an upper-case fingerprint", { fingerprint: "F".repeat(64) as Fingerprint }],
    ["an upper-case unit, which would be another one", { units: [{ ...unit(1), id: "A".repeat(64) as UnitId }] }],
    ["an hour that is none", { units: [unit(1, Number.NaN)] }]
  ])("stops a program that asks with %s", (_, more) => {
    expect(() => spend(empty, LEDGER_POLICY, request(1, more), 9)).toThrow(RangeError)
  })

  it.each([0, -1, 1.5, 2 ** 32, Number.NaN])("has no floor at hour %d", (hour) => {
    expect(() => purge(empty, "default", hour)).toThrow(RangeError)
  })
})
