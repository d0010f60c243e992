import { Buffer } from "node:buffer"
import { existsSync } from "node:fs"
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite"
import {
  type ChainHash,
  decideRollback,
  decideSpend,
  type Fingerprint,
  genesis,
  type Head,
  type KeyCheck,
  LEDGER_POLICY,
  type LedgerChange,
  type LedgerIdentity,
  type LedgerPolicy,
  type LedgerUnit,
  type LedgerView,
  remainingOf,
  requireFloor,
  type RollbackAccepted,
  type Spend,
  type UnitId,
  unitIdBytes,
  type UnitState
} from "@sotto/core/budget"
import {
  BudgetLedger,
  type LedgerMismatch,
  ledgerRolledBack,
  LedgerUnavailable,
  requireIdentity
} from "@sotto/core/ports/BudgetLedger"
import { identityOf } from "@sotto/core/ports/LedgerKeys"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { openDatabase, type Voice } from "./internal/Database.ts"

export interface SqliteLedgerOptions {
  /** Path of the ledger file; `:memory:` for a database of this process only. */
  readonly file: string
  /** Refuse a file that does not exist instead of making it. */
  readonly mustExist?: boolean
  readonly policy?: Partial<LedgerPolicy>
  /** How long to wait for another process that is writing. Default 10 000. */
  readonly busyMs?: number
}

/**
 * The ledger in one SQLite file (WAL, `synchronous=FULL`): a charge is on disk before it is answered, and processes that
 * share the file take turns. Needs the ledger keys, because a ledger belongs to one fingerprint key.
 *
 * A file that is not there is made when it is first asked something: a run that fails before it pays leaves nothing.
 */
export const layerSqliteBudgetLedger = (options: SqliteLedgerOptions) =>
  Layer.effect(
    BudgetLedger,
    Effect.gen(function* () {
      const opening = open({ ...options, identity: yield* identityOf })
      if (options.mustExist === true || options.file === ":memory:" || existsSync(options.file)) return yield* opening
      const scope = yield* Effect.scope
      return whenAsked(yield* Effect.cached(Effect.provideService(opening, Scope.Scope, scope)))
    })
  )

/** A ledger that is opened by the first call. */
const whenAsked = (opened: Effect.Effect<BudgetLedger["Service"], LedgerMismatch | LedgerUnavailable>) => {
  // Another process made the file in the meantime, with other keys.
  const ledger = Effect.catchTag(opened, "LedgerMismatch", ({ message }) =>
    Effect.fail(new LedgerUnavailable({ because: "not-a-ledger", message }))
  )
  return BudgetLedger.of({
    capabilities: { durable: true },
    spend: (request) => Effect.flatMap(ledger, (it) => it.spend(request)),
    remaining: (scope, units) => Effect.flatMap(ledger, (it) => it.remaining(scope, units)),
    history: (scope, after, limit) => Effect.flatMap(ledger, (it) => it.history(scope, after, limit)),
    units: (scope, after, limit) => Effect.flatMap(ledger, (it) => it.units(scope, after, limit)),
    scopes: Effect.flatMap(ledger, (it) => it.scopes),
    purge: (scope, beforeHour) => Effect.flatMap(ledger, (it) => it.purge(scope, beforeHour)),
    floor: (scope) => Effect.flatMap(ledger, (it) => it.floor(scope)),
    acceptRollback: (scope, lost, reason) => Effect.flatMap(ledger, (it) => it.acceptRollback(scope, lost, reason)),
    rollbacks: (scope) => Effect.flatMap(ledger, (it) => it.rollbacks(scope)),
    head: (scope) => Effect.flatMap(ledger, (it) => it.head(scope))
  })
}

/** An existing ledger to look at, without keys: what would write answers `LedgerUnavailable`. */
export const layerSqliteBudgetLedgerReadOnly = (options: Pick<SqliteLedgerOptions, "file" | "policy">) =>
  Layer.effect(BudgetLedger, open({ ...options, mustExist: true }))

const open = Effect.fn("openSqliteLedger")(function* (
  options: SqliteLedgerOptions & { readonly identity?: LedgerIdentity }
) {
  const { file, identity } = options
  const policy = { ...LEDGER_POLICY, ...options.policy }
  const { db, read, change } = yield* openDatabase({ ...options, readOnly: identity === undefined }, voice)
  const stored = yield* identity === undefined
    ? Effect.flatMap(
        read(() => identityIn(db)),
        (found) => (found === undefined ? Effect.fail(empty(file)) : Effect.succeed(found))
      )
    : change(() => claimIdentity(db, identity))
  if (identity !== undefined) yield* requireIdentity(stored, identity)

  const sql = statements(db)
  const scopeId = (name: string): number | undefined => sql.scopeId.get(name)?.["id"] as number | undefined
  const scopeIdForWriting = (name: string): number => scopeId(name) ?? Number(sql.addScope.run(name).lastInsertRowid)

  const viewOf = (name: string): LedgerView => {
    const start = genesis(stored.ledgerId, name)
    const scope = scopeId(name) ?? -1
    const last = sql.last.get(scope)
    return {
      head: last === undefined ? start : headOf(last, "sequence", "hash"),
      floor: (sql.floor.get(scope)?.["floor"] as number | null | undefined) ?? undefined,
      hashAt: (sequence) => {
        const row = sql.hashAt.get(scope, sequence)
        return sequence === 0 ? start.hash : row && hex<ChainHash>(row["hash"])
      },
      keyCheck: (noiseKeyId) => {
        const row = sql.keyCheck.get(noiseKeyId)
        return row && hex<KeyCheck>(row["kcv"])
      },
      asked: (spender) => {
        const row = sql.asked.get(scope, spender)
        return row && hex<Fingerprint>(row["fingerprint"])
      },
      paid: (question) => {
        const row = sql.paid.get(scope, blob(question))
        return (
          row && {
            sequence: row["sequence"] as number,
            noiseKeyId: row["noise_key_id"] as string,
            chargedAt: row["charged_at"] as number
          }
        )
      },
      touched: (units) => {
        const ids = unitIdBytes(units.map(({ id }) => id))
        const rows = units.length === 0 ? [] : sql.touched.all(units.length, scope, ids)
        return new Map(
          rows.map((row) => [
            (units[row["i"] as number] as LedgerUnit).id,
            { spent: row["spent"] as number, closed: row["closed"] === 1 }
          ])
        )
      }
    }
  }

  const write = (name: string, { spender, fingerprint, charge }: LedgerChange): void => {
    const scope = scopeIdForWriting(name)
    if (charge !== undefined) {
      const { spend, units, kcv } = charge
      const exclusive = spend.charge === "exclusive" ? 1 : 0
      const ids = unitIdBytes(spend.unitIds)
      units.forEach(({ hour, origin }, i) =>
        sql.charge.run(scope, ids.subarray(32 * i, 32 * i + 32), hour, origin, spend.epsilon, exclusive)
      )
      sql.addKeyCheck.run(spend.noiseKeyId, blob(kcv))
      sql.append.run(
        scope,
        spend.sequence,
        blob(spend.fingerprint),
        spend.spender,
        spend.charge,
        spend.epsilon,
        spend.reports,
        ids,
        packHours(spend.hours),
        spend.noiseKeyId,
        spend.asOf,
        spend.chargedAt,
        blob(spend.prevHash),
        blob(spend.hash)
      )
    }
    sql.remember.run(scope, spender, blob(fingerprint))
  }

  const rollbacksOf = (name: string): ReadonlyArray<RollbackAccepted> =>
    sql.rollbacks.all(scopeId(name) ?? -1).map((row) => ({
      _tag: "RollbackAccepted",
      lost: headOf(row, "lost_sequence", "lost_hash"),
      head: headOf(row, "head_sequence", "head_hash"),
      reason: row["reason"] as string,
      acceptedAt: row["accepted_at"] as number
    }))

  return BudgetLedger.of({
    capabilities: { durable: file !== ":memory:" },
    spend: (request) =>
      Effect.flatMap(
        change((now) => {
          const decision = decideSpend(viewOf(request.scope), policy, request, now)
          if (decision.change !== undefined) write(request.scope, decision.change)
          return decision.answer
        }),
        (answer) =>
          answer._tag === "RolledBack"
            ? Effect.fail(ledgerRolledBack(request.scope, answer.known, answer.head))
            : Effect.succeed(answer)
      ),
    remaining: (scope, units) => read(() => remainingOf(viewOf(scope), policy, units)),
    history: (scope, after, limit) => read(() => sql.history.all(scopeId(scope) ?? -1, after, limit).map(spendOf)),
    units: (scope, after, limit) =>
      read(() => sql.units.all(scopeId(scope) ?? -1, blob(after ?? ""), limit).map(unitOf)),
    scopes: read(() => sql.scopes.all().map((row) => row["name"] as string)),
    purge: (scope, beforeHour) =>
      change(() => {
        requireFloor(beforeHour)
        const id = scopeIdForWriting(scope)
        sql.raiseFloor.run(beforeHour, id)
        return Number(sql.forget.run(id, id).changes)
      }),
    floor: (scope) => read(() => viewOf(scope).floor),
    acceptRollback: (scope, lost, reason) =>
      change((now) => {
        const accepted = rollbacksOf(scope)
        const answer = decideRollback(viewOf(scope), accepted, lost, reason, now)
        if (answer._tag === "RollbackAccepted" && !accepted.includes(answer)) {
          const { head } = answer
          const id = scopeIdForWriting(scope)
          sql.addRollback.run(id, lost.sequence, blob(lost.hash), head.sequence, blob(head.hash), reason, now)
        }
        return answer
      }),
    rollbacks: (scope) => read(() => rollbacksOf(scope)),
    head: (scope) => read(() => viewOf(scope).head)
  })
})

const voice: Voice<LedgerUnavailable> = {
  what: "budget ledger",
  again: "Try again with the same question: it is paid once.",
  refuse: (because, message) =>
    new LedgerUnavailable({ because: because === "foreign" ? "not-a-ledger" : because, message })
}

const empty = (file: string) =>
  new LedgerUnavailable({ because: "not-a-ledger", message: `${file} holds no budget ledger yet.` })

const identityIn = (db: DatabaseSync): LedgerIdentity | undefined => {
  const row = db.prepare("select * from ledger").get()
  return row && { ledgerId: hex(row["ledger_id"]), fingerprintKcv: hex<KeyCheck>(row["fingerprint_kcv"]) }
}

/** The identity that a ledger was begun with; a new one gets `identity`. */
const claimIdentity = (db: DatabaseSync, identity: LedgerIdentity): LedgerIdentity => {
  db.prepare("insert or ignore into ledger (one, ledger_id, fingerprint_kcv) values (1, ?, ?)").run(
    blob(identity.ledgerId),
    blob(identity.fingerprintKcv)
  )
  return identityIn(db) ?? identity
}

const statements = (db: DatabaseSync) => ({
  scopeId: db.prepare("select id from scope where name = ?"),
  addScope: db.prepare("insert into scope (name) values (?)"),
  scopes: db.prepare("select name from scope order by name"),
  floor: db.prepare("select floor from scope where id = ?"),
  raiseFloor: db.prepare("update scope set floor = max(?, coalesce(floor, 1)) where id = ?"),
  forget: db.prepare("delete from unit where scope = ? and hour < (select floor from scope where id = ?)"),
  last: db.prepare("select sequence, hash from spend where scope = ? order by sequence desc limit 1"),
  hashAt: db.prepare("select hash from spend where scope = ? and sequence = ?"),
  keyCheck: db.prepare("select kcv from key_check where noise_key_id = ?"),
  addKeyCheck: db.prepare("insert or ignore into key_check (noise_key_id, kcv) values (?, ?)"),
  asked: db.prepare("select fingerprint from spender where scope = ? and spender = ?"),
  remember: db.prepare(
    `insert into spender (scope, spender, fingerprint) values (?, ?, ?)
     on conflict do update set fingerprint = excluded.fingerprint`
  ),
  paid: db.prepare("select sequence, noise_key_id, charged_at from spend where scope = ? and fingerprint = ?"),
  // All ids in one blob: half the time of 30 000 look-ups. "cross join" keeps the ids in the outer loop.
  touched: db.prepare(
    `with recursive asked (i) as (select 0 union all select i + 1 from asked where i + 1 < ?)
     select i, spent, closed from asked cross join unit where scope = ? and unit = substr(?, i * 32 + 1, 32)`
  ),
  units: db.prepare("select * from unit where scope = ? and unit > ? order by unit limit ?"),
  charge: db.prepare(
    `insert into unit (scope, unit, hour, origin, spent, closed) values (?, ?, ?, ?, ?, ?)
     on conflict do update set spent = spent + excluded.spent, closed = max(closed, excluded.closed)`
  ),
  append: db.prepare(
    `insert into spend (scope, sequence, fingerprint, spender, charge, epsilon, reports, unit_ids, hours, noise_key_id,
       as_of, charged_at, prev_hash, hash) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
  ),
  history: db.prepare("select * from spend where scope = ? and sequence > ? order by sequence limit ?"),
  rollbacks: db.prepare("select * from rollback where scope = ? order by id"),
  addRollback: db.prepare(
    `insert into rollback (scope, lost_sequence, lost_hash, head_sequence, head_hash, reason, accepted_at)
     values (?, ?, ?, ?, ?, ?, ?)`
  )
})

type Row = Record<string, SQLOutputValue>

const blob = (text: string): SQLInputValue => Buffer.from(text, "hex")

const hex = <A extends string>(value: SQLOutputValue | undefined): A => {
  const bytes = value as Uint8Array
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex") as A
}

const headOf = (row: Row, sequence: string, hash: string): Head => ({
  sequence: row[sequence] as number,
  hash: hex<ChainHash>(row[hash])
})

const unitOf = (row: Row): UnitState => ({
  id: hex<UnitId>(row["unit"]),
  hour: row["hour"] as number,
  origin: row["origin"] as string,
  spent: row["spent"] as number,
  closed: row["closed"] === 1,
  deltaPico: row["delta_pico"] as number
})

const spendOf = (row: Row): Spend => ({
  sequence: row["sequence"] as number,
  fingerprint: hex<Fingerprint>(row["fingerprint"]),
  spender: row["spender"] as string,
  charge: row["charge"] as Spend["charge"],
  epsilon: row["epsilon"] as Spend["epsilon"],
  reports: row["reports"] as number,
  unitIds: hex(row["unit_ids"]).match(/.{64}/g) as unknown as ReadonlyArray<UnitId>,
  hours: unpackHours(row["hours"] as Uint8Array),
  noiseKeyId: row["noise_key_id"] as string,
  asOf: row["as_of"] as number,
  chargedAt: row["charged_at"] as number,
  prevHash: hex<ChainHash>(row["prev_hash"]),
  hash: hex<ChainHash>(row["hash"])
})

const packHours = (hours: ReadonlyArray<number>): Uint8Array => {
  const out = Buffer.alloc(4 * hours.length)
  hours.forEach((hour, i) => out.writeUInt32BE(hour, 4 * i))
  return out
}

const unpackHours = (bytes: Uint8Array): ReadonlyArray<number> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i))
}
