/**
 * A server behind a socket in a process of its own, so that what it holds can be counted apart from its clients.
 *
 * It says where it is, then answers every message with `Held`. Limits of time are short: a client that is too slow is
 * met within a second or two.
 */
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { handle } from "@sotto/engine"
import { layerFsBlobStore } from "@sotto/fs"
import { Http } from "@sotto/http"
import { layerListener, Listener } from "@sotto/http/node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { kindOf, NOTES, serve, tenantOf, unlimited } from "../../packages/http/test/support/Rig.ts"

/** What a server holds at a moment, after the collector of garbage ran. */
export interface Held {
  readonly connections: number
  readonly fibers: number
  /** What keeps Node busy, by name. */
  readonly handles: Readonly<Record<string, number>>
  /** Bytes, inside the heap and outside. */
  readonly memory: number
  /** Errors of the log so far, which are faults of the server. */
  readonly faults: ReadonlyArray<string>
}

export interface Told {
  readonly port: number
}

/** Bytes of the file that jobs of the kind `writer` have. */
export const FILE_BYTES = 8 * 1024 * 1024
export const FILE = "big.bin"

/** Streams of events that the tenant `few` may have open. */
export const FEW = 5

/** Jobs that are over at once; nobody takes those of the kind `notes`. */
const writer = handle(kindOf("writer", { files: () => [{ name: FILE, bucket: "data", key: FILE }] }), () =>
  Effect.succeed("done")
)

const TENANTS = [
  tenantOf("acme"),
  tenantOf("admin", { operator: true }),
  tenantOf("few", { limits: { ...unlimited, streams: FEW } })
]

let fibers = 0
const counted = {
  recordFiberStart: () => void fibers++,
  recordFiberEnd: () => void fibers--
}

const faults: Array<string> = []
const logger = Logger.make(({ logLevel, message }) => {
  if (logLevel === "Error" || logLevel === "Fatal") faults.push(String(message))
})

const handles = (): Readonly<Record<string, number>> => {
  const names = process.getActiveResourcesInfo()
  return Object.fromEntries(
    [...new Set(names)].sort().map((name) => [name, names.filter((one) => one === name).length])
  )
}

const program = Effect.gen(function* () {
  const folder = mkdtempSync(join(tmpdir(), "sotto-sockets-"))
  process.once("exit", () => rmSync(folder, { recursive: true }))
  const { http, context } = yield* serve({
    // Files are read as clients take them; the store in memory has them whole.
    over: layerFsBlobStore({ buckets: { data: folder } }) as never,
    kinds: [NOTES],
    handlers: [writer],
    tenants: TENANTS,
    bodyLimit: 100_000
  })
  yield* Context.get(context, BlobStore).write({ bucket: "data", key: FILE }, Stream.make(new Uint8Array(FILE_BYTES)), {
    mode: "create"
  })
  const listening = layerListener({ port: 0, headMs: 1_000, requestMs: 1_500, idleMs: 60_000 }).pipe(
    Layer.provide(Layer.succeed(Http, http))
  )
  const { port, connections } = Context.get(yield* Layer.build(listening), Listener)
  process.on("message", () => {
    void (async () => {
      for (let i = 0; i < 3; i++) {
        await setTimeout(20)
        globalThis.gc?.()
      }
      const { heapUsed, external } = process.memoryUsage()
      const held: Held = {
        connections: await Effect.runPromise(connections),
        fibers,
        handles: handles(),
        memory: heapUsed + external,
        faults
      }
      process.send?.(held)
    })()
  })
  process.send?.({ port } satisfies Told)
  return yield* Effect.never
})

if (process.send !== undefined) {
  for (const end of ["disconnect", "SIGTERM"]) process.once(end, () => process.exit())
  Effect.runFork(
    program.pipe(
      Effect.scoped,
      Effect.provideService(Metric.FiberRuntimeMetrics, counted),
      Effect.provide(Logger.layer([logger]))
    ) as Effect.Effect<never>
  )
}
