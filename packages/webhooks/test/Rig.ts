/** Stores that outlive processes, processes that publish and send, and a receiver that remembers what it got. */
import { type Command, decide, JobKind, newJob, submissionOf } from "@sotto/core/job"
import { JobStore } from "@sotto/core/ports/JobStore"
import { aroundMethods } from "@sotto/core/ports/Methods"
import { Records } from "@sotto/core/ports/Records"
import {
  emptyMemoryJobs,
  emptyMemoryRecords,
  layerMemoryJobStore,
  layerMemoryRecords,
  layerSeededEntropy
} from "@sotto/memory"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import {
  type DelivererOptions,
  layerAddressGuard,
  layerDeliverer,
  layerWebhooks,
  type NewEndpoint,
  type OutgoingMessage,
  Sender,
  type SendOutcome
} from "../src/index.ts"

export const TENANT = "acme"
export const URL_A = "https://a.example.com/hook"

/** Where every test starts: 2026. */
export const START = Date.UTC(2026, 0, 1)

export type Stores = Layer.Layer<JobStore | Records>

/** Opened anew by every process. */
export const memoryStores = (): Stores => {
  const [jobs, records] = [emptyMemoryJobs(), emptyMemoryRecords()]
  return Layer.fresh(Layer.merge(layerMemoryJobStore({ jobs }), layerMemoryRecords({ records })))
}

export interface Received extends OutgoingMessage {
  readonly at: number
}

export interface Receiver {
  readonly got: ReadonlyArray<Received>
  readonly sender: Sender["Service"]
}

export const OK: SendOutcome = { _tag: "Answered", status: 200, retryAfter: null }
export const answered = (status: number, retryAfter: string | null = null): SendOutcome => ({
  _tag: "Answered",
  status,
  retryAfter
})

/** `answer` may depend on the message and on how many there were before it. */
export const receiver = (
  answer: (message: OutgoingMessage, nth: number) => SendOutcome | Effect.Effect<SendOutcome> = () => OK
): Receiver => {
  const got: Array<Received> = []
  return {
    got,
    sender: {
      send: (message) =>
        Effect.flatMap(Clock.currentTimeMillis, (at) => {
          got.push({ ...message, at })
          const outcome = answer(message, got.length)
          return Effect.isEffect(outcome) ? outcome : Effect.succeed(outcome)
        })
    }
  }
}

export const idOf = ({ headers }: OutgoingMessage): string => headers["webhook-id"] ?? ""

/** Where a process stops for good: before or after its call number `at` of any port. */
export interface Freeze {
  readonly at: number
  readonly when: "before" | "after"
}

/** A process that publishes and sends until it is stopped. Answers how many calls of ports it made. */
export const start = Effect.fnUntraced(function* (
  stores: Stores,
  { sender }: Receiver,
  options: DelivererOptions & {
    readonly freeze?: Freeze
    /** Others get a turn before every call, so that processes are in one another's way. */
    readonly polite?: boolean
  } = {}
) {
  const { freeze, polite = false, ...rest } = options
  const { stepped, calls } = freezing(freeze, polite)
  const scope = yield* Scope.make()
  const opened = yield* Layer.buildWithScope(stores, scope)
  const ports = Context.make(JobStore, stepped(Context.get(opened, JobStore))).pipe(
    Context.add(Records, stepped(Context.get(opened, Records))),
    Context.add(Sender, stepped(sender))
  )
  yield* Layer.buildWithScope(
    layerDeliverer({ graceMs: 0, ...rest }).pipe(Layer.provide(Layer.succeedContext(ports))),
    scope
  )
  yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
  return { stop: Scope.close(scope, Exit.void), calls }
})

const freezing = (freeze: Freeze | undefined, polite: boolean) => {
  let calls = 0
  const stepped = <S extends object>(service: S): S =>
    aroundMethods(service, (_, call) =>
      Effect.suspend(() => {
        if (freeze === undefined) return polite ? Effect.andThen(Effect.yieldNow, call) : call
        calls++
        // Once frozen, a process does nothing any more.
        if (calls > freeze.at || (calls === freeze.at && freeze.when === "before")) return Effect.never
        return calls === freeze.at ? Effect.andThen(call, Effect.never) : call
      })
    )
  return { stepped, calls: () => calls }
}

/** Records that freeze whoever uses them. */
export const frozenRecords = (stores: Stores, freeze: Freeze): Stores =>
  Layer.merge(
    stores,
    Layer.effect(
      Records,
      Records.use((records) => Effect.succeed(freezing(freeze, false).stepped(records)))
    ).pipe(Layer.provide(stores))
  )

/** The service for clients, and the stores as they see them. */
export const clients = (stores: Stores, seed = 1) =>
  Layer.build(
    layerWebhooks.pipe(
      Layer.provideMerge(stores),
      Layer.provide(Layer.merge(layerSeededEntropy(seed), layerAddressGuard()))
    )
  )

export const endpoint = (more: Partial<NewEndpoint> = {}): NewEndpoint => ({
  url: URL_A,
  description: "",
  kinds: null,
  events: null,
  enabled: true,
  ...more
})

const Anything = { parameters: Schema.Json, result: Schema.Json, failure: Schema.Json }
const kinds = {
  work: JobKind.make({ ...Anything, name: "work", relation: "leased" }),
  play: JobKind.make({ ...Anything, name: "play", relation: "leased" })
}

/** Says one outward event: `submitted`. */
export const submit = Effect.fnUntraced(function* (id: string, tenant = TENANT, kind: keyof typeof kinds = "work") {
  const made = newJob(kinds[kind], { _tag: "Submit", submission: submissionOf(kinds[kind], {}, { id, tenant }) })
  if (made._tag === "Rejected") return yield* Effect.die(made)
  return yield* JobStore.use((store) => store.create(made))
})

/** Says one outward event for each command. */
const act = Effect.fnUntraced(function* (id: string, command: Command, tenant = TENANT) {
  const store = yield* JobStore
  const found = yield* store.read(tenant, id)
  if ("_tag" in found) return yield* Effect.die(`no job ${id}`)
  const decided = decide(kinds[found.row.kind as keyof typeof kinds], found.row, command, found.now)
  if (decided._tag === "Rejected") return yield* Effect.die(decided)
  const { events, job: row } = decided
  return yield* store.commit({ tenant, id, expectSeq: found.seq, events, row })
})

export const rename = (id: string, name: string, tenant = TENANT) => act(id, { _tag: "Rename", name }, tenant)
export const cancel = (id: string, tenant = TENANT) => act(id, { _tag: "Cancel", by: "client", reason: null }, tenant)

/** Runs a test on a clock of its own, which stands still unless the test moves it. */
export const play = <A>(test: Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.andThen(TestClock.setTime(START), test).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(TestClock.layer(), Logger.layer([])))
    ) as Effect.Effect<A>
  )

/** Moves the clock second by second, so that whoever waits for others gets a turn. */
export const pass = (seconds: number) =>
  Effect.forEach(Array.from({ length: seconds }), () => TestClock.adjust("1 second"), { discard: true })

/** The same minute by minute. */
export const hours = (count: number) =>
  Effect.forEach(Array.from({ length: 60 * count }), () => TestClock.adjust("1 minute"), { discard: true })
