import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { jobObject, resultOf, type WrittenFile } from "@sotto/core/tabular"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { layerFsBlobStore } from "@sotto/fs"
import { layerMemoryJobQueue, layerMemoryJobStore, layerMemoryRecords, layerSeededEntropy } from "@sotto/memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { layerRecordFormat } from "@sotto/tabular"
import {
  defineModel,
  layerJobs,
  layerOnDemand,
  OnDemand,
  onDemandHandler,
  RecordFailed,
  recordsVersion
} from "../../src/index.ts"
import { data, PLACE, utf8 } from "./Shop.ts"

const ROWS = 1_000_000

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Bytes that are reachable now. */
const live = (): number => {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Every tenth record fails; what lives is measured in every hundredth batch. */
const measured = (seen: Array<number>) => {
  let batch = 0
  return defineModel({
    name: "pythagoras",
    versions: [
      recordsVersion({
        version: "1",
        groupSize: 5,
        groupPrice: 20,
        input: Schema.Struct({ x: Schema.Finite, y: Schema.Finite }),
        output: Schema.Struct({ z: Schema.Finite }),
        run: (records) =>
          Effect.sync(() => {
            if (++batch % 100 === 0) seen.push(live())
            return records.map(({ x, y }) => (x % 10 === 9 ? new RecordFailed("ends in 9") : { z: Math.hypot(x, y) }))
          })
      })
    ]
  })
}

const row = {
  "text/csv": (i: number) => `${i},${i}.5\n`,
  "application/json": (i: number) => `${i === 0 ? "[" : ","}\n{"x":${i},"y":${i}.5}`,
  "application/x-ndjson": (i: number) => `{"x":${i},"y":${i}.5}\n`
}
const frame = {
  "text/csv": ["x,y\n", ""],
  "application/json": ["", "\n]\n"],
  "application/x-ndjson": ["", ""]
} as const

const content = (mime: keyof typeof row) =>
  Stream.fromIterable(
    (function* () {
      yield utf8(frame[mime][0])
      for (let i = 0; i < ROWS; i += 1_000) {
        yield utf8(Array.from({ length: 1_000 }, (_, n) => row[mime](i + n)).join(""))
      }
      yield utf8(frame[mime][1])
    })()
  )

describe("a million records", () => {
  it.each(Object.keys(row) as ReadonlyArray<keyof typeof row>)(
    "of %s need no memory for a million records",
    async (mime) => {
      const folder = mkdtempSync(join(tmpdir(), "sotto-on-demand-"))
      const seen: Array<number> = []
      const models = [measured(seen)]
      const ports = Layer.mergeAll(
        layerMemoryJobStore(),
        layerMemoryRecords(),
        layerMemoryJobQueue(),
        layerSeededEntropy(1),
        layerRecordFormat(),
        layerFsBlobStore({ buckets: { data: folder } })
      )
      const house = layerOnDemand({ models, place: PLACE }).pipe(
        Layer.provideMerge(layerJobs({ handlers: [onDemandHandler({ models, place: PLACE })] })),
        Layer.provideMerge(ports)
      )
      const before = live()
      const program = Effect.gen(function* () {
        const shop = yield* OnDemand
        const upload = yield* shop.upload("t", content(mime))
        const { job } = yield* shop.submit({
          tenant: "t",
          model: "pythagoras",
          data: data({ mimeType: mime }),
          upload,
          fileName: null,
          partType: null
        })
        const done = yield* shop.wait({ tenant: "t", id: job.id }, 240_000)
        const blobs = yield* BlobStore
        const lines = (file: WrittenFile) =>
          Stream.runFold(
            blobs.read(file),
            () => 0,
            (sum, chunk) => sum + chunk.reduce((some, byte) => some + (byte === 0x0a ? 1 : 0), 0)
          )
        const result = resultOf(done)
        return [
          jobObject(done),
          result?.succeeded,
          result?.failed,
          result === undefined ? 0 : yield* lines(result.file),
          result?.errors == null ? 0 : yield* lines(result.errors)
        ] as const
      })
      try {
        const [job, succeeded, failed, resultLines, errorLines] = await Effect.runPromise(
          Effect.provide(program, house)
        )
        expect(job).toMatchObject({
          status: "success",
          recordCount: ROWS,
          recordGroupCount: 200_000,
          billedUsage: 4_000_000
        })
        expect([succeeded, failed]).toEqual([900_000, 100_000])
        const around = mime === "text/csv" ? 1 : mime === "application/json" ? 2 : 0
        expect([resultLines, errorLines]).toEqual([900_000 + around, 100_000 + around])
        expect(seen.length).toBeGreaterThanOrEqual(20)
        expect(Math.max(...seen) - before).toBeLessThan(40e6)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
  )
})
