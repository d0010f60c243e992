/**
 * A server in a process of its own for `npm run bench:http`: `sotto`, or `bare`, a `node:http` handler that does the same
 * writes to the same tables and nothing else. Prints its port; ends on SIGTERM.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { aggregationKind, Engine, layerEngine } from "@sotto/engine"
import { layerAnonymous, layerHttp, layerTenants, layerTokens } from "@sotto/http"
import { layerListener, Listener } from "@sotto/http/node"
import { layerSystemEntropy } from "@sotto/fs"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryLedgerKeys
} from "@sotto/memory"
import { layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"

const [what = "", file = ""] = process.argv.slice(2)

const engine = layerEngine({ kinds: [aggregationKind] }).pipe(
  Layer.provideMerge(
    Layer.mergeAll(
      layerSqliteJobStore({ file }),
      layerSqliteRecords({ file }),
      layerMemoryJobQueue(),
      layerMemoryBlobStore({ buckets: [] }),
      layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))),
      Layer.mock(Aggregator)({})
    ).pipe(Layer.provideMerge(layerSystemEntropy))
  )
)

const ready = (port: number, stop: () => void): void => {
  console.log(port)
  process.once("SIGTERM", stop)
}

const serveSotto = async (): Promise<void> => {
  const access = layerAnonymous.pipe(Layer.provideMerge(Layer.merge(layerTenants(), layerTokens)))
  const runtime = ManagedRuntime.make(
    layerListener({ port: 0 }).pipe(Layer.provide(layerHttp()), Layer.provide(access), Layer.provide(engine))
  )
  const { port } = Context.get(await runtime.context(), Listener)
  ready(port, () => void runtime.dispose())
}

/** Writes the first row of a table again, with other values. */
const copier = (db: DatabaseSync, table: string, except: ReadonlyArray<string>) => {
  const row = db.prepare(`select * from ${table}`).get() as Record<string, SQLInputValue>
  // Without those that SQLite computes.
  const columns = db.prepare("select name from pragma_table_info(?)").all(table)
  const names = columns.map(({ name }) => String(name)).filter((name) => !except.includes(name))
  const add = db.prepare(`insert into ${table} (${names.join(", ")}) values (${names.map(() => "?").join(", ")})`)
  return (changed: Readonly<Record<string, SQLInputValue>>) =>
    add.run(...names.map((name) => changed[name] ?? row[name] ?? null))
}

/** Tables and one job as the engine makes them; every further job is a copy of that one. */
const serveBare = async (): Promise<void> => {
  const submitted = Effect.flatMap(Engine, (engine) =>
    engine.submit({
      kind: aggregationKind.name,
      tenant: "default",
      key: "first",
      parameters: {
        jobRequestId: "first",
        inputDataBlobPrefix: "reports/",
        inputDataBucketName: "data",
        outputDataBlobPrefix: "out.avro",
        outputDataBucketName: "data",
        jobParameters: {
          attribution_report_to: "https://reports.example.com",
          output_domain_bucket_name: "data",
          output_domain_blob_prefix: "domain/"
        }
      }
    })
  )
  const { job } = await Effect.runPromise(Effect.provide(submitted, engine))
  const db = new DatabaseSync(file)
  db.exec("pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on")
  const first = db.prepare("select body from event").get() as { readonly body: string }
  const addJob = copier(db, "job", ["n"])
  const addEvent = copier(db, "event", [])
  const byKey = db.prepare("select * from job where tenant = 'default' and key = ? and kind = 'aggregation'")
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" })
      response.end(JSON.stringify(body))
    }
    if (request.method === "GET") {
      const key = new URL(request.url ?? "", "http://bench").searchParams.get("job_request_id") ?? ""
      const row = byKey.get(key)
      answer(row === undefined ? 404 : 200, { ...row })
      return
    }
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { job_request_id: key } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { job_request_id: string }
      db.exec("begin immediate")
      if (byKey.get(key) !== undefined) {
        db.exec("rollback")
        answer(409, {})
        return
      }
      const fresh = crypto.randomUUID()
      const { lastInsertRowid } = addJob({ id: fresh, key })
      addEvent({ job: lastInsertRowid, body: first.body.replaceAll(job.id, fresh).replaceAll('"first"', `"${key}"`) })
      db.exec("commit")
      answer(202, {})
    })
  })
  server.listen(0, "127.0.0.1", () =>
    ready((server.address() as AddressInfo).port, () => {
      server.closeAllConnections()
      server.close(() => db.close())
    })
  )
}

await (what === "sotto" ? serveSotto() : serveBare())
