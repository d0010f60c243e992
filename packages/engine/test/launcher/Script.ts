/** An engine for SQL that answers as a test says, so that runs go by a clock that only the test moves. */
import type { BlobError, BlobStore } from "@sotto/core/ports/BlobStore"
import { SqlEngine, type SqlFailed } from "@sotto/core/ports/SqlEngine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface Script {
  /** What the configuration's SQL does: nothing, a wait, or a failure. */
  run: Effect.Effect<void, SqlFailed>
  /** What writing does before the object is there. */
  write: Effect.Effect<void, SqlFailed | BlobError>
  /** How many signals are new. */
  fresh: bigint
  /** Sessions that were opened and are not closed. */
  open: number
  /** How often writing came to its end. */
  written: number
  /** Names of collections that were read. */
  readonly staged: Array<string>
}

export const script = (more: Partial<Script> = {}): Script => ({
  run: Effect.void,
  write: Effect.void,
  fresh: 5n,
  open: 0,
  written: 0,
  staged: [],
  ...more
})

/** Notes of an object are kept in it, as JSON. */
export const scripted = (told: Script, blobs: BlobStore["Service"]): Context.Context<SqlEngine> =>
  Context.make(SqlEngine, {
    capabilities: { dialect: "duckdb", progress: false },
    open: () =>
      Effect.gen(function* () {
        yield* Effect.acquireRelease(
          Effect.sync(() => void told.open++),
          () => Effect.sync(() => void told.open--)
        )
        return {
          stage: ({ objects, format }) =>
            Effect.gen(function* () {
              told.staged.push(...objects.map(({ key }) => key))
              if (format !== "parquet") return { columns: [], notes: {} }
              const bytes = yield* readAll(blobs, objects[0] as never)
              return { columns: [{ name: "id", kind: "text" }], notes: JSON.parse(bytes) as Record<string, string> }
            }),
          view: () => Effect.void,
          columns: () => Effect.as(told.run, [{ name: "id", kind: "text" } as const]),
          number: () => Effect.sync(() => told.fresh),
          write: (_, to, __, notes = {}) =>
            Effect.gen(function* () {
              yield* told.write
              yield* blobs.write(to, Buffer.from(JSON.stringify(notes)), { mode: "replace" })
              told.written++
              return 5
            })
        }
      })
  })

const readAll = (blobs: BlobStore["Service"], ref: Parameters<BlobStore["Service"]["read"]>[0]) =>
  Effect.map(Stream.runCollect(blobs.read(ref)), (chunks) => Buffer.concat(chunks).toString())
