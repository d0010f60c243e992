/** A launcher behind a socket, over stores in memory and the real engine for SQL. */
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { launcherKind } from "@sotto/core/launcher"
import { layerJobs, layerLauncher, sqlRunHandler } from "@sotto/engine"
import { layerSystemEntropy } from "@sotto/fs"
import {
  createApiKey,
  DEFAULT_TENANT,
  launcherInterface,
  layerApiKeys,
  layerHttp,
  layerTenants,
  layerTokens
} from "@sotto/http"
import { layerListener, Listener } from "@sotto/http/node"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords
} from "@sotto/memory"
import { layerDuckDbSqlEngine } from "@sotto/sql-duckdb"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"

export interface Asked {
  readonly tenant?: "acme" | "other" | "nobody"
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON, unless it is a text. */
  readonly body?: unknown
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

const tenants = ["acme", "other"].map((name) => ({ ...DEFAULT_TENANT, name, operator: false }))

const ports = Layer.mergeAll(
  layerMemoryJobStore(),
  layerMemoryRecords(),
  layerMemoryJobQueue(),
  layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))),
  Layer.mock(Aggregator)({}),
  layerDuckDbSqlEngine({ threads: 1 }).pipe(Layer.provideMerge(layerMemoryBlobStore({ buckets: ["collections"] })))
).pipe(Layer.provideMerge(layerSystemEntropy))

export type House = Awaited<ReturnType<typeof open>>

export const open = async () => {
  const handler = sqlRunHandler({
    placeOf: (tenant) => ({ bucket: "collections", prefix: `${tenant}/` }),
    hostname: "driver-1"
  })
  const house = layerListener({ port: 0 }).pipe(
    Layer.provide(layerHttp({ interfaces: [launcherInterface()] })),
    Layer.provideMerge(layerApiKeys()),
    Layer.provideMerge(Layer.merge(layerTenants(tenants), layerTokens)),
    Layer.provideMerge(layerLauncher()),
    Layer.provideMerge(layerJobs({ handlers: [handler], kinds: [launcherKind], sweepMs: 500 })),
    Layer.provideMerge(Layer.fresh(ports)),
    Layer.provide(Logger.layer([]))
  )
  const runtime = ManagedRuntime.make(house)
  const { url } = await runtime.runPromise(Listener)
  const keyOf = (tenant: string) =>
    runtime.runPromise(
      Effect.map(createApiKey({ tenant, name: tenant, expires: null }), ({ text }) => Redacted.value(text))
    )
  const keys = { acme: await keyOf("acme"), other: await keyOf("other"), nobody: "" }
  const ask = async (line: string, { tenant = "acme", headers = {}, body }: Asked = {}): Promise<Answer> => {
    const [method = "", path = ""] = line.split(" ")
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(tenant === "nobody" ? {} : { "x-api-key": keys[tenant] }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) }
  }
  return {
    url,
    ask,
    /** Puts rows into a collection of a tenant. */
    put: (tenant: string, collection: string, rows: ReadonlyArray<object>) =>
      runtime.runPromise(
        BlobStore.use((blobs) =>
          blobs.write(
            { bucket: "collections", key: `${tenant}/${collection}/1.ndjson` },
            Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join("")),
            { mode: "replace" }
          )
        )
      ),
    /** The status of a run once it has ended. */
    ended: async (id: string): Promise<Answer["body"]> => {
      for (let tries = 0; tries < 300; tries++) {
        const { body } = await ask(`GET /job-launcher/launcher/status/${id}`)
        if (["finished", "error", "cancelled", "skipped"].includes(body.state)) return body
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      throw new Error(`The run ${id} does not end.`)
    },
    close: () => runtime.dispose()
  }
}
