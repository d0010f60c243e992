/** Reports, containers and a whole aggregation for the tests of this package. */
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32, deflateRawSync } from "node:zlib"
import snappy from "snappyjs"
import { AVRO_SCHEMAS, filteringIds } from "@sotto/core/aggregation"
import { DEFAULT_EPSILON } from "@sotto/core/budget"
import { freshSeed } from "@sotto/core/noise"
import { Aggregator, type Noising, type Output, type SumRules, type Sums } from "@sotto/core/ports/Aggregator"
import { type BlobInfo, BlobStore } from "@sotto/core/ports/BlobStore"
import type { KeyRing } from "@sotto/core/ports/KeyRing"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import { layerMemoryBlobStore, layerMemoryKeyRing } from "@sotto/memory"
import { isRejected, printRejected, readContainer, rowReader, RowWriter, writeBlock, writeHeader } from "@sotto/avro"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type AggregatorOptions, layerAggregator } from "../src/index.ts"
import { recipient, sealer } from "../src/hpke/index.ts"

// Threads run from sources here; what is compiled once need not be compiled by each of them.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "sotto-test-compile-cache")

export const BUCKET = "data"
export const AS_OF = Date.UTC(2026, 0, 31)
export const ORIGIN = "https://a.example.com"
const SITE = "https://example.com"

export type Contribution = readonly [bucket: bigint, value: number, id?: bigint]

export interface Row {
  readonly payload: Uint8Array
  readonly keyId: string
  readonly sharedInfo: string
}

export const uuid = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`

export const sharedInfo = (n: number, members: Record<string, unknown> = {}): string =>
  JSON.stringify({
    api: "shared-storage",
    debug_mode: "enabled",
    report_id: uuid(n),
    reporting_origin: ORIGIN,
    scheduled_report_time: String(Math.floor(AS_OF / 1000) - 3600 * (n % 5) - n),
    version: "1.0",
    ...members
  })

const head = (major: number, n: number): ReadonlyArray<number> =>
  n < 24 ? [(major << 5) | n] : n < 256 ? [(major << 5) | 24, n] : [(major << 5) | 25, n >> 8, n & 255]
const text = (value: string) => [...head(3, value.length), ...Buffer.from(value)]
const big = (value: bigint, bytes: number): ReadonlyArray<number> => [
  ...head(2, bytes),
  ...Buffer.from(value.toString(16).padStart(2 * bytes, "0"), "hex")
]

/** The CBOR that Chrome writes, padded with null contributions. */
export const cbor = (contributions: ReadonlyArray<Contribution>, padTo = 0, operation = "histogram"): Uint8Array => {
  const padded = [...contributions]
  while (padded.length < padTo) padded.push([0n, 0, 0n])
  const data = padded.flatMap(([bucket, value, id]) => [
    id === undefined ? 0xa2 : 0xa3,
    ...(id === undefined ? [] : [...text("id"), ...big(id, id > 255n ? 8 : 1)]),
    ...text("value"),
    ...big(BigInt(value), 4),
    ...text("bucket"),
    ...big(bucket, 16)
  ])
  return Uint8Array.from([
    0xa2,
    ...text("data"),
    ...head(4, padded.length),
    ...data,
    ...text("operation"),
    ...text(operation)
  ])
}

const SECRET = new Uint8Array(32).fill(7)
const PAIR = recipient(SECRET)!
const sealing = sealer(PAIR.publicKey)!

/** Encrypts a plaintext under the test key, with an ephemeral secret that follows from `n`. */
export const sealed = (n: number, plaintext: Uint8Array, info: string = sharedInfo(n), keyId = "key-1"): Row => {
  const ephemeral = new Uint8Array(32).fill(1)
  new DataView(ephemeral.buffer).setUint32(4, n)
  return { payload: sealing.seal(Buffer.from(info), plaintext, ephemeral)!, keyId, sharedInfo: info }
}

export const report = (n: number, contributions: ReadonlyArray<Contribution>, info?: string): Row =>
  sealed(n, cbor(contributions), info)

export const cleartext = (n: number, contributions: ReadonlyArray<Contribution>, info = sharedInfo(n)): Row => ({
  payload: cbor(contributions),
  keyId: "",
  sharedInfo: info
})

const varint = (value: number): Buffer => {
  const bytes: Array<number> = []
  let rest = 2 * value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}
const piece = (value: string): Buffer => Buffer.concat([varint(value.length), Buffer.from(value)])

const SYNC = Buffer.alloc(16, 0x5a)

/** A container of reports with some rows in each block. */
export const container = (
  rows: ReadonlyArray<Row>,
  {
    perBlock = 100,
    codec = "null"
  }: { readonly perBlock?: number; readonly codec?: "null" | "deflate" | "snappy" } = {}
): Uint8Array => {
  const parts = [
    Buffer.from("Obj\u0001", "latin1"),
    varint(2),
    piece("avro.schema"),
    piece(AVRO_SCHEMAS.reports),
    piece("avro.codec"),
    piece(codec),
    varint(0),
    SYNC
  ]
  const writer = new RowWriter()
  for (let at = 0; at < rows.length; at += perBlock) {
    for (const { payload, keyId, sharedInfo } of rows.slice(at, at + perBlock))
      writer.report(payload, keyId, sharedInfo)
    const { rows: count, data } = writer.take()
    const stored = codec === "null" ? data : codec === "deflate" ? deflateRawSync(data) : snap(data)
    parts.push(varint(count), varint(stored.length), Buffer.from(stored), SYNC)
  }
  return Buffer.concat(parts)
}

const snap = (data: Uint8Array): Uint8Array => {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(data))
  return Buffer.concat([snappy.compress(data), sum])
}

export const domainFile = (keys: ReadonlyArray<bigint>, perBlock = 1000): Uint8Array => {
  const writer = new RowWriter()
  const parts = [writeHeader({ schema: AVRO_SCHEMAS.domain, sync: SYNC })]
  for (let at = 0; at < keys.length; at += perBlock) {
    const block = keys.slice(at, at + perBlock)
    for (const key of block) writer.domainKey(Buffer.from(key.toString(16).padStart(32, "0"), "hex"))
    parts.push(writeBlock(writer.take(), SYNC))
  }
  return Buffer.concat(parts)
}

export const RULES: SumRules = {
  input: "encrypted",
  checks: "full",
  reporter: { _tag: "Site", reportingSite: SITE },
  siteOf: (origin) =>
    /^https:\/\/(\w+\.)?example\.com$/.test(origin) ? SITE : origin.endsWith(".org") ? "https://x.org" : undefined,
  filteringIds: filteringIds([0n]),
  debugRun: false,
  fingerprintKey: new SecretBytes(new Uint8Array(32).fill(9))
}

export const SEED = freshSeed(new Uint8Array(32).fill(3))
export const FRESH: Noising = { _tag: "Fresh", seed: SEED, epsilon: DEFAULT_EPSILON, l1: 65536, debugRun: false }
export const NONE: Noising = { _tag: "None" }

export const OUTPUT: Output = {
  bucket: BUCKET,
  names: { _tag: "Shards", prefix: "out/summary.avro" },
  debug: false,
  reportKeys: false
}

export type Objects = Readonly<Record<string, Uint8Array>>

export const put = (objects: Objects) =>
  Effect.gen(function* () {
    const blobs = yield* BlobStore
    for (const [key, bytes] of Object.entries(objects))
      yield* blobs.write({ bucket: BUCKET, key }, bytes, { mode: "replace" })
  })

export const list = (prefix: string) =>
  Effect.gen(function* () {
    const blobs = yield* BlobStore
    return yield* Stream.runCollect(blobs.list(BUCKET, prefix))
  })

export const get = (key: string) =>
  Effect.gen(function* () {
    const blobs = yield* BlobStore
    return Buffer.concat(yield* Stream.runCollect(blobs.read({ bucket: BUCKET, key })))
  })

export const KEYS = layerMemoryKeyRing({
  keys: [{ id: "key-1", publicKey: PAIR.publicKey, privateKey: new SecretBytes(SECRET) }],
  troubles: { denied: "denied", unusable: "unusable", unavailable: "unavailable" }
})
export const MEMORY = layerMemoryBlobStore({ buckets: [BUCKET] })

type Services = Aggregator | BlobStore | KeyRing | Scope.Scope

export const run = <A, E>(
  effect: Effect.Effect<A, E, Services>,
  options: AggregatorOptions = { lanes: 1 },
  blobs: Layer.Layer<BlobStore> = MEMORY,
  keys: Layer.Layer<KeyRing> = KEYS
): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(effect).pipe(
      Effect.provide(layerAggregator(options).pipe(Layer.provideMerge(Layer.fresh(Layer.merge(blobs, keys)))))
    ) as Effect.Effect<A, E>
  )

/** Sums what lies under `in/`. */
export const sum = (rules: Partial<SumRules> = {}, asOf = AS_OF) =>
  Effect.gen(function* () {
    const aggregator = yield* Aggregator
    return yield* aggregator.sum(yield* list("in/"), { ...RULES, ...rules }, asOf)
  })

/** Releases over the Avro domain that lies under `domain/`, or over none. */
export const release = (sums: Sums, output: Partial<Output> = {}, noising: Noising = FRESH) =>
  Effect.gen(function* () {
    const aggregator = yield* Aggregator
    const objects: ReadonlyArray<BlobInfo> = yield* list("domain/")
    const domain =
      objects.length === 0 ? undefined : { format: "avro" as const, objects, location: `${BUCKET}/domain/` }
    const prepared = yield* aggregator.prepare(domain, { ...OUTPUT, ...output })
    return yield* aggregator.release(sums, prepared, noising)
  })

export interface Fact {
  readonly bucket: bigint
  readonly metric: bigint
}

const bigintOf = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString("hex")}`)

const rowsIn = (bytes: Uint8Array, schema: string): ReadonlyArray<Record<string, unknown>> => {
  const read = readContainer("test", bytes)
  if (isRejected(read)) throw new Error(printRejected(read))
  const reader = rowReader<Record<string, unknown>>("test", read.header!, schema)
  if (isRejected(reader)) throw new Error(printRejected(reader))
  const rows: Array<Record<string, unknown>> = []
  for (const block of read.blocks) {
    const fault = reader.each(block, block.bytes, (row) => rows.push(row))
    if (fault !== undefined) throw new Error(printRejected(fault))
  }
  return rows
}

export const facts = (bytes: Uint8Array): ReadonlyArray<Fact> =>
  rowsIn(bytes, AVRO_SCHEMAS.summary).map((row) => ({
    bucket: bigintOf(row["bucket"] as Uint8Array),
    metric: BigInt(row["metric"] as bigint)
  }))

export const debugFacts = (bytes: Uint8Array) =>
  rowsIn(bytes, AVRO_SCHEMAS.debugSummary).map((row) => ({
    bucket: bigintOf(row["bucket"] as Uint8Array),
    unnoised: BigInt(row["unnoised_metric"] as bigint),
    noise: BigInt(row["noise"] as bigint),
    annotations: row["annotations"] as ReadonlyArray<string>
  }))
