/** `sotto verify`: an adapter of anybody's against the laws of its port. */
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { LedgerPolicy } from "@sotto/core/budget"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { JobStore } from "@sotto/core/ports/JobStore"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import {
  layerPromisedBlobStore,
  layerPromisedBudgetLedger,
  layerPromisedJobQueue,
  layerPromisedJobStore,
  layerPromisedKeyRing,
  layerPromisedLedgerKeys,
  layerPromisedRecords,
  type PromisedBlobStore,
  type PromisedBudgetLedger,
  type PromisedJobQueue,
  type PromisedJobStore,
  type PromisedKeyRing,
  type PromisedLedgerKeys,
  type PromisedRecords
} from "@sotto/local"
import { layerMemoryLedgerKeys } from "@sotto/memory"
import {
  blobStoreLaws,
  type Capabilities,
  capabilitiesOf,
  jobQueueLaws,
  JobStoreLab,
  jobStoreLaws,
  jobStoreParallelLaws,
  keyRingLaws,
  type Law,
  LAW_BUCKETS,
  type LawClock,
  layerLawClock,
  LEDGER_TEST_KEYS,
  LedgerLab,
  ledgerKeysLaws,
  ledgerLaws,
  recordsLaws,
  type Verdict,
  verdictOn,
  type VerdictOptions
} from "@sotto/testkit"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CommandError } from "../Failure.ts"
import { bold, note, print, printJson, table } from "../Terminal.ts"
import { VERSION } from "../Version.ts"

/** What an adapter's module exports. */
interface AdapterModule {
  /** The name of the port. */
  readonly port?: unknown
  /** Makes an empty adapter: an object of Promises, or a layer of effect with all that the laws of the port need. */
  readonly make?: unknown
  /** What the key ring that `make` gives holds; at least two pairs. */
  readonly keys?: unknown
}

type Outcome = Verdict & { readonly ms: number }

interface Suite {
  readonly laws: ReadonlyArray<Pick<Law<unknown>, "id">>
  verdict(index: number, capabilities: Capabilities, options: VerdictOptions): Promise<Verdict>
  readonly capabilities: () => Promise<Capabilities>
}

type Make = (given: unknown) => unknown

/** The laws of one port, ready to be tried. */
const suite = <S>(port: string, laws: ReadonlyArray<Law<S>>, subject: Layer.Layer<S, unknown>): Suite => {
  const sound = Layer.orDie(subject)
  return {
    laws,
    verdict: (index, capabilities, options) => verdictOn(laws[index] as Law<S>, sound, capabilities, options),
    capabilities: () => capabilitiesOf(port, sound)
  }
}

/** An adapter that is made anew whenever the layer is built: a layer as it is, an object of Promises through `promised`. */
const made = <S>(make: Make, given: unknown, promised: (adapter: unknown) => Layer.Layer<S>): Layer.Layer<S> =>
  Layer.unwrap(
    Effect.promise(async () => {
      const adapter = await make(given)
      return Layer.isLayer(adapter) ? (adapter as Layer.Layer<S>) : promised(adapter)
    })
  )

interface GivenKey {
  readonly id: string
  readonly publicKey: Uint8Array
  readonly privateKey: Uint8Array
}

/** What keeps time is given the clock of the laws, `now()`, if it is an object of Promises. */
const timed = <S>(make: Make, promised: (adapter: unknown) => Layer.Layer<S>): Layer.Layer<S | LawClock> =>
  Layer.unwrap(
    Effect.map(Clock.Clock, (clock) => made<S>(make, { now: () => clock.currentTimeMillisUnsafe() }, promised))
  ).pipe(Layer.provideMerge(layerLawClock))

/** A store of jobs with Promises is opened again by the `reopen` that it may have. */
const promisedJobs = (adapter: unknown): Layer.Layer<JobStore | JobStoreLab> => {
  const store = adapter as PromisedJobStore & { readonly reopen?: () => Promise<PromisedJobStore> }
  const reopen = Effect.gen(function* () {
    const again = yield* Effect.promise(async () => store.reopen?.() ?? store)
    return Context.get(yield* Layer.build(layerPromisedJobStore(again)), JobStore)
  })
  return Layer.mergeAll(layerPromisedJobStore(store), Layer.succeed(JobStoreLab, JobStoreLab.of({ reopen })))
}

/** A ledger with Promises is opened again, with other limits, by its `reopen(policy)`. */
const promisedLedger = (adapter: unknown): Layer.Layer<BudgetLedger | LedgerLab> => {
  const ledger = adapter as PromisedBudgetLedger & {
    readonly reopen?: (policy: Partial<LedgerPolicy>) => Promise<PromisedBudgetLedger>
  }
  if (ledger.reopen === undefined) {
    throw new CommandError(
      "A BudgetLedger of Promises also has reopen(policy), which opens it again with other limits."
    )
  }
  const open = (opened: PromisedBudgetLedger) =>
    layerPromisedBudgetLedger(opened).pipe(Layer.provide(layerMemoryLedgerKeys(LEDGER_TEST_KEYS)), Layer.orDie)
  const reopen = Effect.fnUntraced(function* (policy: Partial<LedgerPolicy>) {
    const again = yield* Effect.promise(async () => ledger.reopen?.(policy) ?? ledger)
    return Context.get(yield* Layer.build(open(again)), BudgetLedger)
  })
  return Layer.merge(open(ledger), Layer.succeed(LedgerLab, LedgerLab.of({ reopen })))
}

const suites: Readonly<Record<string, (make: Make, module: AdapterModule) => Suite>> = {
  BlobStore: (make) =>
    suite(
      "BlobStore",
      blobStoreLaws,
      made(make, { buckets: LAW_BUCKETS }, (adapter) => layerPromisedBlobStore(adapter as PromisedBlobStore))
    ),
  BudgetLedger: (make) => suite("BudgetLedger", ledgerLaws, made(make, { keys: LEDGER_TEST_KEYS }, promisedLedger)),
  JobQueue: (make) =>
    suite(
      "JobQueue",
      jobQueueLaws,
      made(make, {}, (adapter) => layerPromisedJobQueue(adapter as PromisedJobQueue))
    ),
  JobStore: (make) => suite("JobStore", [...jobStoreLaws, ...jobStoreParallelLaws], timed(make, promisedJobs)),
  KeyRing: (make, { keys }) => {
    if (!Array.isArray(keys) || keys.length < 2) {
      throw new CommandError(
        "The module of a KeyRing also exports keys: at least two {id, publicKey, privateKey} that it holds."
      )
    }
    const held = (keys as ReadonlyArray<GivenKey>).map(({ id, publicKey, privateKey }) => ({
      id,
      publicKey,
      privateKey: new SecretBytes(privateKey)
    }))
    return suite(
      "KeyRing",
      keyRingLaws(held),
      made(make, { keys }, (adapter) => layerPromisedKeyRing(adapter as PromisedKeyRing))
    )
  },
  LedgerKeys: (make) =>
    suite(
      "LedgerKeys",
      ledgerKeysLaws,
      made(make, { keys: LEDGER_TEST_KEYS }, (adapter) => layerPromisedLedgerKeys(adapter as PromisedLedgerKeys))
    ),
  Records: (make) =>
    suite(
      "Records",
      recordsLaws,
      timed(make, (adapter) => layerPromisedRecords(adapter as PromisedRecords))
    )
}

const orSay = <A>(promise: Promise<A>, what: string): Promise<A> =>
  promise.catch((error: unknown) => {
    throw new CommandError(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  })

const load = async (file: string): Promise<Suite & { readonly port: string }> => {
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}.`)
  const url = pathToFileURL(resolve(file)).href
  const module = await orSay(import(/* @vite-ignore */ url) as Promise<AdapterModule>, `${file} cannot be loaded`)
  const { port, make } = module
  if (typeof port !== "string" || !Object.hasOwn(suites, port)) {
    throw new CommandError(`${file} exports no port: export const port = one of ${Object.keys(suites).join(", ")}.`)
  }
  if (typeof make !== "function") {
    throw new CommandError(`${file} exports no make: export a function that makes an empty ${port}.`)
  }
  const suiteOf = suites[port] as (typeof suites)[string]
  return { port, ...suiteOf(make as Make, module) }
}

const outcomeOf = async (
  adapter: Suite,
  index: number,
  capabilities: Capabilities,
  options: VerdictOptions
): Promise<Outcome> => {
  const start = performance.now()
  const verdict = await adapter.verdict(index, capabilities, options)
  return { ...verdict, ms: Math.round(performance.now() - start) }
}

const SAID = { holds: "holds", degraded: "degraded", broken: "BROKEN" } as const

export const verify = async (
  file: string,
  options: {
    readonly runs: number
    readonly seed: number
    readonly mutants: boolean
    readonly manifest?: string
    readonly at?: string
    readonly json: boolean
  }
): Promise<void> => {
  const adapter = await load(file)
  const { runs, seed, mutants, at } = options
  const capabilities = await orSay(adapter.capabilities(), `${file} makes no ${adapter.port}`)
  const laws: Array<Outcome> = []
  for (const index of adapter.laws.keys()) {
    laws.push(await outcomeOf(adapter, index, capabilities, { runs, seed, mutants }))
  }
  const counted = {
    holds: laws.filter(({ verdict }) => verdict === "holds").length,
    degraded: laws.filter(({ verdict }) => verdict === "degraded").length,
    broken: laws.filter(({ verdict }) => verdict === "broken").length
  }
  const blind = laws.filter(({ mutants }) => mutants !== undefined && mutants.caught < mutants.tried)
  const passed = counted.broken === 0 && blind.length === 0
  const manifest = {
    port: adapter.port,
    adapter: file,
    passed,
    counted,
    laws,
    capabilities,
    runs,
    seed,
    ...(at === undefined ? {} : { at }),
    versions: { sotto: VERSION, node: process.versions.node }
  }
  if (options.manifest !== undefined) await writeFile(options.manifest, `${JSON.stringify(manifest, null, 2)}\n`)
  if (!passed) process.exitCode = 1
  if (options.json) return printJson(manifest)
  await print(
    table(
      ["law", "", ...(mutants ? ["mutants"] : []), "ms", "rule"],
      laws.map(({ law, verdict, mutants: tried, ms, rule }) => [
        law,
        SAID[verdict],
        ...(tried === undefined ? [] : [`${tried.caught} of ${tried.tried}`]),
        String(ms),
        rule
      ])
    )
  )
  for (const { failure } of laws) if (failure !== undefined) note(`\n${failure}`)
  for (const { law, lacks } of laws) {
    if (lacks.length > 0) note(`\n${law} was tried without ${lacks.join(", ")}, which the adapter does not have.`)
  }
  for (const { law } of blind) note(`\n${law} did not catch each of its mutants over this adapter.`)
  note(
    bold(
      `\n${adapter.port}: ${counted.holds} of ${laws.length} laws hold, ${counted.degraded} degraded, ${counted.broken} broken (${runs} runs each, seed ${seed}).`
    )
  )
}
