/**
 * Processes that submit, run and finish jobs over one set of stores, with one thing happening at a time.
 *
 * A step is one call of a port. A seed (or a plan) decides whose turn it is, which calls never arrive, whose reply is lost,
 * which process dies before or after a step and when it is started again. Time is virtual, so a run takes milliseconds, and
 * the same seed gives the same run to the letter. After every step the invariants of `Watch` must hold.
 */
import type { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { Entropy } from "@sotto/core/ports/Entropy"
import type { JobStore } from "@sotto/core/ports/JobStore"
import type { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import type { Records } from "@sotto/core/ports/Records"
import { type Engine, type KindHandler, layerEngine, layerRetention, layerSweeper, layerWorker } from "@sotto/engine"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { type Choices, type Fault, numbers, plannedChoices, seededChoices } from "./Choices.ts"
import { clockAt, kill, makeProcess, type Process } from "./Process.ts"
import { type SimulatedPorts, type StepCall, type Stepper, steppedPorts } from "./Steps.ts"
import { type Counter, COUNTERS, makeWatch, type Violation } from "./Watch.ts"
import { type Errand, errandsOf, handlers as rightHandlers, kinds, runErrand } from "./Workload.ts"

/** The stores of one run. Their time is Effect's clock, they read at once, and unless the run is asynchronous they write at once. */
export interface SimulatedStores {
  /** Built once in a run: what processes share and what forgets with its layer. */
  readonly shared: Layer.Layer<SimulatedPorts>
  /** Built anew by every process that starts, over the same data; takes the place of what `shared` has of it. */
  readonly opened?: Layer.Layer<JobStore | BudgetLedger | Records>
}

export interface SimulationOptions {
  /** Makes empty stores for a run. Blobs need the bucket `OUTPUT_BUCKET`. */
  readonly stores: () => SimulatedStores
  /** What runs the jobs, in place of the handlers that are right; of the same kinds. */
  readonly handlers?: ReadonlyArray<KindHandler<BudgetLedger | LedgerKeys>>
}

export interface SimulationResult {
  /** The first that did not hold; `undefined`: all did, until every job had ended. */
  readonly violation: Violation | undefined
  /** 16 hexadecimal digits of the whole trace. */
  readonly hash: string
  readonly steps: number
  /** Steps of workers: where faults can be planned. */
  readonly workerSteps: number
  /** The last lines of the trace. */
  readonly trace: ReadonlyArray<string>
  readonly counts: Readonly<Record<Counter, number>>
}

/** 2026-01-01: zero is too special a time. */
const START_MS = 1_767_225_600_000
const WORKERS = ["one", "two"] as const
const TRACE_LINES = 200
const PURGE_MS = 7_000

/** More than a run needs, by far: whoever comes here goes round in circles. */
const MAX_STEPS = 4_000
const MAX_MS = 3_600_000

/** Runs what follows from a seed (0 … 2³² − 1). */
export const simulate = (seed: number, options: SimulationOptions): SimulationResult =>
  atOnce(play(seed, seededChoices(seed), errandsOf(seed), WORKERS, options))

/** The same run, for stores that let others work while they write. */
export const simulateAsync = async (seed: number, options: SimulationOptions): Promise<SimulationResult> => {
  const run = play(seed, seededChoices(seed), errandsOf(seed), WORKERS, options)
  let next = run.next()
  while (next.done !== true) next = run.next(await Effect.runPromiseExit(next.value))
  return next.value
}

/** One paid job and one worker, with exactly these faults. */
export const simulatePlan = (plan: ReadonlyMap<number, Fault>, options: SimulationOptions): SimulationResult =>
  atOnce(play(0, plannedChoices(plan), [PLANNED], ["one"], options))

/** A part of a run: hands out what a store is to do, and gets what came of it. */
type Part<A> = Generator<Effect.Effect<unknown, unknown>, A, Exit.Exit<unknown, unknown>>

const atOnce = <A>(run: Part<A>): A => {
  let next = run.next()
  while (next.done !== true) next = run.next(Effect.runSyncExit(next.value))
  return next.value
}

const PLANNED: Errand = {
  tenant: "acme",
  kind: "paid",
  parameters: { question: 0 },
  key: "errand",
  startMs: 0,
  twice: false,
  cancelMs: undefined,
  resetMs: undefined,
  pauseMs: undefined,
  impatient: false
}

/** What a person needs to know of a run that went wrong. */
export const explain = (seed: number, { violation, trace, steps }: SimulationResult): string =>
  violation === undefined
    ? `Seed ${seed}: all invariants held over ${steps} steps.`
    : [
        `Seed ${seed}, step ${steps}: ${violation.invariant}. ${violation.message}`,
        "The last calls:",
        ...trace.slice(-12).map((line) => `  ${line}`),
        `Replay: SOTTO_SEED=${seed} npm run soak`
      ].join("\n")

interface Pending extends StepCall {
  readonly process: Process
  /** The caller is gone; the call may still arrive. */
  orphan: boolean
  readonly resume: (exit: Exit.Exit<unknown, unknown>) => void
}

function* play(
  seed: number,
  choices: Choices,
  errands: ReadonlyArray<Errand>,
  workers: ReadonlyArray<string>,
  { stores, handlers = rightHandlers }: SimulationOptions
): Part<SimulationResult> {
  let now = START_MS
  let steps = 0
  let workerSteps = 0
  let started = 0
  let clientsLeft = errands.length
  let violation: Violation | undefined
  const trace = makeTrace()
  const counts = Object.fromEntries(COUNTERS.map((counter) => [counter, 0])) as Record<Counter, number>
  const count = (counter: Counter) => void counts[counter]++

  const storeClock = clockAt(
    () => now,
    () => Effect.die("An adapter under simulation answers without waiting.")
  )
  const timed = <A, E>(effect: Effect.Effect<A, E>) => Effect.provideService(effect, Clock.Clock, storeClock)
  const run = <A, E>(effect: Effect.Effect<A, E>): A => Effect.runSync(timed(effect))

  const { shared, opened } = stores()
  const scope = Scope.makeUnsafe()
  const built = function* <S>(layer: Layer.Layer<S>): Part<Context.Context<S>> {
    const exit = yield timed(Layer.buildWithScope(layer, scope))
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    return exit.value as Context.Context<S>
  }
  const common = yield* built(shared)
  const open = function* (): Part<Context.Context<SimulatedPorts>> {
    return opened === undefined ? common : Context.merge(common, yield* built(Layer.fresh(opened)))
  }
  const watch = makeWatch(common, run, () => now, count)

  const pending: Array<Pending> = []
  const processes = new Set<Process>()
  const restarts = new Set<{ readonly at: number; readonly name: string }>()
  const stops = new Map<Process, Deferred.Deferred<void>>()

  const stepperOf =
    (process: Process): Stepper =>
    (call) =>
      Effect.callback<unknown, unknown>((resume) => {
        const mine: Pending = { ...call, process, orphan: false, resume }
        pending.push(mine)
        return Effect.sync(() => forsake(mine))
      })

  /** Nobody waits for the answer any more. What was sent may be on its way. */
  const forsake = (call: Pending) => {
    const at = pending.indexOf(call)
    if (at < 0) return
    if (choices.arrivesLate()) call.orphan = true
    else pending.splice(at, 1)
  }

  const begin = function* <A, E>(
    name: string,
    program: Effect.Effect<A, E, Engine | Scope.Scope>,
    works: boolean,
    onEnd: (process: Process) => void
  ): Part<Process> {
    const birth = started++
    const process = makeProcess(name, () => now, works ? choices.below(5) * 500 - 1_000 : 0)
    processes.add(process)
    const step = stepperOf(process)
    const bytes = numbers((seed ^ Math.imul(birth + 1, 0x9e3779b1)) >>> 0)
    const entropy = Entropy.of({
      bytes: (size) => Effect.sync(() => Uint8Array.from({ length: size }, () => bytes(256)))
    })
    const ports = Context.add(steppedPorts(yield* open(), step), Entropy, entropy)
    const engine = layerEngine({ kinds })
    const parts = works
      ? Layer.mergeAll(
          layerWorker({ handlers, name: `${name}-${birth}`, concurrency: 2, pollMs: 5_000 }),
          layerSweeper(),
          layerRetention({ everyMs: PURGE_MS })
        ).pipe(Layer.provideMerge(engine))
      : engine
    const main = program.pipe(
      Effect.provide(parts.pipe(Layer.provideMerge(Layer.succeedContext(ports)))),
      Effect.scoped,
      Effect.provideService(Clock.Clock, process.clock),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
    const fiber = Effect.runFork(main as Effect.Effect<A, E>, { scheduler: process.scheduler })
    fiber.addObserver((exit) => {
      if (process.alive && Exit.isFailure(exit)) {
        violation ??= { invariant: "COMES-TO-AN-END", message: `Process ${name} ended: ${Cause.pretty(exit.cause)}` }
      }
      end(process)
      onEnd(process)
    })
    return process
  }

  const end = (process: Process) => {
    kill(process)
    processes.delete(process)
    stops.delete(process)
    for (const call of pending.filter((one) => one.process === process)) forsake(call)
  }

  const restart = (name: string) => void restarts.add({ at: now + choices.below(15_000), name })

  const work = function* (name: string): Part<void> {
    const stop = Deferred.makeUnsafe<void>()
    const process = yield* begin(name, Deferred.await(stop), true, () => restart(name))
    stops.set(process, stop)
  }

  const crash = (process: Process) => {
    trace.add(`${now - START_MS} ${process.name} dies`)
    count("crashed")
    end(process)
    restart(process.name)
  }

  const send = function* (call: Pending): Part<Exit.Exit<unknown, unknown>> {
    const after = watch.before(call)
    const exit = yield timed(call.effect)
    violation ??= after(exit)
    return exit
  }

  const takeTurn = function* (call: Pending): Part<void> {
    const { process, port, method } = call
    pending.splice(pending.indexOf(call), 1)
    steps++
    const works = stops.has(process)
    const fault = works && !call.orphan && watch.begun() ? choices.fault(workerSteps++, method) : "none"
    const note = (what: string, exit?: Exit.Exit<unknown, unknown>) =>
      trace.add(
        `${now - START_MS} ${process.name} ${port}.${method} ${brief(call.args)} ${what} ${exit === undefined ? "" : brief(exit)}`
      )
    if (call.orphan) {
      count("arrived late")
      return note("arrives late", yield* send(call))
    }
    switch (fault) {
      case "none": {
        const exit = yield* send(call)
        note("", exit)
        return call.resume(exit)
      }
      case "refused":
        count(method === "hear" ? "wake-up lost" : "request lost")
        note("is refused")
        return call.resume(Exit.fail(call.unavailable()))
      case "reply-lost": {
        count("reply lost")
        const exit = yield* send(call)
        if (method === "spend" && Exit.isSuccess(exit)) count("charged and reply lost")
        note("loses its reply", exit)
        return call.resume(Exit.fail(call.unavailable()))
      }
      case "crash-before":
        note("is not sent")
        return crash(process)
      case "crash-after":
        count("crashed with the reply on its way")
        note("is not answered", yield* send(call))
        return crash(process)
      case "frozen":
        count("frozen")
        process.frozenUntil = now + choices.frozenMs()
        note("is frozen")
        return void pending.push(call)
      case "stopped": {
        note("and the process is stopped")
        const stop = stops.get(process)
        if (stop !== undefined) Deferred.doneUnsafe(stop, Exit.void)
        return void pending.push(call)
      }
    }
  }

  /** Lets every process run until all that it does is wait. */
  const settle = () => {
    for (let busy = true; busy && violation === undefined;) {
      busy = false
      for (const process of processes) {
        for (let task = process.tasks.shift(); task !== undefined; task = process.tasks.shift()) {
          busy = true
          task()
        }
      }
    }
  }

  /** Moves on to the next moment at which something happens by itself; `false` if there is none. */
  const passTime = function* (): Part<boolean> {
    const moments = [
      ...[...processes].flatMap(({ timers, frozenUntil }) => [
        ...[...timers].map(({ at }) => Math.max(at, frozenUntil)),
        ...(frozenUntil > now ? [frozenUntil] : [])
      ]),
      ...[...restarts].map(({ at }) => at)
    ]
    if (moments.length === 0) return false
    now = Math.max(now, Math.min(...moments))
    for (const one of [...restarts].filter(({ at }) => at <= now)) {
      restarts.delete(one)
      yield* work(one.name)
    }
    for (const process of processes) {
      if (process.frozenUntil > now) continue
      for (const timer of [...process.timers].filter(({ at }) => at <= now).toSorted((a, b) => a.at - b.at)) {
        if (process.timers.delete(timer)) timer.fire()
      }
    }
    return true
  }

  for (const name of workers) yield* work(name)
  for (const [i, errand] of errands.entries()) {
    yield* begin(
      `client-${i}`,
      Effect.map(runErrand(errand), (ids) => {
        if (new Set(ids).size > 1) {
          violation ??= { invariant: "RELEASED-ONCE", message: `One submission, two jobs: ${ids.join(" and ")}.` }
        }
      }),
      false,
      () => void clientsLeft--
    )
  }

  for (;;) {
    settle()
    if (violation !== undefined || (clientsLeft === 0 && watch.allEnded())) break
    if (steps >= MAX_STEPS || now - START_MS >= MAX_MS) {
      violation = { invariant: "COMES-TO-AN-END", message: `Not at its end after ${steps} steps: ${watch.open()}.` }
      break
    }
    const able = pending.filter(({ process }) => process.frozenUntil <= now)
    const next = able.length === 0 || choices.hurries() ? undefined : able[choices.below(able.length)]
    if (next !== undefined) yield* takeTurn(next)
    else if (!(yield* passTime()) && able.length === 0) {
      violation = { invariant: "COMES-TO-AN-END", message: `Nothing happens any more: ${watch.open()}.` }
      break
    }
  }
  for (const process of processes) kill(process)
  yield Scope.close(scope, Exit.void)
  return { violation, hash: trace.hash(), steps, workerSteps, trace: trace.lines(), counts }
}

/** Keeps the last lines and a hash of all. */
const makeTrace = () => {
  const lines: Array<string> = []
  // Two lanes of FNV-1a, which differ in where they start.
  let [high, low] = [0x811c9dc5, 0x01000193]
  return {
    add: (line: string) => {
      for (let i = 0; i < line.length; i++) {
        high = Math.imul(high ^ line.charCodeAt(i), 0x01000193)
        low = Math.imul(low ^ line.charCodeAt(i), 0x01000197)
      }
      lines.push(line)
      if (lines.length > TRACE_LINES) lines.shift()
    },
    lines: () => [...lines],
    hash: () => [high, low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
  }
}

/** What tells one call from another, in a line; bytes and whole rows are left out. */
const brief = (value: unknown): string => {
  const words = JSON.stringify(value, (key, part: unknown) =>
    part instanceof Uint8Array
      ? part.length
      : key === "row" || key === "submission" || key === "outward" || key === "kinds" || key === "cause"
        ? undefined
        : typeof part === "function"
          ? undefined
          : part
  )
  return (words ?? "").slice(0, 400)
}
