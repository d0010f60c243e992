import { existsSync } from "node:fs"
import { errorCounts } from "@sotto/core/aggregation"
import {
  type Charge,
  MAX_EPSILON,
  type ChainHash,
  containsHead,
  genesis,
  printEpsilon,
  type Spend,
  type UnitState,
  verifyChain
} from "@sotto/core/budget"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { acceptRollback as accept } from "@sotto/engine"
import { layerFileLedgerKeys } from "@sotto/fs"
import { adviseLocally } from "@sotto/local"
import { layerSqliteBudgetLedger, layerSqliteBudgetLedgerReadOnly } from "@sotto/store-sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CommandError } from "../Failure.ts"
import { ledgerFiles, type LedgerOptions } from "../LedgerFiles.ts"
import { asOfOf, epsilonOf } from "../Options.ts"
import { epsilonText, hourText, shortUnits, shortUnitTable, timeText } from "../Print.ts"
import { questionOf, type QuestionOptions } from "../Question.ts"
import { run } from "../Run.ts"
import { bold, dim, grouped, interactive, note, print, printJson, progress, table } from "../Terminal.ts"

/** Only reads: needs no keys and waits for nobody. */
const looking = <A, E extends { readonly message: string }>(
  options: LedgerOptions,
  program: Effect.Effect<A, E, BudgetLedger>
): Promise<A> => run(program.pipe(Effect.provide(layerSqliteBudgetLedgerReadOnly({ file: ledgerFiles(options).file }))))

/** Changes a ledger that exists; needs its keys. */
const changing = <A, E extends { readonly message: string }>(
  options: LedgerOptions,
  program: Effect.Effect<A, E, BudgetLedger | LedgerKeys>
): Promise<A> => {
  const { file, keysFile } = ledgerFiles(options)
  const ledger = layerSqliteBudgetLedger({ file, mustExist: true })
  return run(program.pipe(Effect.provide(Layer.provideMerge(ledger, layerFileLedgerKeys(keysFile)))))
}

/** Reads page after page up to `limit` rows (0: all). */
const pages = Effect.fn("pages")(function* <A, E>(
  page: (last: A | undefined, size: number) => Effect.Effect<ReadonlyArray<A>, E>,
  limit: number
) {
  const rows: Array<A> = []
  for (;;) {
    const size = limit === 0 ? 1000 : Math.min(1000, limit - rows.length)
    if (size === 0) return rows
    const next = yield* page(rows.at(-1), size)
    rows.push(...next)
    if (next.length < size) return rows
  }
})

/** No scope of that name: say which there are, because a mistyped name looks like an unspent budget. */
const knownScope = Effect.fn("knownScope")(function* (scope: string) {
  const ledger = yield* BudgetLedger
  const scopes = yield* ledger.scopes
  if (scopes.length > 0 && !scopes.includes(scope)) {
    return yield* Effect.fail(
      new CommandError(
        `The ledger has no scope ${JSON.stringify(scope)}; it has ${scopes.map((name) => JSON.stringify(name)).join(", ")}.`
      )
    )
  }
})

export const show = async (options: LedgerOptions & { readonly limit: number }): Promise<void> => {
  const { scope, limit } = options
  const { units, floor, spends } = await looking(
    options,
    Effect.gen(function* () {
      yield* knownScope(scope)
      const ledger = yield* BudgetLedger
      return {
        units: yield* pages((last: UnitState | undefined, size) => ledger.units(scope, last?.id, size), limit),
        floor: yield* ledger.floor(scope),
        spends: (yield* ledger.head(scope)).sequence
      }
    })
  )
  const remaining = (unit: UnitState) => (unit.closed ? 0 : MAX_EPSILON - unit.spent)
  if (options.json) {
    return printJson({
      scope,
      questions: spends,
      ...(floor === undefined ? {} : { floor: hourText(floor) }),
      units: units.map((unit) => ({
        unit: unit.id,
        origin: unit.origin,
        hour: hourText(unit.hour),
        spent: epsilonText(unit.spent),
        closed: unit.closed,
        remaining: epsilonText(remaining(unit))
      }))
    })
  }
  await print(
    `Scope ${JSON.stringify(scope)}: ${grouped(spends)} ${spends === 1 ? "question" : "questions"} paid for${floor === undefined ? "" : `; units before ${hourText(floor)} are purged and exhausted for ever`}`
  )
  if (units.length === 0) return print("No unit has spent anything.")
  await print(
    table(
      ["unit", "origin", "hour", "spent ε", "closed", "remaining ε"],
      units.map((unit) => [
        `${unit.id.slice(0, 12)}…`,
        unit.origin,
        hourText(unit.hour),
        epsilonText(unit.spent),
        unit.closed ? "yes" : "no",
        epsilonText(remaining(unit))
      ])
    )
  )
  if (units.length === limit) await print(dim("There may be more; --limit 0 shows all."))
}

/** The genesis and the head that the keys know, if they are at hand; a chain can be followed without them. */
const chainEnds = async (options: LedgerOptions) => {
  const { keysFile } = ledgerFiles(options)
  if (!existsSync(keysFile)) return undefined
  return run(
    Effect.gen(function* () {
      const keys = yield* LedgerKeys
      const ledgerId = Buffer.from(yield* keys.ledgerId).toString("hex")
      return { start: genesis(ledgerId, options.scope), known: yield* keys.head(options.scope) }
    }).pipe(Effect.provide(layerFileLedgerKeys(keysFile)))
  )
}

/** One sentence about the chain, or the `CommandError` that it is not whole. */
const verdictOf = (spends: ReadonlyArray<Spend>, ends: Awaited<ReturnType<typeof chainEnds>>): string => {
  const start = ends?.start ?? { sequence: 0, hash: spends[0]?.prevHash ?? ("" as ChainHash) }
  const end = verifyChain(start, spends)
  if ("_tag" in end)
    throw new CommandError(
      `The chain of questions breaks at number ${end.sequence}: the ledger was changed by hand, is damaged, or belongs to other keys. Restore a copy.`
    )
  const hashAt = (sequence: number) => (sequence === 0 ? start.hash : spends[sequence - 1]?.hash)
  if (ends?.known !== undefined && !containsHead(ends.known, hashAt)) {
    throw new CommandError(
      `The ledger is older than its keys: question ${ends.known.sequence} is missing. Restore the newest copy, or accept the loss with \`sotto budget accept-rollback\`.`
    )
  }
  return `The chain of ${grouped(spends.length)} ${spends.length === 1 ? "question" : "questions"} is whole${ends === undefined ? " (its start and end were not compared: the ledger keys are not at hand)" : ""}.`
}

export const history = async (options: LedgerOptions & { readonly limit: number }): Promise<void> => {
  const { scope, limit } = options
  const { spends, rollbacks } = await looking(
    options,
    Effect.gen(function* () {
      yield* knownScope(scope)
      const ledger = yield* BudgetLedger
      return {
        spends: yield* pages((last: Spend | undefined, size) => ledger.history(scope, last?.sequence ?? 0, size), 0),
        rollbacks: yield* ledger.rollbacks(scope)
      }
    })
  )
  const verdict = verdictOf(spends, await chainEnds(options))
  const shown = limit === 0 ? spends : spends.slice(-limit)
  if (options.json) {
    return printJson({
      scope,
      chain: verdict,
      rollbacks,
      questions: shown.map(({ unitIds, hours: _, ...spend }) => ({
        ...spend,
        epsilon: printEpsilon(spend.epsilon),
        units: unitIds.length,
        asOf: timeText(spend.asOf),
        chargedAt: timeText(spend.chargedAt)
      }))
    })
  }
  await print(
    table(
      ["no.", "charged at", "as of", "ε", "charge", "reports", "units", "question", "noise key"],
      shown.map((spend) => [
        String(spend.sequence),
        timeText(spend.chargedAt),
        timeText(spend.asOf),
        printEpsilon(spend.epsilon),
        spend.charge,
        grouped(spend.reports),
        grouped(spend.unitIds.length),
        `${spend.fingerprint.slice(0, 16)}…`,
        spend.noiseKeyId
      ])
    )
  )
  if (shown.length < spends.length)
    await print(dim(`${grouped(spends.length - shown.length)} earlier ones are not shown; --limit 0 shows all.`))
  for (const { lost, head, reason, acceptedAt } of rollbacks)
    await print(
      `${timeText(acceptedAt)}: a rollback from question ${lost.sequence} to ${head.sequence} was accepted: ${reason}`
    )
  await print(verdict)
}

export const check = async (
  options: LedgerOptions & QuestionOptions & { readonly epsilon: string; readonly budget: Charge }
): Promise<void> => {
  const epsilon = epsilonOf(options.epsilon)
  const line = progress("reports")
  const advice = await run(
    adviseLocally({
      ...questionOf(options),
      epsilon,
      l1: 65_536,
      ledger: { ...ledgerFiles(options), scope: options.scope, charge: options.budget },
      ...(interactive() ? { onProgress: (at) => line.update(at.rows, undefined, "reports") } : {})
    })
  ).finally(line.end)
  const { asked, short } = advice
  // Before anything is printed: a reader that goes away ends the process.
  if (short.length > 0) process.exitCode = 1
  if (options.json) {
    return printJson({
      couldBeAsked: short.length === 0,
      free: asked !== undefined,
      ...(asked === undefined ? {} : { paidAt: timeText(asked.chargedAt) }),
      reports: advice.reports,
      errorCounts: errorCounts(advice.errors),
      units: advice.units,
      short: shortUnits(short)
    })
  }
  const price = `ε = ${printEpsilon(epsilon)} (${options.budget})`
  await print(
    `${grouped(advice.reports)} reports count, in ${grouped(advice.units)} budget units; ${grouped(advice.errors.withErrors)} have errors.`
  )
  if (asked !== undefined) return print(bold(`Free: this question was paid for on ${timeText(asked.chargedAt)}.`))
  if (short.length === 0) return print(bold(`Yes: every unit can pay ${price}. Nothing was charged.`))
  await print(bold(`No: ${grouped(short.length)} units cannot pay ${price}.`))
  await print(shortUnitTable(short))
}

export const acceptRollback = async (options: LedgerOptions & { readonly reason: string }): Promise<void> => {
  const answer = await changing(options, accept(options.scope, options.reason))
  const lost = answer?._tag === "RollbackAccepted" ? answer : undefined
  if (options.json)
    return printJson(
      lost === undefined
        ? { accepted: false }
        : { accepted: true, lostFrom: lost.head.sequence + 1, lostTo: lost.lost.sequence, reason: options.reason }
    )
  if (lost === undefined)
    return note("Nothing to accept: the ledger holds every question that was recorded beside its keys.")
  note(
    `Accepted and recorded: questions ${lost.head.sequence + 1} to ${lost.lost.sequence} are lost, and their units may be charged again.`
  )
}

export const purge = async (options: LedgerOptions & { readonly before: string }): Promise<void> => {
  const hour = Math.floor(asOfOf(options.before, "--before") / 3_600_000)
  const forgotten = await changing(
    options,
    BudgetLedger.use((ledger) => ledger.purge(options.scope, hour))
  )
  if (options.json) return printJson({ scope: options.scope, floor: hourText(hour), forgotten })
  note(
    `${grouped(forgotten)} units forgotten; units before ${hourText(hour)} can never pay again in scope ${JSON.stringify(options.scope)}.`
  )
}
