import {
  BlobStore,
  compareKeys,
  type BlobInfo,
  type BlobRef,
  type ReadOptions,
  type WriteOptions
} from "@sotto/core/ports/BlobStore"
import { Unsupported } from "@sotto/core/ports/Unsupported"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { demand, propertyOf, sameBytes } from "./internal/LawProperty.ts"
import type { Law, Mutant } from "./Law.ts"

type Service = BlobStore["Service"]

/** The buckets that a store under test must have, both empty; places side by side show a way out of one best. */
export const LAW_BUCKETS = ["in", "out"] as const

const [IN, OUT] = LAW_BUCKETS

const readAll = (store: Service, ref: BlobRef, options?: ReadOptions) =>
  Effect.map(Stream.runCollect(store.read(ref, options)), (chunks) => {
    const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0))
    let at = 0
    for (const chunk of chunks) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    return bytes
  })

const listed = (store: Service, bucket: string, prefix = "") => Stream.runCollect(store.list(bucket, prefix))

const law = <A>(
  id: string,
  rule: string,
  cases: fc.Arbitrary<A>,
  run: (store: Service, example: A) => Effect.Effect<void, unknown>,
  mutants: ReadonlyArray<Mutant<BlobStore>>,
  needs: ReadonlyArray<string> = []
): Law<BlobStore> => ({
  id,
  port: "BlobStore",
  rule,
  needs,
  property: propertyOf(cases, (example) => BlobStore.use((store) => run(store, example))),
  mutants
})

/** A right store with one method made wrong. */
const mutant = (name: string, change: (store: Service) => Partial<Service>): Mutant<BlobStore> => ({
  name,
  apply: (subject) =>
    Layer.provide(
      Layer.effect(
        BlobStore,
        Effect.map(BlobStore, (store) => BlobStore.of({ ...store, ...change(store) }))
      ),
      subject
    )
})

const contents = fc.uint8Array({ maxLength: 400 })

// Letters whose order differs between UTF-8 and UTF-16, and signs around the slash.
const parts = fc
  .array(fc.constantFrom("a", "b", ".", "-", "0", "é", "\uff5e", "\u{1f600}", "%2f", " "), {
    minLength: 1,
    maxLength: 4
  })
  .map((letters) => letters.join(""))
  .filter((part) => part !== "." && part !== "..")
const keys = fc.array(parts, { minLength: 1, maxLength: 3 }).map((path) => path.join("/"))

/** Keys of which none is a folder of another, so that folders and files can hold them too. */
const keySets = fc
  .uniqueArray(keys, { maxLength: 8 })
  .map((set) => set.filter((key) => !set.some((other) => other.startsWith(`${key}/`))))

const ref = (key: string): BlobRef => ({ bucket: IN, key })

const LIST = law(
  "LIST",
  "A listing gives exactly the objects whose key starts with the prefix, sorted by the key's bytes, with size and etag.",
  fc.tuple(keySets, fc.nat(), fc.nat(6), fc.constantFrom("", "a", "/", "zzz")),
  (store, [set, pick, cut, tail]) =>
    Effect.gen(function* () {
      const written: Array<BlobInfo> = []
      for (const [i, key] of set.entries())
        written.push(yield* store.write(ref(key), new Uint8Array(i), { mode: "create" }))
      yield* store.write({ bucket: OUT, key: "elsewhere" }, new Uint8Array(1), { mode: "create" })
      const prefix = (set[pick % Math.max(set.length, 1)] ?? "").slice(0, cut) + tail
      for (const wanted of [prefix, ""]) {
        const expected = written
          .filter(({ key }) => key.startsWith(wanted))
          .sort((a, b) => compareKeys(a.key, b.key))
          .map(({ bucket, key, size, etag }) => ({ bucket, key, size, etag }))
        const found = yield* listed(store, IN, wanted)
        demand(
          JSON.stringify(found.map(({ bucket, key, size, etag }) => ({ bucket, key, size, etag }))) ===
            JSON.stringify(expected),
          () => `prefix ${JSON.stringify(wanted)}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`
        )
        for (const info of found)
          demand((yield* store.stat(info)).etag === info.etag, () => `${info.key}: stat gives another etag`)
      }
    }),
  [
    mutant("lists in reverse", (store) => ({
      list: (bucket, prefix) =>
        Stream.unwrap(Effect.map(listed(store, bucket, prefix), (infos) => Stream.fromIterable(infos.toReversed())))
    })),
    mutant("sorts by UTF-16 units", (store) => ({
      list: (bucket, prefix) =>
        Stream.unwrap(
          Effect.map(listed(store, bucket, prefix), (infos) =>
            Stream.fromIterable(infos.toSorted((a, b) => (a.key < b.key ? -1 : 1)))
          )
        )
    })),
    mutant("takes the prefix for a folder", (store) => ({
      list: (bucket, prefix) => store.list(bucket, prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`)
    })),
    mutant("stops at folders", (store) => ({
      list: (bucket, prefix) =>
        Stream.filter(store.list(bucket, prefix), ({ key }) => !key.slice(prefix.length).includes("/"))
    })),
    mutant("forgets the size", (store) => ({
      list: (bucket, prefix) => Stream.map(store.list(bucket, prefix), (info) => ({ ...info, size: 0 }))
    }))
  ]
)

const RANGE = law(
  "RANGE",
  "A read gives the bytes from offset up to offset + length that exist, and no others.",
  fc.tuple(contents, fc.option(fc.nat(450)), fc.option(fc.nat(450))),
  (store, [bytes, offset, length]) =>
    Effect.gen(function* () {
      yield* store.write(ref("a"), bytes, { mode: "create" })
      const found = yield* readAll(store, ref("a"), {
        ...(offset === null ? {} : { offset }),
        ...(length === null ? {} : { length })
      })
      const expected = bytes.subarray(offset ?? 0, length === null ? undefined : (offset ?? 0) + length)
      demand(sameBytes(found, expected), () => `offset ${offset}, length ${length}: ${found} instead of ${expected}`)
    }),
  [
    mutant("ignores the length", (store) => ({
      read: (ref, { length: _, ...options } = {}) => store.read(ref, options)
    })),
    mutant("ignores the offset", (store) => ({
      read: (ref, { offset: _, ...options } = {}) => store.read(ref, options)
    })),
    mutant("takes the length for the end", (store) => ({
      read: (ref, { length, ...options } = {}) =>
        store.read(
          ref,
          length === undefined ? options : { ...options, length: Math.max(0, length - (options.offset ?? 0)) }
        )
    }))
  ]
)

const modes = fc.constantFrom<WriteOptions["mode"]>("create", "replace")

const ATOMIC_WRITE = law(
  "ATOMIC-WRITE",
  "Until a write succeeds readers see what was there before; a source that fails or a writer that is interrupted leaves that.",
  fc.record({
    before: fc.option(contents),
    chunks: fc.array(contents, { minLength: 1, maxLength: 3 }),
    mode: modes,
    end: fc.constantFrom("fails", "dies", "is interrupted"),
    folder: fc.constantFrom("", "new/", "new/er/")
  }),
  (store, { before, chunks, mode, end, folder }) =>
    Effect.gen(function* () {
      const place = ref(`${folder}a`)
      if (before !== null) yield* store.write(place, before, { mode: "create" })
      const unchanged = Effect.gen(function* () {
        const infos = yield* listed(store, IN)
        demand(infos.length === (before === null ? 0 : 1), () => `while or after writing: ${JSON.stringify(infos)}`)
        if (before !== null)
          demand(sameBytes(yield* readAll(store, place), before), () => "an unfinished write can be read")
        else demand(Result.isFailure(yield* Effect.result(store.stat(place))), () => "an unfinished write is there")
      })
      const reached = yield* Deferred.make<void>()
      const stop = Stream.unwrap(
        Effect.gen(function* () {
          yield* Deferred.succeed(reached, undefined)
          if (end === "is interrupted") return yield* Effect.never
          yield* unchanged
          return end === "dies" ? yield* Effect.die("the source dies") : Stream.fail("the source fails" as const)
        })
      )
      const source = Stream.concat(Stream.fromIterable(chunks), stop)
      const writing = yield* Effect.forkChild(Effect.exit(store.write(place, source, { mode })))
      if (end === "is interrupted") {
        // A create over an object may be refused before the source is asked for anything.
        yield* Effect.raceFirst(Deferred.await(reached), Effect.asVoid(Fiber.await(writing)))
        yield* unchanged
        yield* Fiber.interrupt(writing)
      } else {
        const exit = yield* Fiber.join(writing)
        demand(Exit.isFailure(exit), () => "a write whose source broke off succeeded")
        if (Exit.isFailure(exit) && (before === null || mode === "replace"))
          demand(
            end === "dies"
              ? Cause.hasDies(exit.cause)
              : JSON.stringify(exit.cause.reasons).includes("the source fails"),
            () => `the write hides why its source broke off: ${Cause.pretty(exit.cause)}`
          )
      }
      yield* unchanged
    }),
  [
    mutant("writes as the source comes", (store) => ({
      write: (<E, R>(ref: BlobRef, source: Uint8Array | Stream.Stream<Uint8Array, E, R>, options: WriteOptions) =>
        source instanceof Uint8Array
          ? store.write(ref, source, options)
          : Effect.gen(function* () {
              if (options.mode === "create") yield* store.write(ref, new Uint8Array(0), options)
              yield* Stream.runForEach(source, (chunk) => store.write(ref, chunk, { mode: "replace" }))
              return yield* store.stat(ref)
            })) as Service["write"]
    })),
    mutant("keeps what came before a failure", (store) => ({
      write: (<E, R>(ref: BlobRef, source: Uint8Array | Stream.Stream<Uint8Array, E, R>, options: WriteOptions) =>
        source instanceof Uint8Array
          ? store.write(ref, source, options)
          : store.write(
              ref,
              Stream.catchCause(source, () => Stream.empty),
              options
            )) as Service["write"]
    })),
    mutant("removes the object before replacing it", (store) => ({
      write: ((ref: BlobRef, source: Uint8Array | Stream.Stream<Uint8Array>, options: WriteOptions) =>
        Effect.andThen(
          options.mode === "replace" ? store.delete(ref) : Effect.void,
          store.write(ref, source, options)
        )) as Service["write"]
    }))
  ]
)

const CREATE_ONLY = law(
  "CREATE-ONLY",
  "Of concurrent creates of one key exactly one succeeds, and its content stays; the others get BlobExists.",
  fc.tuple(fc.integer({ min: 2, max: 6 }), fc.array(fc.nat(3), { minLength: 6, maxLength: 6 })),
  (store, [writers, pauses]) =>
    Effect.gen(function* () {
      const contentOf = (writer: number) => new Uint8Array(8 * (writer + 1)).fill(writer)
      const source = (writer: number) =>
        Stream.mapEffect(Stream.fromIterable([contentOf(writer)]), (chunk) => {
          const pause = Array.from({ length: pauses[writer] ?? 0 }, () => Effect.yieldNow)
          return Effect.as(Effect.all(pause, { discard: true }), chunk)
        })
      const place = ref("folder/a")
      const results = yield* Effect.all(
        Array.from({ length: writers }, (_, i) => Effect.result(store.write(place, source(i), { mode: "create" }))),
        { concurrency: "unbounded" }
      )
      const winners = results.flatMap((result, i) => (Result.isSuccess(result) ? [i] : []))
      demand(winners.length === 1, () => `${winners.length} creates succeeded`)
      for (const result of results)
        demand(
          Result.isSuccess(result) || result.failure._tag === "BlobExists",
          () => `a create gave ${String(result)}`
        )
      const content = contentOf(winners[0] as number)
      demand(sameBytes(yield* readAll(store, place), content), () => "the content is not the winner's")
      const late = yield* Effect.result(store.write(place, new Uint8Array(1), { mode: "create" }))
      demand(Result.isFailure(late) && late.failure._tag === "BlobExists", () => "a late create did not get BlobExists")
      demand(sameBytes(yield* readAll(store, place), content), () => "a late create changed the content")
      demand((yield* listed(store, IN)).length === 1, () => "losers left something")
    }),
  [
    mutant("looks, then writes", (store) => ({
      write: ((ref: BlobRef, source: Uint8Array | Stream.Stream<Uint8Array>, { mode }: WriteOptions) =>
        Effect.gen(function* () {
          const found = yield* Effect.result(store.stat(ref))
          if (mode === "create" && Result.isSuccess(found)) return yield* store.write(ref, source, { mode })
          yield* Effect.yieldNow
          return yield* store.write(ref, source, { mode: "replace" })
        })) as Service["write"]
    })),
    mutant("takes every write for a replace", (store) => ({
      write: ((ref: BlobRef, source: Uint8Array) => store.write(ref, source, { mode: "replace" })) as Service["write"]
    }))
  ]
)

const REPLACE = law(
  "REPLACE",
  "A replace leaves exactly the new content, under another etag when the content is another; concurrent ones leave one of theirs.",
  fc.array(contents, { minLength: 1, maxLength: 4 }),
  (store, versions) =>
    Effect.gen(function* () {
      const place = ref("a")
      let before: { readonly etag: string; readonly bytes: Uint8Array } | undefined
      for (const bytes of versions) {
        const info = yield* store.write(place, bytes, { mode: "replace" })
        demand(info.size === bytes.length, () => `a write of ${bytes.length} bytes says ${info.size}`)
        demand(sameBytes(yield* readAll(store, place), bytes), () => "the new content is not there")
        demand((yield* store.stat(place)).etag === info.etag, () => "write and stat give different etags")
        if (before !== undefined && !sameBytes(before.bytes, bytes))
          demand(before.etag !== info.etag, () => "another content has the same etag")
        before = { etag: info.etag, bytes }
      }
      yield* Effect.all(
        versions.map((bytes) => store.write(place, Stream.fromIterable([bytes]), { mode: "replace" })),
        { concurrency: "unbounded" }
      )
      const left = yield* readAll(store, place)
      demand(
        versions.some((bytes) => sameBytes(bytes, left)),
        () => "concurrent replaces left a mixture"
      )
      demand((yield* listed(store, IN)).length === 1, () => "replaces left something beside the object")
    }),
  [
    mutant("keeps what is there", (store) => ({
      write: ((ref: BlobRef, source: Uint8Array) =>
        Effect.catchTag(store.write(ref, source, { mode: "create" }), "BlobExists", () =>
          store.stat(ref)
        )) as Service["write"]
    })),
    mutant("takes the size for the etag", (store) => {
      const etag = (info: BlobInfo) => ({ ...info, etag: String(info.size) })
      return {
        stat: (ref) => Effect.map(store.stat(ref), etag),
        write: ((ref: BlobRef, source: Uint8Array, options: WriteOptions) =>
          Effect.map(store.write(ref, source, options), etag)) as Service["write"]
      }
    }),
    mutant("appends", (store) => ({
      write: ((ref: BlobRef, source: Uint8Array, options: WriteOptions) =>
        source instanceof Uint8Array
          ? Effect.gen(function* () {
              const old = Result.getOrUndefined(yield* Effect.result(readAll(store, ref))) ?? new Uint8Array(0)
              return yield* store.write(ref, Uint8Array.of(...old, ...source), options)
            })
          : store.write(ref, source, options)) as Service["write"]
    }))
  ]
)

const HOSTILE = [
  "../out/secret",
  "../../out/secret",
  "a/../../out/secret",
  "a/b/../../../out/secret",
  "./../out/secret",
  "/secret",
  "/out/secret",
  "//out/secret",
  "..\\out\\secret",
  "%2e%2e/out/secret",
  "..%2fout%2fsecret",
  "%2e%2e%2fout%2fsecret",
  "..;/out/secret",
  "../out/secret\0",
  "\uff0e\uff0e/out/secret",
  "..",
  ".",
  "",
  "a/",
  "a//b",
  "./a"
]

const ROOT = law(
  "ROOT",
  "No key leads out of its bucket: it is denied, or it is just another name inside.",
  fc.tuple(fc.constantFrom(...HOSTILE), modes),
  (store, [key, mode]) =>
    Effect.gen(function* () {
      const secret = Uint8Array.of(1, 2, 3, 4, 5)
      const bytes = Uint8Array.of(9)
      yield* store.write({ bucket: OUT, key: "secret" }, secret, { mode: "create" })
      const peek = yield* Effect.result(readAll(store, ref(key)))
      demand(Result.isFailure(peek), () => `${JSON.stringify(key)} can be read before it was written`)
      yield* Effect.result(store.delete(ref(key)))
      yield* listed(store, IN, key)
      const written = yield* Effect.result(store.write(ref(key), bytes, { mode }))
      if (Result.isSuccess(written)) {
        const inside = (yield* listed(store, IN)).map((info) => info.key)
        demand(
          inside.length === 1 && inside[0] === key,
          () => `${JSON.stringify(key)} became ${JSON.stringify(inside)}`
        )
        demand(
          sameBytes(yield* readAll(store, ref(key)), bytes),
          () => `${JSON.stringify(key)} is not what was written`
        )
      } else {
        demand(written.failure._tag === "BlobDenied", () => `${JSON.stringify(key)} gave ${written.failure._tag}`)
        demand((yield* listed(store, IN)).length === 0, () => `${JSON.stringify(key)} was denied and written`)
      }
      const outside = (yield* listed(store, OUT)).map((info) => info.key)
      demand(outside.length === 1, () => `${JSON.stringify(key)} left ${JSON.stringify(outside)} in another bucket`)
      demand(
        sameBytes(yield* readAll(store, { bucket: OUT, key: "secret" }), secret),
        () => `${JSON.stringify(key)} changed an object of another bucket`
      )
    }),
  [
    mutant("follows ..", (store) => ({
      read: (ref, options) => store.read(climb(ref), options),
      write: ((ref: BlobRef, source: Uint8Array, options: WriteOptions) =>
        store.write(climb(ref), source, options)) as Service["write"]
    })),
    mutant("decodes escapes, then follows ..", (store) => ({
      delete: (ref) => store.delete(climb({ ...ref, key: ref.key.replaceAll("%2e", ".").replaceAll("%2f", "/") }))
    })),
    mutant("tidies keys", (store) => ({
      write: ((ref: BlobRef, source: Uint8Array, options: WriteOptions) =>
        store.write({ ...ref, key: ref.key.replaceAll(/\/+/g, "/") }, source, options)) as Service["write"]
    }))
  ]
)

const climb = ({ bucket, key }: BlobRef): BlobRef => {
  const found = /^\.\.\/(in|out)\/(.+)$/.exec(key)
  return found === null ? { bucket, key } : { bucket: found[1] as string, key: found[2] as string }
}

const CHANGED = law(
  "CHANGED",
  "A read with ifMatch gives only bytes of that very content, and BlobChanged otherwise, in the middle of a read too.",
  fc.tuple(contents, contents, fc.constantFrom(1, 3000)),
  (store, [first, second, repeat]) =>
    Effect.gen(function* () {
      const place = ref("a")
      const old = new Uint8Array(first.length * repeat).map((_, i) => first[i % first.length] as number)
      const { etag } = yield* store.write(place, old, { mode: "create" })
      demand(sameBytes(yield* readAll(store, place, { ifMatch: etag }), old), () => "a read of the right etag fails")
      const seen: Array<Uint8Array> = []
      const reading = yield* Effect.result(
        Stream.runForEach(store.read(place, { ifMatch: etag }), (chunk) => {
          seen.push(chunk.slice())
          return seen.length === 1 ? store.write(place, second, { mode: "replace" }) : Effect.void
        })
      )
      const whole = Uint8Array.from(seen.flatMap((chunk) => [...chunk]))
      demand(sameBytes(whole, old.subarray(0, whole.length)), () => "a read mixes two contents")
      if (Result.isSuccess(reading)) demand(whole.length === old.length, () => "a read ends early without saying why")
      else demand(reading.failure._tag === "BlobChanged", () => `a read gave ${reading.failure._tag}`)
      yield* store.write(place, second, { mode: "replace" })
      const late = yield* Effect.result(readAll(store, place, { ifMatch: etag }))
      demand(
        sameBytes(old, second) || (Result.isFailure(late) && late.failure._tag === "BlobChanged"),
        () => "a read of an object that changed did not give BlobChanged"
      )
    }),
  [
    mutant("ignores ifMatch", (store) => ({
      read: (ref, { ifMatch: _, ...options } = {}) => store.read(ref, options)
    })),
    mutant("compares only at the start of a read", (store) => ({
      read: (ref, options = {}) =>
        Stream.unwrap(
          Effect.map(store.stat(ref), ({ size, etag }) =>
            options.ifMatch !== undefined && options.ifMatch !== etag
              ? store.read(ref, options)
              : Stream.flatMap(Stream.range(0, Math.ceil(size / 100) - 1), (n) =>
                  store.read(ref, { offset: 100 * n, length: 100 })
                )
          )
        )
    }))
  ]
)

const DELETE = law(
  "DELETE",
  "After a delete the object is gone, and deleting what is not there succeeds.",
  fc.tuple(keySets, fc.nat()),
  (store, [set, pick]) =>
    Effect.gen(function* () {
      for (const key of set) yield* store.write(ref(key), new Uint8Array(1), { mode: "create" })
      const doomed = set[pick % Math.max(set.length, 1)] ?? "nothing"
      yield* store.delete(ref(doomed))
      yield* store.delete(ref(doomed))
      const found = yield* Effect.result(store.stat(ref(doomed)))
      demand(Result.isFailure(found) && found.failure._tag === "BlobNotFound", () => "a deleted object is there")
      const read = yield* Effect.result(readAll(store, ref(doomed)))
      demand(Result.isFailure(read) && read.failure._tag === "BlobNotFound", () => "a deleted object can be read")
      const left = (yield* listed(store, IN)).map((info) => info.key)
      const expected = set.filter((key) => key !== doomed).toSorted(compareKeys)
      demand(JSON.stringify(left) === JSON.stringify(expected), () => `a delete left ${JSON.stringify(left)}`)
    }),
  [
    mutant("does nothing", () => ({ delete: () => Effect.void })),
    mutant("deletes everything with that prefix", (store) => ({
      delete: ({ bucket, key }) => Stream.runForEach(store.list(bucket, key.slice(0, 1)), (info) => store.delete(info))
    })),
    mutant("fails on what is not there", (store) => ({
      delete: (ref) => Effect.andThen(store.stat(ref), store.delete(ref))
    }))
  ]
)

const PROBE = law(
  "PROBE",
  "A probe of a place that can be written succeeds, and changes nothing.",
  fc.tuple(keySets, keys, fc.boolean()),
  (store, [set, other, taken]) =>
    Effect.gen(function* () {
      const key = (taken ? set[0] : undefined) ?? other
      const others = set.filter((other) => !other.startsWith(`${key}/`) && !key.startsWith(`${other}/`))
      for (const other of others) yield* store.write(ref(other), new Uint8Array(2), { mode: "create" })
      const before = yield* listed(store, IN)
      yield* store.probe(ref(key))
      const after = yield* listed(store, IN)
      demand(JSON.stringify(before) === JSON.stringify(after), () => `a probe left ${JSON.stringify(after)}`)
    }),
  [
    mutant("leaves an empty object", (store) => ({
      probe: (ref) =>
        Effect.catchTag(
          Effect.asVoid(store.write(ref, new Uint8Array(0), { mode: "create" })),
          "BlobExists",
          () => Effect.void
        )
    })),
    mutant("overwrites, then deletes", (store) => ({
      probe: (ref) =>
        Effect.andThen(
          Effect.catchTag(store.write(ref, new Uint8Array(0), { mode: "replace" }), "BlobExists", Effect.die),
          store.delete(ref)
        )
    })),
    mutant("always refuses", (store) => ({ probe: (ref) => store.probe({ ...ref, bucket: "no such bucket" }) }))
  ]
)

const BUCKETS = law(
  "BUCKETS",
  "A bucket that configuration does not name gives BlobNotFound with an empty key, and a message.",
  fc.constantFrom("", "nowhere", "..", "in/..", "__proto__", "constructor"),
  (store, bucket) =>
    Effect.gen(function* () {
      const place = { bucket, key: "a" }
      const refusals = [
        yield* Effect.flip(store.stat(place)),
        yield* Effect.flip(readAll(store, place)),
        yield* Effect.flip(listed(store, bucket)),
        yield* Effect.flip(store.write(place, new Uint8Array(1), { mode: "create" })),
        yield* Effect.flip(store.delete(place)),
        yield* Effect.flip(store.probe(place))
      ]
      for (const [i, refusal] of refusals.entries())
        demand(
          refusal._tag === "BlobNotFound" && refusal.key === "" && refusal.message.length > 0,
          () => `call ${i} on the bucket ${JSON.stringify(bucket)} gave ${refusal._tag}`
        )
    }),
  [
    mutant("lists unknown buckets as empty", () => ({ list: () => Stream.empty })),
    mutant("takes unknown buckets for a known one", (store) => ({
      delete: (ref) => store.delete({ ...ref, bucket: IN })
    }))
  ]
)

const CAPABILITIES = law(
  "CAPABILITIES",
  "What a store says it cannot do answers Unsupported and names the capability; what it can do, it does.",
  fc.constantFrom("signedLinks", "localPaths"),
  (store, capability) =>
    Effect.gen(function* () {
      yield* store.write(ref("a"), new Uint8Array(1), { mode: "create" })
      const answer = yield* Effect.result(
        capability === "signedLinks" ? store.signedLink(ref("a"), 60) : store.localPath(ref("a"))
      )
      if (store.capabilities[capability as keyof Service["capabilities"]])
        demand(Result.isSuccess(answer) && answer.success.length > 0, () => `${capability} is promised and not given`)
      else
        demand(
          Result.isFailure(answer) && answer.failure instanceof Unsupported && answer.failure.capability === capability,
          () => `${capability} is missing and does not answer Unsupported`
        )
    }),
  [
    mutant("gives links that it does not promise", () => ({
      signedLink: () => Effect.succeed("https://example.com/a")
    })),
    mutant("promises what it has not", (store) => ({
      capabilities: { signedLinks: !store.capabilities.signedLinks, localPaths: !store.capabilities.localPaths }
    }))
  ],
  ["signedLinks", "localPaths"]
)

/** The laws of the port `BlobStore`. A store under test has the buckets `LAW_BUCKETS`, empty. */
export const blobStoreLaws: ReadonlyArray<Law<BlobStore>> = [
  LIST,
  RANGE,
  ATOMIC_WRITE,
  CREATE_ONLY,
  REPLACE,
  ROOT,
  CHANGED,
  DELETE,
  PROBE,
  BUCKETS,
  CAPABILITIES
]
