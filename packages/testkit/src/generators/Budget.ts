/** What a ledger of privacy budget is asked. */
import {
  addReport,
  type BudgetUnit,
  budgetUnit,
  emptySum,
  type Epsilon,
  type Fingerprint,
  JOB_EPSILON_DECIMALS,
  type KeyCheck,
  type LedgerUnit,
  MAC_BYTES,
  MAX_EPSILON,
  type Question,
  type SpendRequest,
  type UnitSource
} from "@sotto/core/budget"
import * as fc from "fast-check"
import { apis, instants, origins, versions } from "./Reports.ts"

/** 1 … 64 000 000 micro-ε, the edges often. */
export const epsilons: fc.Arbitrary<Epsilon> = fc.oneof(
  fc.constantFrom(1, 1_000_000, 10_000_000, MAX_EPSILON),
  fc.integer({ min: 1, max: MAX_EPSILON })
) as fc.Arbitrary<Epsilon>

/** Those that a request can name: two decimal places. */
export const jobEpsilons: fc.Arbitrary<Epsilon> = fc
  .integer({ min: 1, max: 64 * 10 ** JOB_EPSILON_DECIMALS })
  .map((n) => (n * 10 ** (6 - JOB_EPSILON_DECIMALS)) as Epsilon)

const ids64 = fc.oneof(fc.constantFrom(0n, 1n, 255n, 2n ** 64n - 1n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))

/** 0 … 2⁶⁴ − 1. */
export const filteringIds: fc.Arbitrary<bigint> = ids64

/** The members of a report that name its units. */
export const unitSources: fc.Arbitrary<UnitSource> = fc.record({
  api: apis,
  version: versions,
  reportingOrigin: origins,
  attributionDestination: origins,
  sourceRegistrationTime: fc.option(instants, { nil: undefined }),
  scheduledReportTime: instants
})

export const budgetUnits: fc.Arbitrary<BudgetUnit> = fc.tuple(unitSources, filteringIds).map(([source, id]) => {
  const unit = budgetUnit(source, id)
  if ("_tag" in unit) throw new Error(`${unit.member} is missing`)
  return unit
})

const ledgerUnits: fc.Arbitrary<LedgerUnit> = budgetUnits.map(({ id, hour, origin }) => ({ id, hour, origin }))

export const questions: fc.Arbitrary<Question> = fc.record({
  scope: fc.constantFrom("default", "north", "south"),
  sums: fc.constantFrom("histogram/1" as const, "histogram/1;perReport=65536" as const),
  epsilon: epsilons,
  l1: fc.constant(65_536),
  filteringIds: fc.array(filteringIds, { minLength: 1, maxLength: 4 }),
  reports: fc.array(fc.uint8Array({ minLength: MAC_BYTES, maxLength: MAC_BYTES }), { maxLength: 5 }).map((macs) => {
    const sum = emptySum()
    for (const mac of macs) addReport(sum, mac)
    return sum
  })
})

const hexTexts = (bytes: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((list) => Array.from(list, (byte) => byte.toString(16).padStart(2, "0")).join(""))

/** Questions ready to be paid for, over one noise key; a unit may come twice. */
export const spendRequests: fc.Arbitrary<SpendRequest> = fc.record({
  scope: fc.constantFrom("default", "north", "south"),
  spender: fc.uuid(),
  fingerprint: hexTexts(32) as fc.Arbitrary<Fingerprint>,
  charge: fc.constantFrom("exclusive", "shared"),
  epsilon: epsilons,
  reports: fc.nat({ max: 1_000 }),
  units: fc.array(ledgerUnits, { maxLength: 6 }).map((units) => [...units, ...units.slice(0, 1)]),
  noiseKeyId: fc.constant("noise-a"),
  kcv: fc.constant("0011223344556677" as KeyCheck),
  asOf: fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 })
})
