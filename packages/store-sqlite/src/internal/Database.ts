/**
 * A database file as a store: opened and migrated, read in transactions, written in batches.
 *
 * Every write is on disk before it is answered (WAL, `synchronous=FULL`). That costs one synchronisation for each
 * transaction, so writes that are asked for at the same time share one; each still succeeds or fails alone.
 */
import { closeSync, existsSync, openSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { setImmediate } from "node:timers"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { APPLICATION_ID, MIGRATIONS } from "../Schema.ts"

/** Why a file cannot be used. */
export type Because = "missing" | "foreign" | "newer" | "corrupt" | "full" | "read-only" | "busy" | "io"

/** How an adapter speaks of the file and refuses. */
export interface Voice<E> {
  /** E.g. "budget ledger". */
  readonly what: string
  /** What to do when it is not known whether a write was taken. */
  readonly again: string
  refuse(because: Because, message: string): E
}

export interface OpenOptions {
  readonly file: string
  readonly mustExist?: boolean
  /** Neither makes nor migrates nor writes. */
  readonly readOnly?: boolean
  /** How long to wait for another process that is writing. Default 10 000. */
  readonly busyMs?: number
}

export interface Database<E> {
  readonly db: DatabaseSync
  /** Runs synchronously and sees one state of the file. */
  read<A>(body: () => A): Effect.Effect<A, E>
  /** Runs synchronously; what it wrote is on disk when it is answered, and undone if it throws. */
  change<A>(body: (now: number) => A): Effect.Effect<A, E>
}

/** The most writes that share a transaction, so that none waits long. */
const BATCH = 256

const POLL_MS = 5

export const openDatabase = <E>(options: OpenOptions, voice: Voice<E>): Effect.Effect<Database<E>, E, Scope.Scope> => {
  const { file, mustExist = false, readOnly = false, busyMs = 10_000 } = options
  const attempt = <A>(body: () => A): Effect.Effect<A, Refused> => Effect.suspend(() => effectOf(outcomeOf(body)))
  // SQLite's own waiting would block the thread; between attempts other work goes on.
  const answered = <A>(effect: Effect.Effect<A, Refused>): Effect.Effect<A, E> =>
    Effect.mapError(
      Effect.retry(effect, {
        while: ({ because }) => because === "busy",
        schedule: Schedule.spaced(POLL_MS).pipe(Schedule.jittered),
        times: Math.ceil(busyMs / POLL_MS)
      }),
      ({ because, message }) => voice.refuse(because, sentence(voice, file, because, message))
    )
  return Effect.gen(function* () {
    if (mustExist && !existsSync(file)) return yield* answered(Effect.fail(new Refused("missing", "")))
    if (!readOnly) makePrivate(file)
    const db = yield* Effect.acquireRelease(
      answered(attempt(() => new DatabaseSync(file, { readOnly, timeout: 0 }))),
      (opened) => Effect.sync(() => opened.close())
    )
    yield* answered(attempt(() => prepare(db, readOnly)))
    const write = writer(db)
    return {
      db,
      read: (body) => answered(attempt(() => inTransaction(db, "begin", body))),
      change: (body) =>
        answered(Effect.flatMap(Clock.Clock, (clock) => write(() => body(clock.currentTimeMillisUnsafe()))))
    }
  })
}

/**
 * Makes a new file that only its owner reads, for it holds secrets of webhooks and keys that sign; SQLite gives its other
 * files the same mode. What cannot be made, SQLite says better.
 */
const makePrivate = (file: string): void => {
  if (file === ":memory:" || existsSync(file)) return
  try {
    closeSync(openSync(file, "ax", 0o600))
  } catch {
    // SQLite tells why.
  }
}

class Refused extends Error {
  readonly because: Because
  constructor(because: Because, message: string) {
    super(message)
    this.because = because
  }
}

/** What a synchronous body came to. */
type Outcome<A> = { readonly value: A } | { readonly thrown: unknown }

const outcomeOf = <A>(body: () => A): Outcome<A> => {
  try {
    return { value: body() }
  } catch (thrown) {
    return { thrown }
  }
}

const effectOf = <A>(outcome: Outcome<A>): Effect.Effect<A, Refused> => {
  if ("value" in outcome) return Effect.succeed(outcome.value)
  const { thrown } = outcome
  if (thrown instanceof Refused) return Effect.fail(thrown)
  // Result codes: https://sqlite.org/rescode.html. What has none is a mistake of ours.
  return thrown instanceof Error && "errcode" in thrown
    ? Effect.fail(new Refused(BECAUSE.get(Number(thrown.errcode) & 0xff) ?? "io", `SQLite: ${thrown.message}`))
    : Effect.die(thrown)
}

interface Write {
  readonly run: () => Outcome<unknown>
  readonly resume: (outcome: Outcome<unknown>) => void
}

/** Collects writes until the event loop comes round, then makes them in one transaction. */
const writer = (db: DatabaseSync) => {
  const pending = new Set<Write>()
  const flush = (): void => {
    const batch = [...pending].slice(0, BATCH)
    for (const one of batch) pending.delete(one)
    if (pending.size > 0) setImmediate(flush)
    if (batch.length === 0) return
    const written = outcomeOf(() => inTransaction(db, "begin immediate", () => batch.map(({ run }) => alone(db, run))))
    batch.forEach(({ resume }, i) => resume("thrown" in written ? written : (written.value[i] as Outcome<unknown>)))
  }
  return <A>(body: () => A): Effect.Effect<A, Refused> =>
    Effect.callback<A, Refused>((resume) => {
      const write: Write = {
        run: () => outcomeOf(body),
        resume: (outcome) => resume(effectOf(outcome as Outcome<A>))
      }
      if (pending.size === 0) setImmediate(flush)
      pending.add(write)
      return Effect.sync(() => pending.delete(write))
    })
}

/** Undoes a write that failed and leaves the others of its transaction as they are. */
const alone = (db: DatabaseSync, run: () => Outcome<unknown>): Outcome<unknown> => {
  db.exec("savepoint one")
  const outcome = run()
  if ("thrown" in outcome) {
    // A full disk may have ended the transaction already, and with it all that were in it.
    if (!db.isTransaction) throw outcome.thrown
    db.exec("rollback to one")
  }
  db.exec("release one")
  return outcome
}

const inTransaction = <A>(db: DatabaseSync, begin: "begin" | "begin immediate", body: () => A): A => {
  db.exec(begin)
  try {
    const answer = body()
    db.exec("commit")
    return answer
  } catch (cause) {
    if (db.isTransaction) db.exec("rollback")
    throw cause
  }
}

/** Is it a store, and of a version that is known? Then settings and migrations, unless it is only read. */
const prepare = (db: DatabaseSync, readOnly: boolean): void => {
  const pragma = (name: string): number => Number(Object.values(db.prepare(`pragma ${name}`).get() ?? {})[0])
  const application = pragma("application_id")
  const version = pragma("user_version")
  const isEmpty = pragma("schema_version") === 0
  if (application !== APPLICATION_ID && !(isEmpty && application === 0 && !readOnly)) throw new Refused("foreign", "")
  if (version > MIGRATIONS.length) {
    throw new Refused("newer", `format ${version}, this one knows ${MIGRATIONS.length}`)
  }
  if (readOnly) return
  db.exec("pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on")
  inTransaction(db, "begin immediate", () => {
    const from = pragma("user_version")
    for (const migration of MIGRATIONS.slice(from)) db.exec(migration)
    if (from < MIGRATIONS.length) {
      db.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = ${MIGRATIONS.length}`)
    }
  })
}

const BECAUSE: ReadonlyMap<number, Because> = new Map([
  [5, "busy"],
  [6, "busy"],
  [3, "read-only"],
  [8, "read-only"],
  [11, "corrupt"],
  [13, "full"],
  [19, "corrupt"],
  [26, "foreign"]
])

const sentence = <E>({ what, again }: Voice<E>, file: string, because: Because, detail: string): string => {
  const of = detail === "" ? "" : ` (${detail})`
  switch (because) {
    case "missing":
      return `There is no ${what} at ${file}.`
    case "foreign":
      return `${file} is something else, not a ${what}. It was left as it is; name another file.${of}`
    case "newer":
      return `The ${what} ${file} was written by a newer version${of}. Use that version.`
    case "corrupt":
      return `The ${what} ${file} is damaged. Restore the newest good copy before you go on.${of}`
    case "full":
      return `There is no space left for the ${what} ${file}. Free some and try again.${of}`
    case "read-only":
      return `The ${what} ${file} cannot be written. Check its permissions.${of}`
    case "busy":
      return `Another process keeps the ${what} ${file} locked. Try again.${of}`
    case "io":
      return `The ${what} ${file} cannot be read or written. ${again}${of}`
  }
}
