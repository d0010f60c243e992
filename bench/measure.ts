/** One measurement in a process of its own: prints a `Measured` as JSON. */
import { createWriteStream, mkdirSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { RowWriter, writeBlock, writeHeader } from "@sotto/avro"
import { layerAggregator } from "@sotto/aggregator"
import { AVRO_SCHEMAS, filteringIds } from "@sotto/core/aggregation"
import type { Epsilon } from "@sotto/core/budget"
import { freshSeed } from "@sotto/core/noise"
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import { layerFsBlobStore, layerFsKeyRing } from "@sotto/fs"
import { siteOf } from "@sotto/local"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { release, sumReports } from "./ObviousStack.ts"

const [what = "", file = "", second = "", third = ""] = process.argv.slice(2)

const done = (count: number, started: number): void => {
  const seconds = (performance.now() - started) / 1000
  console.log(JSON.stringify({ what, count, seconds, peakMegabytes: process.resourceUsage().maxRSS / 1024 }))
}

const privateKey = (keys: string): Uint8Array =>
  Buffer.from(
    (JSON.parse(readFileSync(keys, "utf8")) as { keys: [{ privateKey: string }] }).keys[0].privateKey,
    "base64"
  )

const inAggregator = <A, E>(
  program: Effect.Effect<A, E, Aggregator | BlobStore>,
  keys: string,
  lanes?: number
): Promise<A> => {
  const blobs = layerFsBlobStore({ buckets: { in: dirname(file), out: join(dirname(file), "out") } })
  const layers = layerAggregator(lanes === undefined ? {} : { lanes }).pipe(
    Layer.provide(layerFsKeyRing({ path: keys })),
    Layer.provideMerge(blobs)
  )
  return Effect.runPromise(Effect.provide(program, layers))
}

const sum = Effect.fn("sum")(function* (empty: boolean) {
  const blobs = yield* BlobStore
  const aggregator = yield* Aggregator
  return yield* aggregator.sum(
    empty ? [] : [yield* blobs.stat({ bucket: "in", key: basename(file) })],
    {
      input: "encrypted",
      checks: "full",
      reporter: { _tag: "Site", reportingSite: "https://example.com" },
      siteOf,
      filteringIds: filteringIds([]),
      debugRun: false,
      fingerprintKey: new SecretBytes(new Uint8Array(32))
    },
    Date.now()
  )
})

switch (what) {
  case "make-domain": {
    const out = createWriteStream(file)
    const sync = new Uint8Array(16).fill(7)
    const rows = new RowWriter()
    const bucket = new Uint8Array(16)
    const view = new DataView(bucket.buffer)
    out.write(writeHeader({ schema: AVRO_SCHEMAS.domain, sync }))
    for (let i = 0; i < Number(second); i++) {
      // Spread like hashed keys, and in no order.
      view.setUint32(0, Math.imul(i, 2_654_435_761))
      view.setUint32(12, i)
      rows.domainKey(bucket)
      if (rows.bytes > 65_536) out.write(writeBlock(rows.take(), sync))
    }
    out.end(writeBlock(rows.take(), sync))
    break
  }
  case "reports-all-lanes":
  case "reports-one-lane": {
    const started = performance.now()
    await inAggregator(Effect.scoped(sum(false)), second, what === "reports-one-lane" ? 1 : undefined)
    done(Number(third), started)
    break
  }
  case "reports-obvious": {
    const started = performance.now()
    const { reports } = await sumReports(file, privateKey(second), Number(third))
    done(reports, started)
    break
  }
  case "keys": {
    mkdirSync(join(second, "out"), { recursive: true })
    const program = Effect.gen(function* () {
      const blobs = yield* BlobStore
      const aggregator = yield* Aggregator
      const sums = yield* sum(true)
      const started = performance.now()
      const domain = {
        format: "avro" as const,
        objects: [yield* blobs.stat({ bucket: "in", key: basename(file) })],
        location: file
      }
      const prepared = yield* aggregator.prepare(domain, {
        bucket: "out",
        names: { _tag: "Shards", prefix: "summary" },
        debug: false,
        reportKeys: false
      })
      const seed = freshSeed(new Uint8Array(32).fill(1))
      yield* aggregator.release(sums, prepared, {
        _tag: "Fresh",
        seed,
        epsilon: 10_000_000 as Epsilon,
        l1: 65_536,
        debugRun: false
      })
      done(prepared.domainKeys, started)
    })
    await inAggregator(Effect.scoped(program), join(second, "keys.json"))
    break
  }
  case "keys-obvious": {
    const started = performance.now()
    done(await release(file, new Map(), join(second, "obvious.avro")), started)
    break
  }
  default:
    throw new Error(`unknown measurement ${what}`)
}
