/**
 * Histories of a ledger that many callers used at once, over any number of connections and processes, and whether some
 * order explains them (Herlihy and Wing, "Linearizability").
 */
import {
  emptyLedger,
  type Ledger,
  LEDGER_POLICY,
  ledgerIdentity,
  type LedgerPolicy,
  purge,
  spend,
  type SpendAnswer,
  type SpendRequest
} from "@sotto/core/budget"
import type { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { LEDGER_TEST_KEYS } from "./LedgerLab.ts"

export type LedgerCall =
  | { readonly call: "spend"; readonly request: SpendRequest }
  | { readonly call: "purge"; readonly scope: string; readonly beforeHour: number }

/**
 * A call as its caller saw it: plain data, so that processes can hand their histories over.
 *
 * `began` and `ended` are of one clock for all callers that never goes back. `ended: null`: no answer came, so the call may
 * have taken place at any time after it began, or never.
 */
export type RecordedCall = LedgerCall & {
  readonly began: number
  readonly ended: number | null
  readonly answer: SpendAnswer | number | null
}

export type Explanation =
  /** The calls, by their place in the history, in an order that gives every answer. */
  | { readonly _tag: "Explained"; readonly order: ReadonlyArray<number> }
  /** As many as could be explained together; after them no call fits its answer. */
  | { readonly _tag: "Unexplained"; readonly order: ReadonlyArray<number> }

/** Writes down the calls that change a ledger. One clock, e.g. a counter, for all who write into one history. */
export const recordingLedger = (
  ledger: BudgetLedger["Service"],
  history: Array<RecordedCall>,
  clock: () => number
): BudgetLedger["Service"] => {
  const recorded = <A extends SpendAnswer | number, E>(call: LedgerCall, run: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      const began = clock()
      return Effect.onExit(run, (exit) =>
        Effect.sync(() => {
          history.push({
            ...call,
            began,
            ended: Exit.isSuccess(exit) ? clock() : null,
            answer: Exit.isSuccess(exit) ? exit.value : null
          })
        })
      )
    })
  return {
    ...ledger,
    spend: (request) => recorded({ call: "spend", request }, ledger.spend(request)),
    purge: (scope, beforeHour) => recorded({ call: "purge", scope, beforeHour }, ledger.purge(scope, beforeHour))
  }
}

/**
 * Is there an order of these calls, not against what was seen, in which the pure ledger gives the same answers?
 *
 * `from` is the ledger before the history; empty, with the test keys, unless told. The search takes steps in proportion to
 * the calls unless many overlap: charges are pinned by the sequences of their receipts.
 */
export const explainHistory = (
  history: ReadonlyArray<RecordedCall>,
  {
    from = emptyLedger(ledgerIdentity(LEDGER_TEST_KEYS.ledgerId, LEDGER_TEST_KEYS.fingerprintKey)),
    policy = {}
  }: { readonly from?: Ledger; readonly policy?: Partial<LedgerPolicy> } = {}
): Explanation => {
  const limits = { ...LEDGER_POLICY, ...policy }
  let furthest: ReadonlyArray<number> = []

  const search = (left: ReadonlySet<number>, ledger: Ledger, order: ReadonlyArray<number>): boolean => {
    if (order.length >= furthest.length) furthest = order
    const waiting = [...left]
    if (waiting.every((i) => callAt(i).ended === null)) return true
    const firstEnd = Math.min(...waiting.map((i) => callAt(i).ended ?? Infinity))
    const may = waiting.filter((i) => callAt(i).began <= firstEnd)
    const tries = may.flatMap((i) => {
      const [next, answer] = step(ledger, limits, callAt(i))
      return callAt(i).ended === null || said(answer) === said(callAt(i).answer) ? [{ i, next }] : []
    })
    // What fits and changes nothing now would fit here in every order that works, so no other place has to be tried.
    const idle = tries.find(({ i, next }) => next === ledger && callAt(i).ended !== null)
    return (idle === undefined ? tries : [idle]).some(({ i, next }) =>
      search(new Set(waiting.filter((one) => one !== i)), next, [...order, i])
    )
  }
  const callAt = (i: number): RecordedCall => history[i] as RecordedCall

  const explained = search(new Set(history.keys()), from, [])
  return { _tag: explained ? "Explained" : "Unexplained", order: furthest }
}

const step = (ledger: Ledger, policy: LedgerPolicy, call: LedgerCall): readonly [Ledger, unknown] =>
  call.call === "purge" ? purge(ledger, call.scope, call.beforeHour) : spend(ledger, policy, call.request, 0)

/** What an answer says about the ledger, without times, which nobody can foresee. */
export const said = (answer: unknown): string => {
  const { _tag, receipt, ...rest } = answer as { _tag?: string; receipt?: { sequence?: number; noiseKeyId: string } }
  return JSON.stringify([_tag ?? answer, receipt?.sequence, receipt?.noiseKeyId, rest])
}
