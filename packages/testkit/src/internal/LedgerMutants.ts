import {
  type Epsilon,
  genesis,
  type Ledger,
  type LedgerScope,
  linkHash,
  purge,
  remainingOf,
  scopeOf,
  seedOf,
  type SpendRequest,
  type UnitId,
  type UnitState,
  viewOf
} from "@sotto/core/budget"
import type { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import type { Mutant } from "../Law.ts"
import { LEDGER_TEST_KEYS, type LedgerLab } from "../LedgerLab.ts"
import { layerModelLedger, rightTransitions, type Transitions } from "./ModelLedger.ts"

type LedgerMutant = Mutant<BudgetLedger | LedgerLab>

/** Ledgers that are wrong in one way each (spec: ledger §3); a name says the mistake. */
const mutant = (name: string, wrong: Partial<Transitions>): LedgerMutant => ({
  name,
  apply: () => layerModelLedger(wrong)
})

const right = rightTransitions.spend

const edited = (ledger: Ledger, name: string, edit: Partial<LedgerScope>): Ledger => ({
  ...ledger,
  scopes: new Map(ledger.scopes).set(name, { ...scopeOf(ledger, name), ...edit })
})

const withUnits = (
  ledger: Ledger,
  { scope, units }: SpendRequest,
  edit: (unit: UnitState) => UnitState | undefined
): Ledger => {
  const edits = new Map<UnitId, UnitState>(scopeOf(ledger, scope).units)
  for (const named of units) {
    const next = edit(edits.get(named.id) ?? { ...named, spent: 0, closed: false, deltaPico: 0 })
    if (next === undefined) edits.delete(named.id)
    else edits.set(named.id, next)
  }
  return edited(ledger, scope, { units: edits })
}

export const ledgerMutants = {
  refundOnFailure: mutant("refund on failure", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      const failed = answer._tag === "Exhausted" || answer._tag === "SpenderConflict"
      return [failed ? withUnits(next, request, () => undefined) : next, answer]
    }
  }),
  checkBeforeReplay: mutant("check before replay", {
    spend: (ledger, policy, request) => {
      const units = remainingOf(viewOf(ledger, request.scope), policy, request.units)
      const short = units.filter(({ remaining }) => remaining < request.epsilon)
      return short.length > 0 ? [ledger, { _tag: "Exhausted", units: short }] : right(ledger, policy, request)
    }
  }),
  perUnitLoop: mutant("per-unit loop", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      if (answer._tag !== "Exhausted") return [next, answer]
      const short = new Set(answer.units.map(({ id }) => id))
      const paid = withUnits(next, request, (unit) =>
        short.has(unit.id) ? unit : { ...unit, spent: unit.spent + request.epsilon }
      )
      return [paid, answer]
    }
  }),
  readThenWrite: mutant("read-then-write", { torn: true }),
  forgetsQuestion: mutant("forgets the question", {
    spend: (ledger, policy, request) => {
      const forgetful = edited(ledger, request.scope, { paid: new Map() })
      return right(forgetful, policy, request)
    }
  }),
  idempotentPerSpenderOnly: mutant("idempotent per spender only", {
    spend: (ledger, policy, request) => {
      const own = scopeOf(ledger, request.scope).spenders.get(request.spender) === request.fingerprint
      return right(own ? ledger : edited(ledger, request.scope, { paid: new Map() }), policy, request)
    }
  }),
  forgetsSpender: mutant("forgets spender", {
    spend: (ledger, policy, request) => right(edited(ledger, request.scope, { spenders: new Map() }), policy, request)
  }),
  capOffByOne: mutant("one charge above the cap", {
    spend: (ledger, policy, request) =>
      right(ledger, { ...policy, cap: (policy.cap + request.epsilon) as Epsilon }, request)
  }),
  reopens: mutant("raising the cap reopens", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      if (answer._tag !== "Charged" || request.charge === "shared") return [next, answer]
      return [withUnits(next, request, (unit) => ({ ...unit, spent: policy.cap, closed: false })), answer]
    }
  }),
  exclusiveOverShared: mutant("exclusive over shared", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, { ...request, charge: "shared" })
      const close = answer._tag === "Charged" && request.charge === "exclusive"
      return [close ? withUnits(next, request, (unit) => ({ ...unit, closed: true })) : next, answer]
    }
  }),
  chargesRepeats: mutant("charges a repeated unit twice", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      if (answer._tag !== "Charged") return [next, answer]
      const twice = request.units.filter((unit, i) => request.units.findIndex(({ id }) => id === unit.id) < i)
      const charged = withUnits(next, { ...request, units: twice }, (unit) => ({
        ...unit,
        spent: unit.spent + request.epsilon
      }))
      return [charged, answer]
    }
  }),
  jointCap: mutant("one cap for all units together", {
    spend: (ledger, policy, request) => {
      const view = viewOf(ledger, request.scope)
      const units = remainingOf(view, policy, request.units)
      const total = units.length * request.epsilon
      return total > policy.cap && view.paid(request.fingerprint) === undefined
        ? [ledger, { _tag: "Exhausted", units }]
        : right(ledger, policy, request)
    }
  }),
  purgeWithoutFloor: mutant("purge without floor", {
    purge: (ledger, scope, beforeHour) => {
      const [next, gone] = purge(ledger, scope, beforeHour)
      return [edited(next, scope, { floor: scopeOf(ledger, scope).floor }), gone]
    }
  }),
  floorFalls: mutant("a later purge lowers the floor", {
    purge: (ledger, scope, beforeHour) => {
      const [next, gone] = purge(ledger, scope, beforeHour)
      return [edited(next, scope, { floor: beforeHour }), gone]
    }
  }),
  historyForgets: mutant("history forgets a repeated charge", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      const { spends } = scopeOf(next, request.scope)
      const touched = request.units.some(({ id }) => scopeOf(ledger, request.scope).units.has(id))
      return answer._tag === "Charged" && touched
        ? [edited(next, request.scope, { spends: spends.slice(0, -1) }), answer]
        : [next, answer]
    }
  }),
  unlinkedChain: mutant("every spend starts a chain of its own", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      const spends = scopeOf(next, request.scope).spends.map((spend) => {
        const loose = { ...spend, prevHash: genesis(ledger.identity.ledgerId, request.scope).hash }
        return { ...loose, hash: linkHash(loose) }
      })
      return [edited(next, request.scope, { spends }), answer]
    }
  }),
  ignoresHead: mutant("ignores the head beside the keys", {
    spend: (ledger, policy, request) => right(ledger, policy, { ...request, known: undefined })
  }),
  comparesLengthOnly: mutant("compares the length of the chain only", {
    spend: (ledger, policy, request) => {
      const shorter = viewOf(ledger, request.scope).head.sequence < (request.known?.sequence ?? 0)
      return right(ledger, policy, shorter ? request : { ...request, known: undefined })
    }
  }),
  adoptsKey: mutant("adopts another key under an old id", {
    spend: (ledger, policy, request) => right({ ...ledger, keyChecks: new Map() }, policy, request)
  }),
  replaysUnderActiveKey: mutant("replays under the active key", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      if (answer._tag !== "Replayed") return [next, answer]
      const { noiseKeyId, kcv } = request
      return [next, { ...answer, receipt: { ...answer.receipt, noiseKeyId, kcv } }]
    }
  }),
  recordsNothing: mutant("records a question without units", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      const spenders = new Map(scopeOf(next, request.scope).spenders).set(request.spender, request.fingerprint)
      return [answer._tag === "Nothing" ? edited(next, request.scope, { spenders }) : next, answer]
    }
  }),
  countsRepeats: mutant("counts repeated units against the limit", {
    spend: (ledger, policy, request) =>
      request.units.length > policy.unitLimit
        ? [ledger, { _tag: "TooManyUnits", units: request.units.length, limit: policy.unitLimit }]
        : right(ledger, policy, request)
  }),
  seedInReceipt: mutant("puts the seed into the receipt", {
    spend: (ledger, policy, request) => {
      const [next, answer] = right(ledger, policy, request)
      if (answer._tag !== "Charged") return [next, answer]
      const seed = seedOf(LEDGER_TEST_KEYS.fingerprintKey, request.fingerprint)
      return [next, { ...answer, receipt: { ...answer.receipt, seed: [...seed] } }]
    }
  })
}
