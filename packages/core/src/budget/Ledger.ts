/**
 * The ledger as a pure transition (spec: ledger §3).
 *
 * `decideSpend` holds every rule of a spend and reads the store through a `LedgerView`, so an adapter that can answer
 * those questions inside one transaction need not know the rules. `Ledger` is the same thing wholly in memory: the model
 * that adapters are compared with.
 */
import { distinctUnits } from "./BudgetUnit.ts"
import { containsHead, genesis, linkHash } from "./Chain.ts"
import { type Epsilon, isEpsilon, MAX_EPSILON } from "./Epsilon.ts"
import type {
  ChainHash,
  Fingerprint,
  Head,
  KeyCheck,
  LedgerIdentity,
  LedgerUnit,
  NotRolledBack,
  Receipt,
  RollbackAccepted,
  RolledBack,
  Spend,
  SpendAnswer,
  SpendRequest,
  UnitId,
  UnitRemaining,
  UnitState
} from "./Spend.ts"

/** `cap`: the most that the questions about one unit may cost together. `unitLimit`: the most units of one question. */
export interface LedgerPolicy {
  readonly cap: Epsilon
  readonly unitLimit: number
}

/** The original's limits (spec: aggregation §9.2, §9.4). */
export const LEDGER_POLICY: LedgerPolicy = { cap: MAX_EPSILON, unitLimit: 30_000 }

/** What a decision reads of one scope, all at one moment. */
export interface LedgerView {
  readonly head: Head
  readonly floor: number | undefined
  /** The hash of the spend with this sequence; of the genesis for 0. */
  readonly hashAt: (sequence: number) => ChainHash | undefined
  /** The key check first seen under this id, in any scope. */
  readonly keyCheck: (noiseKeyId: string) => KeyCheck | undefined
  readonly asked: (spender: string) => Fingerprint | undefined
  readonly paid: (question: Fingerprint) => Pick<Spend, "sequence" | "noiseKeyId" | "chargedAt"> | undefined
  /** Those of these units that were ever charged, in any order: one question for all, because there may be 30 000. */
  readonly touched: (units: ReadonlyArray<LedgerUnit>) => ReadonlyMap<UnitId, Pick<UnitState, "spent" | "closed">>
}

/** What a decision writes, in the same transaction. */
export interface LedgerChange {
  readonly spender: string
  readonly fingerprint: Fingerprint
  /** To append, with its units in the order of `spend.unitIds`; absent after a replay. */
  readonly charge?: { readonly spend: Spend; readonly units: ReadonlyArray<LedgerUnit>; readonly kcv: KeyCheck }
}

/**
 * Decides a spend at `now` (the store's clock, milliseconds since 1970).
 *
 * Without a `change` nothing is recorded. Throws `RangeError` for a request that no typed caller can make, such as a
 * negative ε: that must stop a program, not be answered.
 */
export const decideSpend = (
  view: LedgerView,
  policy: LedgerPolicy,
  request: SpendRequest,
  now: number
): { readonly answer: SpendAnswer | RolledBack; readonly change?: LedgerChange } => {
  requireWellFormed(request)
  const { scope, spender, fingerprint, charge, epsilon, noiseKeyId, kcv, known } = request

  if (known !== undefined && !containsHead(known, view.hashAt)) {
    return { answer: { _tag: "RolledBack", known, head: view.head } }
  }
  if ((view.keyCheck(noiseKeyId) ?? kcv) !== kcv) return { answer: { _tag: "NoiseKeyMismatch", noiseKeyId } }
  const asked = view.asked(spender)
  if (asked !== undefined && asked !== fingerprint) return { answer: { _tag: "SpenderConflict", asked } }

  const paid = view.paid(fingerprint)
  if (paid !== undefined) {
    const receipt: Receipt = {
      scope,
      sequence: paid.sequence,
      fingerprint,
      noiseKeyId: paid.noiseKeyId,
      kcv: view.keyCheck(paid.noiseKeyId) ?? kcv,
      chargedAt: paid.chargedAt
    }
    return { answer: { _tag: "Replayed", receipt }, change: { spender, fingerprint } }
  }

  const units = distinctUnits(request.units)
  if (units.length === 0) {
    return { answer: { _tag: "Nothing", receipt: { scope, fingerprint, noiseKeyId, kcv, chargedAt: now } } }
  }
  if (units.length > policy.unitLimit) {
    return { answer: { _tag: "TooManyUnits", units: units.length, limit: policy.unitLimit } }
  }
  const touched = view.touched(units)
  const short = units.filter((unit) => {
    const { spent, closed } = touched.get(unit.id) ?? UNTOUCHED
    // An ε above a lowered cap fits nowhere, not even into an untouched unit.
    const full = charge === "exclusive" ? spent > 0 || epsilon > policy.cap : spent + epsilon > policy.cap
    return belowFloor(view.floor, unit) || closed || full
  })
  if (short.length > 0) {
    return { answer: { _tag: "Exhausted", units: remainingOf(view, policy, short) } }
  }

  const link = {
    sequence: view.head.sequence + 1,
    fingerprint,
    spender,
    charge,
    epsilon,
    reports: request.reports,
    unitIds: units.map(({ id }) => id),
    hours: units.map(({ hour }) => hourMark(hour)),
    noiseKeyId,
    asOf: request.asOf,
    chargedAt: now,
    prevHash: view.head.hash
  }
  const spend: Spend = { ...link, hash: linkHash(link) }
  return {
    answer: {
      _tag: "Charged",
      receipt: { scope, sequence: spend.sequence, fingerprint, noiseKeyId, kcv, chargedAt: now }
    },
    change: { spender, fingerprint, charge: { spend, units, kcv } }
  }
}

/** What each unit can still pay in micro-ε, sorted by id, equal ids once; 0 when closed or below the floor. */
export const remainingOf = (
  view: Pick<LedgerView, "floor" | "touched">,
  policy: LedgerPolicy,
  units: ReadonlyArray<LedgerUnit>
): ReadonlyArray<UnitRemaining> => {
  const touched = view.touched(units)
  return distinctUnits(units).map((unit) => {
    const { spent, closed } = touched.get(unit.id) ?? UNTOUCHED
    return { id: unit.id, remaining: closed || belowFloor(view.floor, unit) ? 0 : Math.max(0, policy.cap - spent) }
  })
}

/** Throws `RangeError` unless `beforeHour` can be a floor. */
export const requireFloor = (beforeHour: number): void => {
  if (!Number.isInteger(beforeHour) || beforeHour < 1 || beforeHour > HOUR_MARK_MAX) {
    throw new RangeError(`a floor is an hour from 1 to 2^32 - 1, not ${beforeHour}`)
  }
}

/** All of a ledger. Values are never changed in place. */
export interface Ledger {
  readonly identity: LedgerIdentity
  readonly keyChecks: ReadonlyMap<string, KeyCheck>
  readonly scopes: ReadonlyMap<string, LedgerScope>
}

export interface LedgerScope {
  readonly units: ReadonlyMap<UnitId, UnitState>
  readonly spends: ReadonlyArray<Spend>
  readonly paid: ReadonlyMap<Fingerprint, Spend>
  readonly spenders: ReadonlyMap<string, Fingerprint>
  readonly floor: number | undefined
  readonly rollbacks: ReadonlyArray<RollbackAccepted>
}

export const emptyLedger = (identity: LedgerIdentity): Ledger => ({
  identity,
  keyChecks: new Map(),
  scopes: new Map()
})

/** The scope with this name; one that nothing was ever asked in is empty. */
export const scopeOf = (ledger: Ledger, scope: string): LedgerScope => ledger.scopes.get(scope) ?? EMPTY_SCOPE

/** A ledger's answers about one scope. */
export const viewOf = (ledger: Ledger, scope: string): LedgerView => {
  const start = genesis(ledger.identity.ledgerId, scope)
  const { spends, spenders, paid, units, floor } = scopeOf(ledger, scope)
  const last = spends.at(-1)
  return {
    head: last === undefined ? start : { sequence: last.sequence, hash: last.hash },
    floor,
    hashAt: (sequence) => (sequence === 0 ? start : spends[sequence - 1])?.hash,
    keyCheck: (noiseKeyId) => ledger.keyChecks.get(noiseKeyId),
    asked: (spender) => spenders.get(spender),
    paid: (question) => paid.get(question),
    touched: () => units
  }
}

export const spend = (
  ledger: Ledger,
  policy: LedgerPolicy,
  request: SpendRequest,
  now: number
): readonly [Ledger, SpendAnswer | RolledBack] => {
  const { answer, change } = decideSpend(viewOf(ledger, request.scope), policy, request, now)
  return [change === undefined ? ledger : applyChange(ledger, request.scope, change), answer]
}

/** Raises the floor (never lowers it) and forgets the units below it; answers how many. */
export const purge = (ledger: Ledger, scope: string, beforeHour: number): readonly [Ledger, number] => {
  requireFloor(beforeHour)
  const before = scopeOf(ledger, scope)
  const floor = Math.max(beforeHour, before.floor ?? beforeHour)
  const units = new Map([...before.units].filter(([, unit]) => unit.hour >= floor))
  return [withScope(ledger, scope, { ...before, floor, units }), before.units.size - units.size]
}

/** Records an accepted rollback; the same one twice is recorded once. */
export const acceptRollback = (
  ledger: Ledger,
  scope: string,
  lost: Head,
  reason: string,
  now: number
): readonly [Ledger, RollbackAccepted | NotRolledBack] => {
  const view = viewOf(ledger, scope)
  const before = scopeOf(ledger, scope)
  const decided = decideRollback(view, before.rollbacks, lost, reason, now)
  if (decided._tag === "NotRolledBack" || before.rollbacks.includes(decided)) return [ledger, decided]
  return [withScope(ledger, scope, { ...before, rollbacks: [...before.rollbacks, decided] }), decided]
}

/** What accepting a rollback answers: an element of `accepted`, or a new record, or that there is nothing to accept. */
export const decideRollback = (
  view: Pick<LedgerView, "head" | "hashAt">,
  accepted: ReadonlyArray<RollbackAccepted>,
  lost: Head,
  reason: string,
  now: number
): RollbackAccepted | NotRolledBack => {
  const { head } = view
  if (containsHead(lost, view.hashAt)) return { _tag: "NotRolledBack", head }
  const same = accepted.find((one) => one.lost.hash === lost.hash && one.head.hash === head.hash)
  return same ?? { _tag: "RollbackAccepted", lost, head, reason, acceptedAt: now }
}

const applyChange = (ledger: Ledger, scope: string, change: LedgerChange): Ledger => {
  const before = scopeOf(ledger, scope)
  const spenders = new Map(before.spenders).set(change.spender, change.fingerprint)
  if (change.charge === undefined) return withScope(ledger, scope, { ...before, spenders })
  const { spend, kcv } = change.charge
  const units = new Map(before.units)
  for (const { id, hour, origin } of change.charge.units) {
    const { spent, closed } = units.get(id) ?? UNTOUCHED
    units.set(id, {
      id,
      hour,
      origin,
      spent: spent + spend.epsilon,
      closed: closed || spend.charge === "exclusive",
      deltaPico: 0
    })
  }
  return {
    ...withScope(ledger, scope, {
      ...before,
      spenders,
      units,
      spends: [...before.spends, spend],
      paid: new Map(before.paid).set(spend.fingerprint, spend)
    }),
    keyChecks: new Map(ledger.keyChecks).set(spend.noiseKeyId, kcv)
  }
}

const withScope = (ledger: Ledger, name: string, scope: LedgerScope): Ledger => ({
  ...ledger,
  scopes: new Map(ledger.scopes).set(name, scope)
})

const UNTOUCHED = { spent: 0, closed: false }

const EMPTY_SCOPE: LedgerScope = {
  units: new Map(),
  spends: [],
  paid: new Map(),
  spenders: new Map(),
  floor: undefined,
  rollbacks: []
}

const HOUR_MARK_MAX = 2 ** 32 - 1

// 4 bytes an hour in a history. Reports may name any hour; those outside are cut to the ends, which no floor tells apart.
const hourMark = (hour: number): number => Math.min(Math.max(hour, 0), HOUR_MARK_MAX)

const belowFloor = (floor: number | undefined, unit: LedgerUnit): boolean => floor !== undefined && unit.hour < floor

const requireWellFormed = (request: SpendRequest): void => {
  const whole = [request.reports, request.asOf].every(Number.isSafeInteger) && request.reports >= 0
  const hex = HEX_64.test(request.fingerprint) && /^[0-9a-f]{16}$/.test(request.kcv)
  if (!isEpsilon(request.epsilon)) throw new RangeError(`not an ε: ${request.epsilon} micro-ε`)
  if (!whole || !hex || (request.charge !== "exclusive" && request.charge !== "shared")) {
    throw new RangeError("a spend needs whole numbers, lower-case hexadecimal names and a known charge")
  }
  // Upper case would name the same unit a second time.
  if (!request.units.every((unit) => HEX_64.test(unit.id) && Number.isSafeInteger(unit.hour))) {
    throw new RangeError("a unit needs an id of 64 lower-case hexadecimal digits and a whole hour")
  }
}

const HEX_64 = /^[0-9a-f]{64}$/
