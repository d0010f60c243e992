/** A server of on-demand jobs behind a socket of this machine, over stores in memory, with keys of two tenants. */
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import {
  defineModel,
  fileVersion,
  layerJobs,
  layerOnDemand,
  type Model,
  ModelFailed,
  onDemandHandler,
  RecordFailed,
  recordsVersion
} from "@sotto/engine"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords,
  layerSeededEntropy
} from "@sotto/memory"
import { layerRecordFormat } from "@sotto/tabular"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { connect } from "node:net"
import { createApiKey } from "../../src/access/ApiKeys.ts"
import { layerApiKeys } from "../../src/access/OwnAuthentication.ts"
import { DEFAULT_TENANT, layerTenants, type Tenant } from "../../src/access/Tenants.ts"
import { layerTokens } from "../../src/access/Tokens.ts"
import { layerHttp, layerOwnTraces } from "../../src/Http.ts"
import { layerListener, type ListenOptions, Listener } from "../../src/Listener.ts"
import { type OnDemandHttpOptions, onDemandInterface } from "../../src/ondemand/OnDemandInterface.ts"

/** z of x and y; groups of 5 at 20 units. A negative x is a record that fails. */
const pythagoras = defineModel({
  name: "pythagoras",
  versions: [
    recordsVersion({
      version: "0.0.1",
      groupSize: 5,
      groupPrice: 20,
      input: Schema.Struct({ x: Schema.Finite, y: Schema.Finite }),
      output: Schema.Struct({ z: Schema.Finite }),
      run: (records) =>
        Effect.succeed(
          records.map(({ x, y }) => (x < 0 ? new RecordFailed("no length is negative") : { z: Math.hypot(x, y) }))
        )
    })
  ]
})

/** Upper-case letters for small ones, of a whole file. */
const shout = defineModel({
  name: "shout",
  versions: [
    fileVersion({
      version: "1",
      groupSize: 1,
      groupPrice: 7,
      accepts: ["text/plain", "image/*"],
      run: ({ content }) =>
        Effect.succeed({
          mime: "text/plain",
          content: Stream.map(content, (bytes) => Buffer.from(Buffer.from(bytes).toString().toUpperCase()))
        })
    })
  ]
})

/** Works once `open` is; what it is told to do otherwise stands in the file. */
export const slow = (open: Effect.Effect<unknown>) =>
  defineModel({
    name: "slow",
    versions: [
      fileVersion({
        version: "1",
        groupSize: 1,
        groupPrice: 1,
        accepts: ["text/plain"],
        run: ({ content }) =>
          Effect.gen(function* () {
            const text = yield* Stream.mkString(Stream.decodeText(content))
            yield* open
            if (text === "fail") return yield* new ModelFailed({ message: "It did not want to.", retryable: false })
            return { mime: "text/plain", content: Buffer.from(text) }
          })
      })
    ]
  })

export interface RigOptions extends OnDemandHttpOptions {
  readonly models?: ReadonlyArray<Model>
  readonly maxUploadBytes?: number
  readonly listen?: Partial<ListenOptions>
  readonly limits?: Partial<Tenant["limits"]>
}

/** Of the tenants acme and other; `shout` is acme's too and for that model only. */
export interface Keys {
  readonly acme: string
  readonly other: string
  readonly shout: string
}

const tenant = (name: string, limits: RigOptions["limits"] = {}): Tenant => ({
  ...DEFAULT_TENANT,
  name,
  operator: false,
  limits: { ...DEFAULT_TENANT.limits, ...limits }
})

const place = { bucket: "models" }

const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Logger.layer([])) as Effect.Effect<A>)

export const openServer = async (options: RigOptions = {}) => {
  const { models = [pythagoras], maxUploadBytes, listen, limits, ...http } = options
  const scope = Scope.makeUnsafe()
  const ports = Layer.mergeAll(
    layerMemoryJobStore(),
    layerMemoryRecords(),
    layerMemoryJobQueue(),
    layerMemoryBlobStore({ buckets: ["models"] }),
    layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))),
    layerRecordFormat(),
    Layer.mock(Aggregator)({})
  ).pipe(Layer.provideMerge(layerSeededEntropy(1)), Layer.orDie)
  const server = layerListener({ port: 0, ...listen }).pipe(
    Layer.provideMerge(layerHttp({ interfaces: [onDemandInterface(http)] })),
    Layer.provideMerge(
      layerApiKeys().pipe(
        Layer.provideMerge(Layer.merge(layerTenants([tenant("acme", limits), tenant("other")]), layerTokens))
      )
    ),
    Layer.provideMerge(layerOnDemand({ models, place, ...(maxUploadBytes === undefined ? {} : { maxUploadBytes }) })),
    Layer.provideMerge(layerJobs({ handlers: [onDemandHandler({ models, place })] })),
    Layer.provideMerge(Layer.fresh(ports)),
    Layer.merge(layerOwnTraces)
  )
  const context = await run(Effect.provideService(Layer.build(server), Scope.Scope, scope))
  const { url, port } = Context.get(context, Listener)
  const keyOf = (name: string, model?: string) =>
    run(
      Effect.provideContext(
        createApiKey({ tenant: name, expires: null, ...(model === undefined ? {} : { model }) }),
        context
      )
    ).then(({ text }) => Redacted.value(text))
  const keys: Keys = { acme: await keyOf("acme"), other: await keyOf("other"), shout: await keyOf("acme", "shout") }
  const ask = (line: string, init: RequestInit & { readonly key?: string | null } = {}) => {
    const [method = "", path = ""] = line.split(" ")
    const { key = keys.acme, headers, ...rest } = init
    const shown = key === null ? {} : { "x-api-key": key }
    return fetch(`${url}${path}`, { method, ...rest, headers: { ...shown, ...(headers as object) } })
  }
  /** The keys of all files that the server keeps. */
  const files = () =>
    run(
      Stream.runCollect(Context.get(context, BlobStore).list("models", "")).pipe(
        Effect.map((all) => all.map(({ key }) => key))
      )
    )
  return { url, port, keys, ask, files, close: () => run(Scope.close(scope, Exit.void)) }
}

export type Server = Awaited<ReturnType<typeof openServer>>

export const latch = () => Latch.makeUnsafe(false)

/** A submission as browsers and `fetch` write one. */
export const formOf = (data: unknown, file: string | Blob, name = "example.csv"): FormData => {
  const form = new FormData()
  form.append("data", typeof data === "string" ? data : JSON.stringify(data))
  form.append("file", typeof file === "string" ? new Blob([file]) : file, name)
  return form
}

// oxlint-disable-next-line typescript/no-explicit-any
export const read = async (response: Response): Promise<any> => response.json()

/** Sends these bytes, and gives status, head and body of the answer. */
export const sendRaw = (port: number, bytes: Uint8Array): Promise<{ status: number; head: string; body: string }> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk) => {
      chunks.push(chunk)
      const text = Buffer.concat(chunks).toString("utf8")
      const end = text.indexOf("\r\n\r\n")
      const length = /content-length: (\d+)/i.exec(text)?.[1]
      if (end < 0 || length === undefined || Buffer.byteLength(text.slice(end + 4)) < Number(length)) return
      socket.destroy()
      const head = text.slice(0, end)
      resolve({ status: Number(head.split(" ")[1]), head, body: text.slice(end + 4) })
    })
    socket.on("error", reject)
    socket.on("close", () => reject(new Error(`no whole answer: ${Buffer.concat(chunks).toString()}`)))
    socket.write(bytes)
  })

export { pythagoras, shout }
