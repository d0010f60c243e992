import { Buffer } from "node:buffer"
import { existsSync } from "node:fs"
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite"
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
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { APPLICATION_ID, MIGRATIONS } from "./Schema.ts"

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
  const { file, identity, busyMs = 10_000 } = options
  const policy = { ...LEDGER_POLICY, ...options.policy }
  const attempt = <A>(body: () => A): Effect.Effect<A, LedgerUnavailable> =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(body())
      } catch (cause) {
        const refusal = cause instanceof LedgerUnavailable ? cause : unavailable(file, cause)
        return refusal === undefined ? Effect.die(cause) : Effect.fail(refusal)
      }
    })
  // SQLite's own waiting would block the thread; between attempts other work goes on.
  const waiting = <A>(effect: Effect.Effect<A, LedgerUnavailable>) =>
    Effect.retry(effect, {
      while: (error) => error.because === "busy",
      schedule: Schedule.spaced("5 millis").pipe(Schedule.jittered),
      times: Math.ceil(busyMs / 5)
    })

  if (options.mustExist === true && !existsSync(file)) {
    return yield* new LedgerUnavailable({ because: "missing", message: `There is no budget ledger at ${file}.` })
  }
  const db = yield* Effect.acquireRelease(
    attempt(() => new DatabaseSync(file, { readOnly: identity === undefined, timeout: 0 })),
    (opened) => Effect.sync(() => opened.close())
  )
  const stored = yield* waiting(attempt(() => prepare(db, file, identity)))
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

  const read = <A>(body: () => A) => waiting(attempt(() => inTransaction(db, "begin", body)))
  const change = <A>(body: (now: number) => A) =>
    waiting(
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        attempt(() => inTransaction(db, "begin immediate", () => body(now)))
      )
    )
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

/** Settings, identity check of the file, migrations. Without an identity (read only) nothing is written. */
const prepare = (db: DatabaseSync, file: string, identity: LedgerIdentity | undefined): LedgerIdentity => {
  const pragma = (name: string): number => Number(Object.values(db.prepare(`pragma ${name}`).get() ?? {})[0])
  const application = pragma("application_id")
  const version = pragma("user_version")
  const isEmpty = pragma("schema_version") === 0
  if (application !== APPLICATION_ID && !(isEmpty && application === 0)) {
    throw new LedgerUnavailable({
      because: "not-a-ledger",
      message: `${file} is a database of something else, not a budget ledger. It was left as it is; name another file.`
    })
  }
  if (version > MIGRATIONS.length) {
    throw new LedgerUnavailable({
      because: "newer",
      message:
        `The budget ledger ${file} was written by a newer version (format ${version}, this one knows ` +
        `${MIGRATIONS.length}). Use that version.`
    })
  }
  if (identity !== undefined) {
    db.exec("pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on")
    inTransaction(db, "begin immediate", () => {
      const from = pragma("user_version")
      for (const migration of MIGRATIONS.slice(from)) db.exec(migration)
      if (from < MIGRATIONS.length) {
        db.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = ${MIGRATIONS.length}`)
      }
      db.prepare("insert or ignore into ledger (one, ledger_id, fingerprint_kcv) values (1, ?, ?)").run(
        blob(identity.ledgerId),
        blob(identity.fingerprintKcv)
      )
    })
  }
  const row = version === 0 && identity === undefined ? undefined : db.prepare("select * from ledger").get()
  if (row === undefined) {
    throw new LedgerUnavailable({ because: "not-a-ledger", message: `${file} is empty, not a budget ledger.` })
  }
  return { ledgerId: hex(row["ledger_id"]), fingerprintKcv: hex<KeyCheck>(row["fingerprint_kcv"]) }
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

const inTransaction = <A>(db: DatabaseSync, begin: "begin" | "begin immediate", body: () => A): A => {
  db.exec(begin)
  try {
    const answer = body()
    db.exec("commit")
    return answer
  } catch (cause) {
    // A full disk may have ended the transaction already.
    if (db.isTransaction) db.exec("rollback")
    throw cause
  }
}

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

/** What SQLite's result codes (https://sqlite.org/rescode.html) mean for a ledger; `undefined` for an error of ours. */
const unavailable = (file: string, cause: unknown): LedgerUnavailable | undefined => {
  if (!(cause instanceof Error) || !("errcode" in cause)) return undefined
  const because = BECAUSE.get(Number(cause.errcode) & 0xff) ?? "io"
  return new LedgerUnavailable({ because, message: `${SENTENCE[because](file)} (SQLite: ${cause.message})` })
}

const BECAUSE: ReadonlyMap<number, LedgerUnavailable["because"]> = new Map([
  [5, "busy"],
  [6, "busy"],
  [3, "read-only"],
  [8, "read-only"],
  [11, "corrupt"],
  [13, "full"],
  [19, "corrupt"],
  [26, "not-a-ledger"]
])

const SENTENCE: Record<LedgerUnavailable["because"], (file: string) => string> = {
  missing: (file) => `There is no budget ledger at ${file}.`,
  "not-a-ledger": (file) => `${file} is not a budget ledger. It was left as it is; name another file.`,
  newer: (file) => `The budget ledger ${file} was written by a newer version. Use that version.`,
  corrupt: (file) => `The budget ledger ${file} is damaged. Restore the newest good copy before you go on.`,
  full: (file) =>
    `There is no space left for the budget ledger ${file}. Free some and try again: a question is paid once.`,
  "read-only": (file) => `The budget ledger ${file} cannot be written. Check its permissions.`,
  busy: (file) => `Another process keeps the budget ledger ${file} locked. Try again: a question is paid once.`,
  io: (file) =>
    `The budget ledger ${file} cannot be read or written. Try again with the same question: it is paid once.`
}
