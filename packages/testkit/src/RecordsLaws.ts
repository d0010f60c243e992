/** The laws of a store of records. A subject provides `Records`, empty for each run, and its `LawClock`. */
import { compareKeys } from "@sotto/core/ports/BlobStore"
import { MAX_RECORD_BYTES, type PutRequest, type RecordId, Records, type StoredRecord } from "@sotto/core/ports/Records"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import type { Law, Mutant } from "./Law.ts"
import { LawClock } from "./LawClock.ts"

export type RecordsSubject = Records | LawClock

type Service = Records["Service"]

const demand = (holds: boolean, what: () => string): void => {
  if (!holds) throw new Error(what())
}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (one instanceof Uint8Array ? [...one].join(" ") : one)) ?? "undefined"

const demandSame = (found: unknown, expected: unknown, what: string): void =>
  demand(shown(found) === shown(expected), () => `${what}\n  expected ${shown(expected)}\n  found    ${shown(found)}`)

const law = <A>(
  id: string,
  rule: string,
  cases: fc.Arbitrary<A>,
  run: (records: Service, clock: LawClock["Service"], example: A) => Effect.Effect<void, unknown>,
  mutants: ReadonlyArray<Mutant<RecordsSubject>>
): Law<RecordsSubject> => ({
  id,
  port: "Records",
  rule,
  property: (subject) =>
    fc.asyncProperty(cases, (example) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.provide(
            Effect.gen(function* () {
              yield* run(yield* Records, yield* LawClock, example)
            }),
            Layer.fresh(subject)
          )
        )
      )
    ) as fc.IAsyncProperty<unknown>,
  mutants
})

/** A right store with one method made wrong. */
const mutant = (name: string, change: (records: Service) => Partial<Service>): Mutant<RecordsSubject> => ({
  name,
  apply: (subject) =>
    Layer.provideMerge(
      Layer.effect(
        Records,
        Effect.map(Records, (records) => Records.of({ ...records, ...change(records) }))
      ),
      subject
    )
})

// Letters whose order differs between UTF-8 and UTF-16, and signs that pattern languages know.
const keys = fc
  .array(fc.constantFrom("a", "b", "%", "_", "é", "\uff5e", "\u{1f600}"), { minLength: 1, maxLength: 3 })
  .map((letters) => letters.join(""))
const ids: fc.Arbitrary<RecordId> = fc.record({
  collection: fc.constantFrom("hooks", "keys"),
  tenant: fc.constantFrom("north", "south"),
  key: fc.constantFrom("a", "b")
})
const contents = fc.uint8Array({ maxLength: 5 })

interface Call {
  readonly id: RecordId
  readonly what: "put" | "delete" | "advance"
  readonly bytes: Uint8Array
  /** `current`: the version that is there; `stale`: the last that is not. */
  readonly expect: "current" | "stale" | "none" | "any"
  readonly lifeMs: number | null
}

const calls: fc.Arbitrary<ReadonlyArray<Call>> = fc.array(
  fc.record({
    id: ids,
    what: fc.constantFrom("put", "put", "put", "delete", "advance"),
    bytes: contents,
    expect: fc.constantFrom("current", "current", "stale", "none", "any"),
    lifeMs: fc.constantFrom(null, null, 1_000, 0)
  }),
  { minLength: 1, maxLength: 20, size: "max" }
)

const placeOf = ({ collection, tenant, key }: RecordId) => `${collection}/${tenant}/${key}`
const ID_LIST: ReadonlyArray<RecordId> = ["hooks", "keys"].flatMap((collection) =>
  ["north", "south"].flatMap((tenant) => ["a", "b"].map((key) => ({ collection, tenant, key })))
)

const everything = (records: Service) => Effect.forEach(ID_LIST, (id) => records.get(id))

/** Runs calls beside a model of what must be there, and compares both after each. */
const compare = Effect.fnUntraced(function* (records: Service, clock: LawClock["Service"], list: ReadonlyArray<Call>) {
  const model = new Map<string, StoredRecord>()
  const versions = new Map<string, Array<number>>()
  for (const { id, what, bytes, expect, lifeMs } of list) {
    if (what === "advance") yield* clock.advance(500)
    const now = yield* clock.now
    for (const [place, { expiresAt }] of model) if (expiresAt !== null && expiresAt <= now) model.delete(place)
    const place = placeOf(id)
    const there = model.get(place)?.version ?? null
    const given = versions.get(place) ?? []
    const stale = given.findLast((version) => version !== there) ?? 7_777_777
    const expectVersion = { current: there, stale, none: null, any: "any" as const }[expect]
    const wins = expectVersion === "any" || expectVersion === there
    if (what === "put") {
      const expiresAt = lifeMs === null ? null : now + lifeMs
      const answer = yield* records.put({ ...id, bytes, expectVersion, expiresAt })
      demandSame(answer._tag, wins ? "Put" : "VersionConflict", `a put that expects ${expectVersion}, there ${there}`)
      if (answer._tag === "VersionConflict") demandSame(answer.version, there, "the version that is there")
      else {
        demand(answer.version > (given.at(-1) ?? 0), () => `${place}: version ${answer.version} after ${given}`)
        versions.set(place, [...given, answer.version])
        if (lifeMs === 0) model.delete(place)
        else model.set(place, { key: id.key, version: answer.version, bytes, expiresAt })
      }
    } else if (what === "delete" && expectVersion !== null) {
      const answer = yield* records.delete(id, expectVersion)
      demandSame(answer, wins ? { _tag: "Deleted" } : { _tag: "VersionConflict", version: there }, "a delete")
      if (wins) model.delete(place)
    }
    demandSame(
      yield* everything(records),
      ID_LIST.map((one) => model.get(placeOf(one))),
      `the records after ${what} ${place}`
    )
  }
})

const put = (id: RecordId, more: Partial<PutRequest> = {}): PutRequest => ({
  ...id,
  bytes: new Uint8Array(1),
  expectVersion: "any",
  expiresAt: null,
  ...more
})

const CAS = law(
  "CAS",
  "A write is taken if the version it expects is there, and raises it; versions of a record are never used twice.",
  calls,
  compare,
  [
    mutant("ignores the expected version", (records) => ({
      put: (request) => records.put({ ...request, expectVersion: "any" })
    })),
    mutant("deletes whatever is there", (records) => ({ delete: (id) => records.delete(id, "any") })),
    mutant("forgets tenants", (records) => ({
      get: (id) => records.get({ ...id, tenant: "north" }),
      put: (request) => records.put({ ...request, tenant: "north" })
    })),
    mutant("counts from 1 again", (records) => {
      const last = new Map<string, number>()
      return {
        put: (request) =>
          Effect.gen(function* () {
            const found = yield* records.get(request)
            const answer = yield* records.put(request)
            if (answer._tag === "VersionConflict") return answer
            const version = found === undefined ? 1 : (last.get(placeOf(request)) ?? 0) + 1
            last.set(placeOf(request), version)
            return { _tag: "Put" as const, version }
          })
      }
    })
  ]
)

const ONE_WINS = law(
  "ONE-WINS",
  "Of puts at the same time that expect one version exactly one wins.",
  fc.tuple(fc.integer({ min: 2, max: 5 }), fc.boolean()),
  (records, _, [writers, fresh]) =>
    Effect.gen(function* () {
      const id = { collection: "hooks", tenant: "north", key: "a" }
      const first = fresh ? null : yield* records.put(put(id))
      const expectVersion = first?._tag === "Put" ? first.version : null
      const answers = yield* Effect.all(
        Array.from({ length: writers }, (_, i) => records.put(put(id, { bytes: Uint8Array.of(i), expectVersion }))),
        { concurrency: "unbounded" }
      )
      const winners = answers.flatMap((answer, i) => (answer._tag === "Put" ? [{ i, ...answer }] : []))
      demandSame(winners.length, 1, "how many puts won")
      const found = yield* records.get(id)
      demandSame(
        [found?.version, found?.bytes],
        [winners[0]?.version, Uint8Array.of(winners[0]?.i ?? -1)],
        "what is there"
      )
    }),
  [
    mutant("reads, then writes", (records) => ({
      put: (request) =>
        Effect.gen(function* () {
          const found = yield* records.get(request)
          yield* Effect.yieldNow
          const there = found?.version ?? null
          return request.expectVersion === there
            ? yield* records.put({ ...request, expectVersion: "any" })
            : yield* records.put(request)
        })
    }))
  ]
)

const SCAN = law(
  "SCAN",
  "A scan gives the records whose key starts with the prefix and lies above the cursor, by the bytes of the key, at most as many as asked for.",
  fc.record({
    set: fc.uniqueArray(keys, { maxLength: 8, size: "max" }),
    prefix: fc.oneof(fc.constant(""), fc.constantFrom("a", "%", "_", "é", "\u{1f600}")),
    limit: fc.integer({ min: 1, max: 4 }),
    gone: fc.nat(8)
  }),
  (records, clock, { set, prefix, limit, gone }) =>
    Effect.gen(function* () {
      const place = { collection: "hooks", tenant: "north" }
      const now = yield* clock.now
      for (const [i, key] of set.entries())
        yield* records.put(put({ ...place, key }, { expiresAt: i === gone ? now + 1_000 : null }))
      yield* records.put(put({ ...place, tenant: "south", key: "a" }))
      yield* records.put(put({ ...place, collection: "keys", key: "a" }))
      yield* clock.advance(1_000)
      const expected = set.filter((key, i) => i !== gone && key.startsWith(prefix)).toSorted(compareKeys)
      const found: Array<string> = []
      for (let page = 0; page < 20; page++) {
        const rows = yield* records.scan({ ...place, prefix }, found.at(-1) ?? null, limit)
        demand(rows.length <= limit, () => `${rows.length} records, not ${limit}`)
        for (const row of rows) demandSame(row, yield* records.get({ ...place, key: row.key }), "a record of a scan")
        found.push(...rows.map(({ key }) => key))
        if (rows.length < limit) break
      }
      demandSame(found, expected, `the keys that start with ${JSON.stringify(prefix)}`)
    }),
  [
    mutant("sorts by UTF-16 units", (records) => ({
      scan: (place, after, limit) =>
        Effect.map(records.scan(place, after, limit), (rows) => rows.toSorted((a, b) => (a.key < b.key ? -1 : 1)))
    })),
    mutant("repeats the record at the cursor", (records) => ({
      scan: (place, after, limit) =>
        Effect.map(records.scan(place, null, 1_000), (rows) =>
          rows.filter(({ key }) => after === null || compareKeys(key, after) >= 0).slice(0, limit)
        )
    })),
    mutant("takes the prefix for a pattern", (records) => ({
      scan: ({ prefix, ...place }, after, limit) =>
        Effect.map(records.scan({ ...place, prefix: "" }, after, 1_000), (rows) =>
          rows
            .filter(({ key }) => {
              const letters = [...key]
              return [...prefix].every((sign, i) => sign === "%" || sign === "_" || sign === letters[i])
            })
            .slice(0, limit)
        )
    })),
    mutant("ignores the limit", (records) => ({
      scan: (place, after) => records.scan(place, after, 1_000)
    }))
  ]
)

const EXPIRE = law(
  "EXPIRE",
  "From its expiry on a record is as if deleted: not read, not found by a scan, and no version to expect.",
  fc.tuple(fc.integer({ min: -1, max: 2 }), fc.boolean()),
  (records, clock, [life, renewed]) =>
    Effect.gen(function* () {
      const id = { collection: "hooks", tenant: "north", key: "a" }
      const now = yield* clock.now
      const first = yield* records.put(put(id, { expiresAt: now + life }))
      if (renewed) yield* records.put(put(id, { expiresAt: now + life + 1 }))
      yield* clock.advance(1)
      const left = life + (renewed ? 1 : 0) > 1
      demandSame((yield* records.get(id)) !== undefined, left, "whether it can be read")
      demandSame((yield* records.scan({ ...id, prefix: "" }, null, 10)).length, left ? 1 : 0, "what a scan finds")
      const again = yield* records.put(put(id, { expectVersion: null }))
      demandSame(again._tag, left ? "VersionConflict" : "Put", "a put that expects none")
      if (again._tag === "Put" && first._tag === "Put")
        demand(again.version > first.version, () => `version ${again.version} after ${first.version}`)
    }),
  [
    mutant("keeps what expired", (records) => ({
      put: (request) => records.put({ ...request, expiresAt: null })
    })),
    mutant("expires a moment late", (records) => ({
      put: (request) =>
        records.put({ ...request, expiresAt: request.expiresAt === null ? null : request.expiresAt + 1 })
    })),
    mutant("does not extend a life", (records) => {
      const lives = new Map<string, number | null>()
      return {
        put: (request) => {
          const expiresAt = lives.get(placeOf(request)) ?? request.expiresAt
          lives.set(placeOf(request), expiresAt)
          return records.put({ ...request, expiresAt })
        }
      }
    })
  ]
)

const OWN_BYTES = law(
  "OWN-BYTES",
  "A record keeps the bytes it was given, up to the limit and not one more, whatever becomes of the array.",
  fc.tuple(contents, fc.constantFrom(0, 0, 0, MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1)),
  (records, _, [bytes, size]) =>
    Effect.gen(function* () {
      const id = { collection: "hooks", tenant: "north", key: "a" }
      const mine = size === 0 ? bytes.slice() : new Uint8Array(size).fill(7)
      const kept = mine.slice()
      const result = yield* Effect.exit(records.put(put(id, { bytes: mine })))
      demandSame(result._tag, size > MAX_RECORD_BYTES ? "Failure" : "Success", `a put of ${mine.length} bytes`)
      if (size > MAX_RECORD_BYTES) {
        demandSame((yield* Effect.flip(records.put(put(id, { bytes: mine }))))._tag, "RecordTooLarge", "its error")
        demandSame(yield* records.get(id), undefined, "what a refused put left")
        return
      }
      mine.fill(1)
      const found = yield* records.get(id)
      demandSame(found?.bytes, kept, "the bytes")
      found?.bytes.fill(2)
      demandSame((yield* records.get(id))?.bytes, kept, "the bytes, read again")
    }),
  [
    mutant("keeps the array", (records) => {
      const arrays = new Map<string, Uint8Array>()
      return {
        put: (request) => {
          arrays.set(placeOf(request), request.bytes)
          return records.put(request)
        },
        get: (id) =>
          Effect.map(records.get(id), (found) => found && { ...found, bytes: arrays.get(placeOf(id)) ?? found.bytes })
      }
    }),
    mutant("cuts what is too large", (records) => ({
      put: (request) => records.put({ ...request, bytes: request.bytes.subarray(0, MAX_RECORD_BYTES) })
    }))
  ]
)

export const recordsLaws: ReadonlyArray<Law<RecordsSubject>> = [CAS, ONE_WINS, SCAN, EXPIRE, OWN_BYTES]
