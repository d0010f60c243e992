import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { DatabaseSync } from "node:sqlite"
import type { Epsilon, Fingerprint, KeyCheck, LedgerUnit, SpendRequest, UnitId } from "@sotto/core/budget"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { layerMemoryLedgerKeys } from "@sotto/memory"
import { layerSqliteBudgetLedger, layerSqliteBudgetLedgerReadOnly } from "@sotto/store-sqlite"
import { checkLaw, LEDGER_TEST_KEYS, LedgerLab, ledgerLaws } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, expect, it } from "vitest"

// In memory where there is one: the laws wait for some thousand commits.
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sotto-ledger-"))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const fresh = () => join(folder, `ledger-${files++}.db`)
const keys = layerMemoryLedgerKeys(LEDGER_TEST_KEYS)
const open = (file: string, more = {}) => layerSqliteBudgetLedger({ file, ...more }).pipe(Layer.provide(keys))

const subject: Layer.Layer<BudgetLedger | LedgerLab> = Layer.unwrap(
  Effect.sync(() => {
    const file = fresh()
    const reopen: LedgerLab["Service"]["reopen"] = (policy) =>
      Effect.map(Layer.build(Layer.orDie(open(file, { policy }))), (context) => Context.get(context, BudgetLedger))
    return Layer.merge(Layer.orDie(open(file)), Layer.succeed(LedgerLab, LedgerLab.of({ reopen })))
  })
)

const sha = (text: string) => createHash("sha256").update(text).digest("hex")
const units = (count: number): ReadonlyArray<LedgerUnit> =>
  Array.from({ length: count }, (_, i) => ({ id: sha(`unit ${i}`) as UnitId, hour: i, origin: "https://shop.example" }))

const request = (n: number, more: Partial<SpendRequest> = {}): SpendRequest => ({
  scope: "default",
  spender: `job-${n}`,
  fingerprint: sha(`question ${n}`) as Fingerprint,
  charge: "shared",
  epsilon: 1_000_000 as Epsilon,
  reports: 3,
  units: units(3),
  noiseKeyId: "noise-a",
  kcv: "0011223344556677" as KeyCheck,
  asOf: 0,
  ...more
})

const using = <A, E>(file: string, body: (ledger: BudgetLedger["Service"]) => Effect.Effect<A, E>, more = {}) =>
  Effect.runPromise(Effect.provide(BudgetLedger.use(body), open(file, more)))
const failing = (file: string, more = {}) =>
  Effect.runPromise(
    Effect.flip(
      Effect.provide(
        BudgetLedger.use((ledger) => ledger.spend(request(1))),
        open(file, more)
      )
    )
  )

/** Spends what it is given, in a process of its own, and prints the tags of the answers or why there are none. */
const SPEND_ALL = `
  import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
  import { layerMemoryLedgerKeys } from "@sotto/memory"
  import { layerSqliteBudgetLedger } from "@sotto/store-sqlite"
  import { LEDGER_TEST_KEYS } from "@sotto/testkit"
  import * as Effect from "effect/Effect"
  import * as Layer from "effect/Layer"
  import { readFileSync } from "node:fs"
  const [file] = process.argv.slice(1)
  const requests = JSON.parse(readFileSync(0, "utf8"))
  const spendAll = (ledger) => Effect.forEach(requests, (request) => ledger.spend(request))
  const layer = layerSqliteBudgetLedger({ file }).pipe(Layer.provide(layerMemoryLedgerKeys(LEDGER_TEST_KEYS)))
  const told = BudgetLedger.use(spendAll).pipe(
    Effect.map((answers) => answers.map((answer) => answer._tag).join()),
    Effect.catchTag("LedgerUnavailable", (error) => Effect.succeed(error._tag + " " + error.because + ": " + error.message)))
  console.log(await Effect.runPromise(Effect.provide(told, layer)))`

const child = (file: string, requests: ReadonlyArray<SpendRequest>, before = "true"): Promise<string> =>
  new Promise((resolve) => {
    const node = [process.execPath, "--conditions=@sotto/source", "--input-type=module", "-e", SPEND_ALL, file]
    const started = spawn("sh", ["-c", `${before}; exec "$@"`, "sh", ...node], {
      cwd: import.meta.dirname,
      stdio: ["pipe", "pipe", "inherit"]
    })
    started.stdin.end(JSON.stringify(requests))
    let out = ""
    started.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString()
    })
    started.on("close", () => resolve(out.trim()))
  })

describe("the ledger in SQLite", () => {
  it.each(ledgerLaws.map((law) => [law.id, law] as const))("keeps %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 8, seed: 5 })
  })

  it("remembers across restarts, with write-ahead log and full synchronisation", async () => {
    const file = fresh()
    const first = await using(file, (ledger) => ledger.spend(request(1)))
    const again = await using(file, (ledger) => ledger.spend(request(1, { spender: "job-2" })))
    expect(again).toEqual({ ...first, _tag: "Replayed" })
    const db = new DatabaseSync(file)
    expect(db.prepare("pragma journal_mode").get()).toEqual({ journal_mode: "wal" })
    expect(db.prepare("pragma integrity_check").get()).toEqual({ integrity_check: "ok" })
    expect(db.prepare("select distinct delta_pico from unit").all()).toEqual([{ delta_pico: 0 }])
    db.close()
  })

  it("refuses by its schema what a ledger never does", async () => {
    const file = fresh()
    await using(file, (ledger) => ledger.spend(request(1)))
    const db = new DatabaseSync(file)
    expect(() => db.exec("update unit set spent = spent - 1")).toThrow("never gets budget back")
    expect(() => db.exec("delete from unit")).toThrow("only units below the floor")
    expect(() => db.exec("update spend set epsilon = 1")).toThrow("never changes")
    expect(() => db.exec("delete from spend")).toThrow("never goes")
    expect(() => db.exec("update spender set fingerprint = zeroblob(32)")).toThrow("one question per job")
    expect(() => db.exec("update scope set floor = 9; update scope set floor = 8")).toThrow("never falls")
    db.close()
  })

  it("charges the 30 000 units of one question, and answers about them", async () => {
    const many = units(30_000)
    await using(fresh(), (ledger) =>
      Effect.gen(function* () {
        expect((yield* ledger.spend(request(1, { units: many })))._tag).toBe("Charged")
        expect((yield* ledger.spend(request(2, { units: many, charge: "exclusive" })))._tag).toBe("Exhausted")
        const left = yield* ledger.remaining("default", many)
        expect(left.length).toBe(30_000)
        expect(left.every(({ remaining }) => remaining === 63_000_000)).toBe(true)
        expect((yield* ledger.history("default", 0, 1))[0]?.unitIds).toEqual(left.map(({ id }) => id))
      })
    )
  })

  it("holds no key, no seed and no accumulator", async () => {
    const file = fresh()
    await using(file, (ledger) => ledger.spend(request(1)))
    const bytes = Buffer.concat([file, `${file}-wal`].filter(existsSync).map((name) => readFileSync(name)))
    for (const key of [LEDGER_TEST_KEYS.fingerprintKey, ...LEDGER_TEST_KEYS.noiseKeys.values()]) {
      expect(bytes.includes(Buffer.from(key))).toBe(false)
      expect(bytes.includes(Buffer.from(key).toString("hex"))).toBe(false)
    }
    expect(bytes.includes(Buffer.from(LEDGER_TEST_KEYS.ledgerId))).toBe(true)
  })

  it("notices a restored backup, until an operator accepts it", async () => {
    const file = fresh()
    const backup = fresh()
    const head = await using(file, (ledger) => Effect.andThen(ledger.spend(request(1)), ledger.head("default")))
    copyFileSync(file, backup)
    const newest = await using(file, (ledger) => Effect.andThen(ledger.spend(request(2)), ledger.head("default")))
    await using(backup, (ledger) =>
      Effect.gen(function* () {
        const late = request(3, { known: newest })
        expect((yield* Effect.flip(ledger.spend(late)))._tag).toBe("LedgerRolledBack")
        expect(yield* ledger.acceptRollback("default", newest, "disk lost")).toMatchObject({ lost: newest, head })
        expect((yield* ledger.spend({ ...late, known: head }))._tag).toBe("Charged")
        // As long as what was lost, and still another chain.
        expect((yield* ledger.head("default")).sequence).toBe(newest.sequence)
        expect((yield* Effect.flip(ledger.spend(request(4, { known: newest }))))._tag).toBe("LedgerRolledBack")
      })
    )
  })

  it("is opened with its own keys only, and shows itself without any", async () => {
    const file = fresh()
    await using(file, (ledger) => ledger.spend(request(1)))
    const other = layerMemoryLedgerKeys({ ...LEDGER_TEST_KEYS, fingerprintKey: new Uint8Array(32) })
    const wrong = layerSqliteBudgetLedger({ file }).pipe(Layer.provide(other))
    const error = await Effect.runPromise(
      Effect.flip(
        Effect.provide(
          BudgetLedger.use((ledger) => ledger.head("default")),
          wrong
        )
      )
    )
    expect(error._tag).toBe("LedgerMismatch")
    await Effect.runPromise(
      Effect.gen(function* () {
        const ledger = yield* BudgetLedger
        expect((yield* ledger.units("default", undefined, 10)).length).toBe(3)
        expect((yield* ledger.head("default")).sequence).toBe(1)
        expect(yield* Effect.flip(ledger.spend(request(2)))).toMatchObject({ because: "read-only" })
      }).pipe(Effect.provide(layerSqliteBudgetLedgerReadOnly({ file })))
    )
  })

  it("says which file is missing, foreign, newer or damaged, and leaves it as it is", async () => {
    const file = fresh()
    expect(await failing(file, { mustExist: true })).toMatchObject({ because: "missing" })
    expect(existsSync(file)).toBe(false)

    writeFileSync(file, "not a database at all, just some text that somebody kept here ".repeat(100))
    const text = readFileSync(file)
    expect(await failing(file)).toMatchObject({ because: "not-a-ledger", message: expect.stringContaining(file) })
    expect(readFileSync(file)).toEqual(text)

    const foreign = fresh()
    const db = new DatabaseSync(foreign)
    db.exec("create table customers (name text)")
    db.close()
    const before = readFileSync(foreign)
    expect(await failing(foreign)).toMatchObject({ because: "not-a-ledger" })
    expect(readFileSync(foreign)).toEqual(before)

    const newer = fresh()
    await using(newer, (ledger) => ledger.spend(request(1)))
    const later = new DatabaseSync(newer)
    later.exec("pragma user_version = 99")
    later.close()
    expect(await failing(newer)).toMatchObject({ because: "newer", message: expect.stringContaining("format 99") })

    const damaged = fresh()
    await using(damaged, (ledger) => ledger.spend(request(9, { units: units(2000) })))
    const bytes = readFileSync(damaged)
    bytes.fill(0x5a, 4096, bytes.length)
    writeFileSync(damaged, bytes)
    expect(await failing(damaged)).toMatchObject({ because: "corrupt" })
  })

  it("charges nothing when a write fails, and works again afterwards", async () => {
    const file = fresh()
    await using(file, (ledger) => ledger.spend(request(1)))
    // A limit on the size of files (blocks of 512 or 1024 bytes) stops the write-ahead log in the middle of a charge.
    const out = await child(file, [request(2, { units: units(20_000) })], "ulimit -f 300")
    expect(out).toMatch(/^LedgerUnavailable (io|full): .*ledger-/)
    await using(file, (ledger) =>
      Effect.gen(function* () {
        expect((yield* ledger.head("default")).sequence).toBe(1)
        expect((yield* ledger.units("default", undefined, 10)).length).toBe(3)
        expect((yield* ledger.spend(request(2)))._tag).toBe("Charged")
      })
    )
  })

  it("takes back what a refused request began, and works on over the same connection", async () => {
    await using(fresh(), (ledger) =>
      Effect.gen(function* () {
        const malformed = request(1, { epsilon: 0 as Epsilon })
        expect((yield* Effect.exit(ledger.spend(malformed)))._tag).toBe("Failure")
        expect((yield* ledger.spend(request(2)))._tag).toBe("Charged")
        expect((yield* ledger.head("default")).sequence).toBe(1)
      })
    )
  })

  it("waits for another writer, then says that it is busy", async () => {
    const file = fresh()
    await using(file, (ledger) => ledger.spend(request(1)))
    const other = new DatabaseSync(file)
    other.exec("begin immediate")
    expect(await failing(file, { busyMs: 30 })).toMatchObject({ because: "busy" })
    const waiting = using(file, (ledger) => ledger.spend(request(2)))
    other.exec("commit")
    other.close()
    expect(await waiting).toMatchObject({ _tag: "Charged" })
  })

  it("is shared by processes: nothing is charged twice, nothing is lost", async () => {
    const file = fresh()
    await using(file, (ledger) => ledger.head("default"))
    const run = (who: string) => {
      const requests = Array.from({ length: 25 }, (_, n) => request(n, { spender: `${who}-${n}` }))
      return child(file, requests)
    }
    const answers = (await Promise.all([run("a"), run("b")])).flatMap((line) => line.split(","))
    expect(answers.toSorted()).toEqual([...Array(25).fill("Charged"), ...Array(25).fill("Replayed")])
    await using(file, (ledger) =>
      Effect.gen(function* () {
        expect((yield* ledger.head("default")).sequence).toBe(25)
        expect((yield* ledger.units("default", undefined, 10)).map(({ spent }) => spent)).toEqual([25e6, 25e6, 25e6])
      })
    )
  })
})
