/**
 * The laws of a budget ledger (spec: ledger §3).
 *
 * A subject provides `BudgetLedger`, made with `LEDGER_TEST_KEYS`, and `LedgerLab`; each run starts with an empty one.
 */
import {
  type Charge,
  distinctUnits,
  type Epsilon,
  type Fingerprint,
  foldHistory,
  genesis,
  type Head,
  keyCheck,
  ledgerIdentity,
  type LedgerUnit,
  MAX_EPSILON,
  seedOf,
  type SpendAnswer,
  type SpendRequest,
  type UnitId,
  verifyChain
} from "@sotto/core/budget"
import { BudgetLedger, type LedgerRolledBack, type LedgerUnavailable } from "@sotto/core/ports/BudgetLedger"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { demand, propertyOf } from "./internal/LawProperty.ts"
import { ledgerMutants } from "./internal/LedgerMutants.ts"
import type { Law } from "./Law.ts"
import { explainHistory, recordingLedger, type RecordedCall, said } from "./LedgerHistory.ts"
import { LEDGER_TEST_KEYS, LedgerLab } from "./LedgerLab.ts"

type Subject = BudgetLedger | LedgerLab
type LedgerLaw = Law<Subject>
type Service = BudgetLedger["Service"]

const SCOPE = "default"

/** Four units in four hours. */
const UNITS: ReadonlyArray<LedgerUnit> = [10, 11, 12, 13].map((hour) => ({
  id: hour.toString(16).padStart(64, "c") as UnitId,
  hour,
  origin: "https://shop.example"
}))

const kcvOf = (noiseKeyId: string) =>
  keyCheck(LEDGER_TEST_KEYS.noiseKeys.get(noiseKeyId) ?? LEDGER_TEST_KEYS.fingerprintKey)

/** What a fingerprint stands for. The same number is the same question, whoever asks. */
interface Question {
  readonly number: number
  readonly units: ReadonlyArray<LedgerUnit>
  readonly epsilon: Epsilon
}

interface Ask {
  readonly question: Question
  readonly spender: string
  readonly charge: Charge
  readonly noiseKeyId: string
}

interface Purge {
  readonly purge: number
}

const request = (ask: Ask): SpendRequest => ({
  scope: SCOPE,
  spender: ask.spender,
  fingerprint: ask.question.number.toString(16).padStart(64, "f") as Fingerprint,
  charge: ask.charge,
  epsilon: ask.question.epsilon,
  reports: ask.question.units.length,
  units: ask.question.units,
  noiseKeyId: ask.noiseKeyId,
  kcv: kcvOf(ask.noiseKeyId),
  asOf: 1_600_000_000_000
})

const charges = fc.constantFrom<Charge>("exclusive", "shared", "shared")
const epsilons = fc.constantFrom(
  1,
  16_000_000,
  20_000_000,
  32_000_000,
  47_000_000,
  MAX_EPSILON
) as fc.Arbitrary<Epsilon>
const someUnits = fc.subarray([...UNITS], { minLength: 1 })
const question = (number: number, units: fc.Arbitrary<ReadonlyArray<LedgerUnit>> = someUnits) =>
  fc.record({ number: fc.constant(number), units, epsilon: epsilons })

/** Up to `length` calls about five questions by four jobs: few enough to meet again. */
const calls = (length: number): fc.Arbitrary<ReadonlyArray<Ask | Purge>> =>
  fc.tuple(...[0, 1, 2, 3, 4].map((number) => question(number))).chain((questions) =>
    fc.array(
      fc.oneof(
        {
          weight: 9,
          arbitrary: fc.record({
            question: fc.constantFrom(...questions),
            spender: fc.constantFrom("job-1", "job-2", "job-3", "job-4"),
            charge: charges,
            noiseKeyId: fc.constantFrom("noise-a", "noise-b")
          })
        },
        { weight: 1, arbitrary: fc.record({ purge: fc.integer({ min: 9, max: 13 }) }) }
      ),
      { minLength: 1, maxLength: length }
    )
  )

const ask = (question: Question, spender: string, charge: Charge, noiseKeyId = "noise-a"): Ask => ({
  question,
  spender,
  charge,
  noiseKeyId
})

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const demandSame = (found: unknown, expected: unknown, what: string): void =>
  demand(
    same(found, expected),
    () => `${what}\n  expected ${JSON.stringify(expected)}\n  found    ${JSON.stringify(found)}`
  )

const property = <A>(
  input: fc.Arbitrary<A>,
  body: (input: A) => Effect.Effect<void, unknown, Subject | Scope.Scope>
): LedgerLaw["property"] => propertyOf(input, body)

const allUnits = (ledger: Service) => ledger.units(SCOPE, undefined, 100)
const run = (
  ledger: Service,
  call: Ask | Purge
): Effect.Effect<number | SpendAnswer, LedgerRolledBack | LedgerUnavailable> =>
  "purge" in call ? ledger.purge(SCOPE, call.purge) : ledger.spend(request(call))

const released = (answer: SpendAnswer): boolean => answer._tag === "Charged" || answer._tag === "Replayed"

/** Everything that a ledger shows about a scope. */
const everything = Effect.fnUntraced(function* (ledger: Service) {
  return {
    units: yield* allUnits(ledger),
    history: yield* ledger.history(SCOPE, 0, 1000),
    head: yield* ledger.head(SCOPE),
    floor: yield* ledger.floor(SCOPE),
    rollbacks: yield* ledger.rollbacks(SCOPE)
  }
})

const demandUnchanged = Effect.fnUntraced(function* (
  ledger: Service,
  what: string,
  call: Effect.Effect<unknown, unknown>
) {
  const before = yield* everything(ledger)
  yield* Effect.exit(call)
  demandSame(yield* everything(ledger), before, what)
})

const law = (
  id: string,
  rule: string,
  mutants: ReadonlyArray<LedgerLaw["mutants"][number]>,
  check: LedgerLaw["property"]
): LedgerLaw => ({ id, port: "BudgetLedger", rule, mutants, property: check })

const atomic = law(
  "ATOMIC",
  "A charge adds ε to every unit of its question and to no other; any other answer changes no unit.",
  [ledgerMutants.perUnitLoop, ledgerMutants.refundOnFailure, ledgerMutants.chargesRepeats],
  property(calls(12), (list) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      for (const call of list) {
        if ("purge" in call) continue
        const asked = request({
          ...call,
          question: { ...call.question, units: call.question.units.concat(UNITS[0] ?? []) }
        })
        const before = new Map((yield* allUnits(ledger)).map((unit) => [unit.id, unit.spent]))
        const answer = yield* ledger.spend(asked)
        const after = new Map((yield* allUnits(ledger)).map((unit) => [unit.id, unit.spent]))
        for (const { id } of UNITS) {
          const due = answer._tag === "Charged" && asked.units.some((unit) => unit.id === id) ? asked.epsilon : 0
          demandSame((after.get(id) ?? 0) - (before.get(id) ?? 0), due, `${answer._tag}: growth of unit ${id}`)
        }
      }
    })
  )
)

const linearizableLaw = law(
  "LINEARIZABLE",
  "Calls at the same time, over two connections, answer as if they had come one after the other, each between its beginning and its end.",
  [ledgerMutants.readThenWrite, ledgerMutants.perUnitLoop],
  property(fc.tuple(calls(6), fc.array(fc.nat(2), { minLength: 6, maxLength: 6 })), ([list, pauses]) =>
    Effect.gen(function* () {
      const history: Array<RecordedCall> = []
      let clock = 0
      const connections = [yield* BudgetLedger, yield* (yield* LedgerLab).reopen({})].map((ledger) =>
        recordingLedger(ledger, history, () => clock++)
      )
      yield* Effect.all(
        list.map((call, i) =>
          Effect.gen(function* () {
            for (let pause = 0; pause < (pauses[i] ?? 0); pause++) yield* Effect.yieldNow
            yield* run(connections[i % 2] as Service, call)
          })
        ),
        { concurrency: "unbounded", discard: true }
      )
      const { _tag, order } = explainHistory(history)
      demand(
        _tag === "Explained",
        () => `no order explains ${JSON.stringify(history, null, 1)}, at most ${order.join()}`
      )
    })
  )
)

const idempotentSpender = law(
  "IDEMPOTENT-SPENDER",
  "A job that asks again gets its first receipt and pays nothing.",
  [ledgerMutants.forgetsQuestion],
  property(fc.tuple(question(0), charges), ([q, charge]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const first = yield* ledger.spend(request(ask(q, "job-1", charge)))
      demandSame(first._tag, "Charged", "the first answer")
      const before = yield* everything(ledger)
      const again = yield* ledger.spend(request(ask(q, "job-1", charge)))
      demandSame(again, { ...first, _tag: "Replayed" }, "the second answer")
      demandSame(yield* everything(ledger), before, "the ledger after the second")
    })
  )
)

const idempotentFingerprint = law(
  "IDEMPOTENT-FINGERPRINT",
  "Another job that asks the same question, in either charge, gets the first receipt and pays nothing.",
  [ledgerMutants.forgetsQuestion, ledgerMutants.idempotentPerSpenderOnly],
  property(fc.tuple(question(0), charges, charges), ([q, charge, other]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const first = yield* ledger.spend(request(ask(q, "job-1", charge)))
      const before = yield* everything(ledger)
      const again = yield* ledger.spend(request(ask(q, "job-2", other)))
      demandSame(again, { ...first, _tag: "Replayed" }, "the second answer")
      demandSame(yield* everything(ledger), before, "the ledger after the second")
    })
  )
)

const oneQuestionPerJob = law(
  "ONE-QUESTION-PER-JOB",
  "A job that was answered, for money or for free, cannot ask another question; nothing changes.",
  [ledgerMutants.forgetsSpender],
  property(fc.tuple(question(0), question(1), fc.boolean()), ([q, other, byReplay]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      if (byReplay) yield* ledger.spend(request(ask(q, "job-2", "shared")))
      yield* ledger.spend(request(ask(q, "job-1", "shared")))
      const before = yield* everything(ledger)
      const answer = yield* ledger.spend(request(ask(other, "job-1", "shared")))
      demandSame(
        answer,
        { _tag: "SpenderConflict", asked: request(ask(q, "job-1", "shared")).fingerprint },
        "the answer to the other question"
      )
      demandSame(yield* everything(ledger), before, "the ledger after it")
    })
  )
)

const monotone = law(
  "MONOTONE",
  "What is spent never falls, what is closed never opens and what remains never grows; a refused job gets nothing back.",
  [ledgerMutants.refundOnFailure, ledgerMutants.purgeWithoutFloor],
  property(calls(12), (list) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      for (const call of list) {
        const before = yield* allUnits(ledger)
        const left = yield* ledger.remaining(SCOPE, UNITS)
        yield* run(ledger, call)
        const after = new Map((yield* allUnits(ledger)).map((unit) => [unit.id, unit]))
        const floor = (yield* ledger.floor(SCOPE)) ?? 0
        for (const unit of before) {
          const now = after.get(unit.id)
          const gone = now === undefined && unit.hour < floor
          demand(
            gone || (now !== undefined && now.spent >= unit.spent && (now.closed || !unit.closed)),
            () => `unit ${unit.id} went from ${JSON.stringify(unit)} to ${JSON.stringify(now)}`
          )
        }
        const leftNow = yield* ledger.remaining(SCOPE, UNITS)
        leftNow.forEach(({ id, remaining }, i) => {
          demand(remaining <= (left[i]?.remaining ?? 0), () => `what remains of ${id} grew to ${remaining}`)
        })
      }
    })
  )
)

const cap = law(
  "CAP",
  "No unit is ever charged more than the cap; a question that fits exactly is charged, and one micro-ε more is not.",
  [ledgerMutants.capOffByOne],
  property(fc.tuple(calls(12), fc.integer({ min: 1, max: MAX_EPSILON - 1 })), ([list, first]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      for (const call of list) {
        yield* run(ledger, call)
        for (const { id, spent } of yield* allUnits(ledger))
          demand(spent <= MAX_EPSILON, () => `${spent} spent on ${id}`)
      }
      const units: ReadonlyArray<LedgerUnit> = [{ id: "e".repeat(64) as UnitId, hour: 99, origin: "https://b.example" }]
      const of = (number: number, epsilon: number) =>
        ledger.spend(request(ask({ number, units, epsilon: epsilon as Epsilon }, `cap-${number}`, "shared")))
      yield* of(100, first)
      const over = yield* of(101, MAX_EPSILON - first + 1 > MAX_EPSILON ? MAX_EPSILON : MAX_EPSILON - first + 1)
      demandSame(
        over,
        { _tag: "Exhausted", units: [{ id: units[0]?.id, remaining: MAX_EPSILON - first }] },
        "one too many"
      )
      demandSame((yield* of(102, MAX_EPSILON - first))._tag, "Charged", "what fits exactly")
    })
  )
)

const exclusive = law(
  "EXCLUSIVE",
  "An exclusive question needs untouched units and closes them for ever, also after the cap is raised.",
  [ledgerMutants.reopens, ledgerMutants.exclusiveOverShared],
  property(fc.tuple(someUnits, fc.constantFrom(1, 16_000_000), charges), ([units, epsilon, charge]) =>
    Effect.gen(function* () {
      const lab = yield* LedgerLab
      const low = yield* lab.reopen({ cap: 16_000_000 as Epsilon })
      const q = (number: number, over: ReadonlyArray<LedgerUnit>): Question => ({
        number,
        units: over,
        epsilon: epsilon as Epsilon
      })
      demandSame(
        (yield* low.spend(request(ask(q(0, units), "job-1", "exclusive"))))._tag,
        "Charged",
        "the first question"
      )
      const high = yield* lab.reopen({ cap: MAX_EPSILON })
      const answer = yield* high.spend(request(ask(q(1, UNITS), "job-2", charge)))
      const closed = distinctUnits(units).map(({ id }) => ({ id, remaining: 0 }))
      demandSame(answer, { _tag: "Exhausted", units: closed }, "another question after the cap was raised")
      const rest = UNITS.filter((unit) => !units.includes(unit))
      if (rest.length === 0) return
      demandSame((yield* high.spend(request(ask(q(2, rest), "job-3", "shared"))))._tag, "Charged", "the other units")
      const touched = yield* high.spend(request(ask(q(3, rest), "job-4", "exclusive")))
      demandSame(touched._tag, "Exhausted", "an exclusive question about units that were shared")
    })
  )
)

const orderFree = law(
  "ORDER-FREE",
  "The order and repetition of units changes neither the answer nor what is recorded.",
  [ledgerMutants.chargesRepeats],
  property(
    fc.tuple(calls(4), question(9, fc.array(fc.constantFrom(...UNITS), { minLength: 1, maxLength: 8 })), charges),
    ([list, q, charge]) =>
      Effect.gen(function* () {
        const ledger = yield* BudgetLedger
        const ask9 = request(ask(q, "job-9", charge))
        const tidy = { ...ask9, units: distinctUnits(ask9.units) }
        const outcome = Effect.fnUntraced(function* (scope: string, last: SpendRequest) {
          for (const call of list) if (!("purge" in call)) yield* ledger.spend({ ...request(call), scope })
          const answer = yield* ledger.spend({ ...last, scope })
          const [spend] = (yield* ledger.history(scope, 0, 100)).slice(-1)
          return [said(answer), spend?.unitIds, spend?.hours, yield* ledger.units(scope, undefined, 100)]
        })
        demandSame(yield* outcome("as-given", ask9), yield* outcome("sorted", tidy), "with units as given, and sorted")
      })
  )
)

const split = law(
  "SPLIT",
  "If two questions about separate units are both admitted, one about all of them is.",
  [ledgerMutants.jointCap],
  property(fc.tuple(calls(4), question(8), charges), ([list, q, charge]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const scoped = (scope: string, number: number, units: ReadonlyArray<LedgerUnit>) =>
        ledger.spend({ ...request(ask({ ...q, number, units }, `split-${number}`, charge)), scope })
      for (const scope of ["halves", "joint"])
        for (const call of list) if (!("purge" in call)) yield* ledger.spend({ ...request(call), scope })
      const half = Math.floor(UNITS.length / 2)
      const first = yield* scoped("halves", 20, UNITS.slice(0, half))
      const second = yield* scoped("halves", 21, UNITS.slice(half))
      if (!released(first) || !released(second)) return
      demandSame((yield* scoped("joint", 22, UNITS))._tag, "Charged", "the joint question")
    })
  )
)

const replayAfterExhaustion = law(
  "REPLAY-AFTER-EXHAUSTION",
  "A question that was paid for is answered again when its units are exhausted, and below the floor.",
  [ledgerMutants.checkBeforeReplay],
  property(fc.tuple(question(0), charges, fc.boolean()), ([q, charge, purged]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const first = yield* ledger.spend(request(ask(q, "job-1", charge)))
      for (let number = 1; number < 70; number++) {
        const more = { number, units: q.units, epsilon: 16_000_000 as Epsilon }
        const answer = yield* ledger.spend(request(ask(more, `more-${number}`, "shared")))
        if (answer._tag === "Exhausted") break
      }
      if (purged) yield* ledger.purge(SCOPE, 99)
      const again = yield* ledger.spend(request(ask(q, "job-2", charge)))
      demandSame(again, { ...first, _tag: "Replayed" }, "the repeat")
    })
  )
)

const floorLaw = law(
  "FLOOR",
  "Units below the floor are exhausted for ever, also those never seen; the others are as before; a floor never falls.",
  [ledgerMutants.purgeWithoutFloor, ledgerMutants.floorFalls],
  property(
    fc.tuple(calls(6), fc.integer({ min: 10, max: 14 }), fc.integer({ min: 1, max: 14 }), charges),
    ([list, floor, later, charge]) =>
      Effect.gen(function* () {
        const ledger = yield* BudgetLedger
        for (const call of list) if (!("purge" in call)) yield* run(ledger, call)
        const before = yield* allUnits(ledger)
        const gone = yield* ledger.purge(SCOPE, floor)
        demandSame(gone, before.filter(({ hour }) => hour < floor).length, "the number of forgotten units")
        demandSame(
          yield* allUnits(ledger),
          before.filter(({ hour }) => hour >= floor),
          "the units that stay"
        )
        yield* ledger.purge(SCOPE, later)
        const highest = Math.max(floor, later)
        demandSame(yield* ledger.floor(SCOPE), highest, "the floor after a second purge")
        const below = UNITS.filter(({ hour }) => hour < highest)
        const answer = yield* ledger.spend(
          request(ask({ number: 50, units: [...below, ...NEVER_SEEN], epsilon: 1 as Epsilon }, "job-50", charge))
        )
        const short = distinctUnits([...below, ...NEVER_SEEN]).map(({ id }) => ({ id, remaining: 0 }))
        demandSame(answer, { _tag: "Exhausted", units: short }, "a question below the floor")
        demandSame(yield* ledger.remaining(SCOPE, [...below, ...NEVER_SEEN]), short, "what remains below the floor")
      })
  )
)

const NEVER_SEEN: ReadonlyArray<LedgerUnit> = [
  { id: "0d".repeat(32) as UnitId, hour: 0, origin: "https://b.example" },
  { id: "0e".repeat(32) as UnitId, hour: -7, origin: "https://b.example" }
]

const audit = law(
  "AUDIT",
  "The units from the floor on are exactly what the history amounts to.",
  [
    ledgerMutants.historyForgets,
    ledgerMutants.refundOnFailure,
    ledgerMutants.perUnitLoop,
    ledgerMutants.chargesRepeats
  ],
  property(calls(14), (list) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      for (const call of list) yield* run(ledger, "purge" in call ? call : withRepeats(call))
      const floor = yield* ledger.floor(SCOPE)
      const folded = foldHistory(yield* ledger.history(SCOPE, 0, 1000), floor)
      const units = (yield* allUnits(ledger)).map(({ id, spent, closed }) => [id, spent, closed])
      const expected = [...folded].map(([id, { spent, closed }]) => [id, spent, closed] as const)
      demandSame(
        units,
        expected.toSorted(([a], [b]) => (a < b ? -1 : 1)),
        "the units against the history"
      )
    })
  )
)

const withRepeats = (call: Ask): Ask => ({
  ...call,
  question: { ...call.question, units: call.question.units.concat(call.question.units[0] ?? []) }
})

const chain = law(
  "CHAIN",
  "The history is one hash chain from the ledger's genesis to its head, read in pages of any size; it only grows.",
  [ledgerMutants.unlinkedChain, ledgerMutants.historyForgets],
  property(fc.tuple(calls(12), fc.integer({ min: 1, max: 4 })), ([list, page]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const { ledgerId } = ledgerIdentity(LEDGER_TEST_KEYS.ledgerId, LEDGER_TEST_KEYS.fingerprintKey)
      const start = genesis(ledgerId, SCOPE)
      demandSame(yield* ledger.head(SCOPE), start, "the head of an empty scope")
      let charged = 0
      for (const call of list) {
        const answer = yield* run(ledger, call)
        if (typeof answer !== "number" && answer._tag === "Charged") charged++
      }
      let head: Head = start
      for (;;) {
        const spends = yield* ledger.history(SCOPE, head.sequence, page)
        const next = verifyChain(head, spends)
        if ("_tag" in next) throw new Error(`the chain breaks at ${next.sequence}`)
        if (spends.length === 0) break
        head = next
      }
      demandSame(head, yield* ledger.head(SCOPE), "the end of the chain against the head")
      demandSame(head.sequence, charged, "the length of the chain against the charges")
    })
  )
)

const rollback = law(
  "ROLLBACK",
  "A ledger whose chain lacks the head kept beside the keys records nothing and fails; accepting the rollback is recorded.",
  [ledgerMutants.ignoresHead, ledgerMutants.comparesLengthOnly],
  property(fc.tuple(fc.array(charges, { maxLength: 3 }), fc.nat(4), fc.boolean()), ([before, sequence, replay]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const asks = before.map((_, i) =>
        request(ask({ number: i, units: UNITS, epsilon: 1 as Epsilon }, `job-${i}`, "shared"))
      )
      const heads: Array<Head> = [yield* ledger.head(SCOPE)]
      for (const each of asks) {
        yield* ledger.spend(each)
        heads.push(yield* ledger.head(SCOPE))
      }
      const fresh = request(ask({ number: 9, units: UNITS, epsilon: 1 as Epsilon }, "job-9", "shared"))
      const next = replay ? (asks[0] ?? fresh) : fresh
      const lost: Head = { sequence, hash: "ab".repeat(32) as Head["hash"] }
      const failure = yield* Effect.flip(ledger.spend({ ...next, known: lost }))
      demandSame(failure._tag, "LedgerRolledBack", "a spend behind the head")
      yield* demandUnchanged(ledger, "the ledger after a refused spend", ledger.spend({ ...next, known: lost }))
      const accepted = yield* ledger.acceptRollback(SCOPE, lost, "restored from Tuesday")
      demandSame(
        { ...accepted, acceptedAt: 0 },
        {
          _tag: "RollbackAccepted",
          lost,
          head: heads.at(-1),
          reason: "restored from Tuesday",
          acceptedAt: 0
        },
        "the acceptance"
      )
      yield* ledger.acceptRollback(SCOPE, lost, "a second time")
      demandSame(yield* ledger.rollbacks(SCOPE), [accepted], "the accepted rollbacks")
      for (const known of heads) {
        demandSame((yield* ledger.acceptRollback(SCOPE, known, "no reason"))._tag, "NotRolledBack", "nothing to accept")
        demand(
          released(yield* ledger.spend({ ...next, known })),
          () => "a chain that contains the head refused to spend"
        )
      }
    })
  )
)

const keyCheckLaw = law(
  "KEY-CHECK",
  "Another key under a known id is refused and nothing is recorded; a repeat names the key of the first answer.",
  [ledgerMutants.adoptsKey, ledgerMutants.replaysUnderActiveKey],
  property(fc.tuple(question(0), question(1, fc.constant(UNITS)), fc.boolean()), ([q, other, same]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const first = yield* ledger.spend(request(ask(q, "job-1", "shared", "noise-a")))
      const wrong = { ...request(ask(same ? q : other, "job-2", "shared", "noise-a")), kcv: kcvOf("noise-b") }
      demandSame(
        yield* ledger.spend(wrong),
        { _tag: "NoiseKeyMismatch", noiseKeyId: "noise-a" },
        "another key under the same id"
      )
      yield* demandUnchanged(ledger, "the ledger after it", ledger.spend(wrong))
      const again = yield* ledger.spend(request(ask(q, "job-2", "shared", "noise-b")))
      demandSame(again, { ...first, _tag: "Replayed" }, "a repeat under another active key")
    })
  )
)

const nothing = law(
  "NOTHING",
  "A question without units is answered, costs nothing and is not recorded.",
  [ledgerMutants.recordsNothing],
  property(fc.tuple(question(0, fc.constant([])), charges), ([q, charge]) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const asked = request(ask(q, "job-1", charge))
      const answer = yield* ledger.spend(asked)
      demandSame(answer._tag, "Nothing", "the answer")
      yield* demandUnchanged(ledger, "the ledger after it", ledger.spend(asked))
      demandSame((yield* everything(ledger)).history, [], "the history")
      demandSame(
        (yield* ledger.spend(request(ask({ ...q, number: 1 }, "job-1", charge))))._tag,
        "Nothing",
        "another one"
      )
    })
  )
)

const limit = law(
  "LIMIT",
  "More units than the limit are refused as a whole, with their number; a repeated unit counts once.",
  [ledgerMutants.countsRepeats],
  property(fc.tuple(question(0, fc.constant([...UNITS, ...UNITS])), charges), ([q, charge]) =>
    Effect.gen(function* () {
      const small = yield* (yield* LedgerLab).reopen({ unitLimit: UNITS.length - 1 })
      const answer = yield* small.spend(request(ask(q, "job-1", charge)))
      demandSame(answer, { _tag: "TooManyUnits", units: UNITS.length, limit: UNITS.length - 1 }, "one unit too many")
      demandSame((yield* everything(small)).units, [], "the units after it")
      const enough = yield* (yield* LedgerLab).reopen({ unitLimit: UNITS.length })
      demandSame((yield* enough.spend(request(ask(q, "job-1", charge))))._tag, "Charged", "as many as the limit")
    })
  )
)

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

const noSecret = law(
  "NO-SECRET",
  "No answer, error or record shows a key or a seed.",
  [ledgerMutants.seedInReceipt],
  property(calls(8), (list) =>
    Effect.gen(function* () {
      const ledger = yield* BudgetLedger
      const shown: Array<unknown> = []
      for (const call of list) shown.push(yield* Effect.exit(run(ledger, call)))
      const lost: Head = { sequence: 77, hash: "ab".repeat(32) as Head["hash"] }
      const behind = {
        ...request(ask({ number: 9, units: UNITS, epsilon: 1 as Epsilon }, "job-9", "shared")),
        known: lost
      }
      shown.push(yield* Effect.exit(ledger.spend(behind)), yield* everything(ledger))
      const text = JSON.stringify(shown)
      const keys = [LEDGER_TEST_KEYS.fingerprintKey, ...LEDGER_TEST_KEYS.noiseKeys.values()]
      const names = list.flatMap((call) => ("purge" in call ? [] : [request(call).fingerprint]))
      const seeds = keys.flatMap((key) => names.map((name) => seedOf(key, name)))
      for (const secret of [...keys, ...seeds]) {
        demand(
          !text.includes(hex(secret)) && !text.includes(JSON.stringify([...secret]).slice(1, -1)),
          () => "a secret is shown"
        )
      }
    })
  )
)

export const ledgerLaws: ReadonlyArray<LedgerLaw> = [
  atomic,
  linearizableLaw,
  idempotentSpender,
  idempotentFingerprint,
  oneQuestionPerJob,
  monotone,
  cap,
  exclusive,
  orderFree,
  split,
  replayAfterExhaustion,
  floorLaw,
  audit,
  chain,
  rollback,
  keyCheckLaw,
  nothing,
  limit,
  noSecret
]
