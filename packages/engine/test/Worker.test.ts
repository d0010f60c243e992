import { type Job, type Plain } from "@sotto/core/job"
import { JobQueue, JobQueueUnavailable } from "@sotto/core/ports/JobQueue"
import { JobStore } from "@sotto/core/ports/JobStore"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { handle, type JobContext, JobFailed, layerEngine, layerJobs, type SubmitRequest } from "../src/index.ts"
import { type Fault, kindOf, pass, play, start, TENANT } from "./Rig.ts"

const note = kindOf("note")

const request = (more: Partial<SubmitRequest> = {}): SubmitRequest => ({
  kind: "note",
  tenant: TENANT,
  parameters: { text: "hello" },
  ...more
})

const echo = handle(note, (job) => Effect.succeed(job.parameters))

const failure = (retryable: boolean) =>
  new JobFailed<Plain>({
    code: "Broken",
    category: "external",
    message: "The thing is broken.",
    details: { part: 7 },
    retryable
  })

const tags = (events: ReadonlyArray<{ readonly _tag: string }>) => events.map(({ _tag }) => _tag)

/** A handler that tells when it is in, and stays until it is interrupted. */
const staying = () => {
  const inside = Deferred.makeUnsafe<JobContext>()
  const left: Array<string> = []
  const handler = handle(note, (job) =>
    Deferred.succeed(inside, job).pipe(
      Effect.andThen(Effect.never),
      Effect.onInterrupt(() => Effect.sync(() => void left.push(job.id)))
    )
  )
  return { handler, inside, left }
}

describe("Worker", () => {
  it("runs a job to its result", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [echo] })
        const { job } = yield* engine.submit(request())
        yield* pass(0.25)
        expect((yield* engine.get(TENANT, job.id)).job.outcome).toEqual({
          _tag: "Succeeded",
          result: { text: "hello" }
        })
        expect(tags(yield* engine.events(TENANT, job.id, 0, 10))).toEqual([
          "Submitted",
          "Claimed",
          "Started",
          "Succeeded"
        ])
      })
    ))

  it("finds jobs without being woken", () =>
    play((ports) =>
      Effect.gen(function* () {
        const clients = yield* start(ports, { kinds: [note], sweeps: false })
        yield* start(ports, { handlers: [echo], deaf: true, sweeps: false })
        yield* pass(1)
        const { job } = yield* clients.engine.submit(request())
        yield* pass(1.25)
        expect((yield* clients.engine.get(TENANT, job.id)).job.state).toBe("Succeeded")
      })
    ))

  it("listens again when the queue's stream ends or fails", () =>
    play((ports) =>
      Effect.gen(function* () {
        const queue = Context.get(ports, JobQueue)
        let listened = 0
        const moody = JobQueue.of({
          ...queue,
          wakeUps: () =>
            Stream.suspend(() =>
              listened++ % 2 === 0
                ? Stream.empty
                : Stream.fail(new JobQueueUnavailable({ message: "The line is down." }))
            )
        })
        yield* start(Context.add(ports, JobQueue, moody), { handlers: [echo], sweeps: false })
        yield* pass(30)
        expect(listened).toBeGreaterThan(4)
      })
    ))

  it("never runs more at a time than it may, and serves tenants in turn", () =>
    play((ports) =>
      Effect.gen(function* () {
        const order: Array<string> = []
        let most = 0
        let now = 0
        const slow = handle(note, (job) =>
          Effect.gen(function* () {
            order.push(job.tenant)
            most = Math.max(most, ++now)
            yield* Effect.sleep("1 second")
            now--
            return null
          })
        )
        const clients = yield* start(ports, { kinds: [note] })
        for (let i = 0; i < 12; i++) yield* clients.engine.submit(request({ tenant: "many" }))
        for (let i = 0; i < 3; i++) yield* clients.engine.submit(request({ tenant: "few" }))
        yield* start(ports, { handlers: [slow], concurrency: 2 })
        yield* pass(12)
        expect([most, order.length]).toEqual([2, 15])
        // The three of the small tenant are among the first six.
        expect(order.slice(0, 6).filter((tenant) => tenant === "few")).toHaveLength(3)
      })
    ))

  it("tries again with longer and longer waits, then calls the job dead until it is redriven", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [handle(note, () => Effect.fail(failure(true)))] })
        const retry = { maxFailures: 3, firstMs: 1_000, factor: 4, capMs: 60_000 }
        const { job } = yield* engine.submit(request({ retry }))
        yield* pass(10)
        const dead = (yield* engine.get(TENANT, job.id)).job
        expect(dead).toMatchObject({ state: "Failed", dead: true, failures: 3 })
        expect(dead.outcome).toMatchObject({ failure: { code: "Broken", details: { part: 7 } } })
        const starts = (yield* engine.events(TENANT, job.id, 0, 100)).filter(({ _tag }) => _tag === "Started")
        const waits = starts.slice(1).map(({ at }, i) => at - (starts[i]?.at ?? 0))
        // At most a look (1 s) later than the policy says.
        expect(waits[0]).toBeGreaterThanOrEqual(1_000)
        expect(waits[0]).toBeLessThanOrEqual(2_000)
        expect(waits[1]).toBeGreaterThanOrEqual(4_000)
        expect(waits[1]).toBeLessThanOrEqual(5_000)
        expect(yield* engine.redrive(TENANT, job.id, "ops")).toMatchObject({
          state: "Queued",
          failures: 0,
          dead: false
        })
        yield* pass(10)
        expect((yield* engine.get(TENANT, job.id)).job).toMatchObject({ dead: true, failures: 3, session: 1 })
      })
    ))

  it("does not try again what cannot succeed", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [handle(note, () => Effect.fail(failure(false)))] })
        const { job } = yield* engine.submit(request())
        yield* pass(1)
        expect((yield* engine.get(TENANT, job.id)).job).toMatchObject({ state: "Failed", dead: false, epoch: 1 })
      })
    ))

  it("counts an unforeseen end as a failure that may pass", () =>
    play((ports) =>
      Effect.gen(function* () {
        const broken = handle(note, (job) =>
          job.failures === 0 ? Effect.die(new Error("out of cheese")) : Effect.succeed("ok")
        )
        const { engine } = yield* start(ports, { handlers: [broken] })
        const { job } = yield* engine.submit(request())
        yield* pass(3)
        const after = (yield* engine.get(TENANT, job.id)).job
        expect(after).toMatchObject({ state: "Succeeded", failures: 1 })
        expect(after.lastFailure).toMatchObject({
          code: "HandlerDefect",
          message: expect.stringContaining("out of cheese")
        })
      })
    ))

  it("keeps the lease of a long job and shows its progress", () =>
    play((ports) =>
      Effect.gen(function* () {
        const long = handle(note, (job) =>
          Effect.gen(function* () {
            job.progress({ done: 3, total: 10, phase: "half way" })
            const first = job.lease().deadline
            yield* Effect.sleep("60 seconds")
            return job.lease().deadline - first
          })
        )
        const { engine } = yield* start(ports, { handlers: [long] })
        yield* start(ports, { handlers: [echo], name: "rival" })
        const { job } = yield* engine.submit(request())
        yield* pass(5)
        expect((yield* engine.get(TENANT, job.id)).progress).toMatchObject({ done: 3, total: 10, phase: "half way" })
        yield* pass(57)
        // Renewed every four seconds, the last time after 56 or 60.
        expect((yield* engine.get(TENANT, job.id)).job).toMatchObject({
          state: "Succeeded",
          epoch: 1,
          failures: 0,
          outcome: { result: expect.toSatisfy((grown: number) => grown === 56_000 || grown === 60_000) }
        })
      })
    ))

  it("stops a cancelled job with the next renewal and takes nothing of it any more", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { handler, inside, left } = staying()
        const { engine, worker } = yield* start(ports, { handlers: [handler] })
        const { job } = yield* engine.submit(request())
        const context = yield* Deferred.await(inside)
        expect(yield* worker.running).toEqual([{ tenant: TENANT, id: job.id, kind: "note", epoch: 1 }])
        expect((yield* engine.cancel(TENANT, job.id, "me")).state).toBe("Cancelled")
        const late = yield* Effect.forkChild(context.emit("late", 1))
        yield* pass(4.25)
        expect(left).toEqual([job.id])
        expect(yield* worker.running).toEqual([])
        expect(context.signal.aborted).toBe(true)
        expect((yield* engine.get(TENANT, job.id)).job).toMatchObject({ state: "Cancelled", outputs: [] })
        yield* Fiber.interrupt(late)
      })
    ))

  it("frees the place of a handler that does not stop after ten seconds", () =>
    play((ports) =>
      Effect.gen(function* () {
        const inside = Deferred.makeUnsafe<void>()
        const stubborn = handle(note, (job) =>
          job.parameters === "quick"
            ? Effect.succeed("done")
            : Effect.uninterruptible(
                Effect.andThen(Deferred.succeed(inside, undefined), Effect.as(Effect.sleep("1 hour"), "late"))
              )
        )
        const { engine, worker } = yield* start(ports, { handlers: [stubborn], concurrency: 1 })
        const { job } = yield* engine.submit(request())
        yield* Deferred.await(inside)
        yield* engine.cancel(TENANT, job.id, "me")
        const next = yield* engine.submit(request({ parameters: "quick" }))
        yield* pass(13)
        expect(yield* worker.running).toHaveLength(1)
        yield* pass(2)
        expect((yield* engine.get(TENANT, next.job.id)).job.state).toBe("Succeeded")
      })
    ))

  it("has a killed worker's job running again within 15 seconds, at any moment of its lease", () =>
    fc.assert(
      fc.asyncProperty(fc.nat(40), fc.nat(7), async (beforeKill, beforeJob) => {
        await play((ports) =>
          Effect.gen(function* () {
            const first = staying()
            const second = staying()
            const a = yield* start(ports, { handlers: [first.handler], sweeps: false })
            yield* pass(beforeJob / 4)
            const b = yield* start(ports, { kinds: [note] })
            const { job } = yield* b.engine.submit(request())
            yield* pass(1.25 + beforeKill / 4)
            yield* start(ports, { handlers: [second.handler], sweeps: false })
            yield* a.kill
            yield* pass(15)
            expect((yield* b.engine.get(TENANT, job.id)).job).toMatchObject({ state: "Running", epoch: 2, failures: 1 })
            yield* b.engine.cancel(TENANT, job.id, "end of test")
          })
        )
      }),
      { numRuns: 25 }
    ))

  it("notices by itself that the store is out of reach, before another worker begins", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { handler, inside, left } = staying()
        let gone = false
        const lonely = yield* start(ports, {
          handlers: [handler],
          sweeps: false,
          fault: () => (gone ? "hang" : undefined)
        })
        const { engine } = yield* start(ports, { kinds: [note], sweeps: false })
        const { job } = yield* engine.submit(request())
        yield* Deferred.await(inside)
        gone = true
        yield* pass(12.5)
        expect(left).toEqual([job.id])
        yield* lonely.kill
      })
    ))

  it("hands jobs back at a graceful stop, without a failure", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { handler, inside, left } = staying()
        const { worker } = yield* start(ports, { handlers: [handler] })
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        yield* Deferred.await(inside)
        yield* worker.stop
        expect(left).toEqual([job.id])
        expect((yield* engine.get(TENANT, job.id)).job).toMatchObject({ state: "Queued", failures: 0, epoch: 1 })
        yield* pass(5)
        expect((yield* engine.get(TENANT, job.id)).job.state).toBe("Queued")
        yield* start(ports, { handlers: [echo] })
        yield* pass(0.25)
        expect((yield* engine.get(TENANT, job.id)).job).toMatchObject({ state: "Succeeded", epoch: 2, failures: 0 })
      })
    ))

  it("keeps the result of a handler that stops by its signal, also from a region that cannot be interrupted", () =>
    play((ports) =>
      Effect.gen(function* () {
        const inside = Deferred.makeUnsafe<void>()
        const ending = Deferred.makeUnsafe<void>()
        const handler = handle(
          note,
          () =>
            Deferred.succeed(inside, undefined).pipe(
              Effect.andThen(Deferred.await(ending)),
              Effect.as("written"),
              Effect.uninterruptible
            ),
          { stopsBySignal: true }
        )
        const clients = yield* start(ports, { kinds: [note] })
        const { engine, stop } = yield* start(ports, { handlers: [handler] })
        const { job } = yield* engine.submit(request())
        yield* Deferred.await(inside)
        const stopping = yield* Effect.forkChild(stop)
        yield* pass(6)
        // Nobody else has it while it tidies up, though its first lease would be over.
        expect((yield* clients.engine.get(TENANT, job.id)).job.state).toBe("Running")
        yield* Deferred.succeed(ending, undefined)
        yield* Fiber.join(stopping)
        expect((yield* clients.engine.get(TENANT, job.id)).job).toMatchObject({
          epoch: 1,
          outcome: { _tag: "Succeeded", result: "written" }
        })
      })
    ))

  it("hands back the job of one that stops by its signal and does not end in ten seconds", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { handler, inside, left } = staying()
        const clients = yield* start(ports, { kinds: [note] })
        const { engine, stop } = yield* start(ports, { handlers: [{ ...handler, stopsBySignal: true }] })
        const { job } = yield* engine.submit(request())
        const { signal } = yield* Deferred.await(inside)
        const stopping = yield* Effect.forkChild(stop)
        yield* pass(9.75)
        expect([signal.aborted, left]).toEqual([true, []])
        yield* pass(0.5)
        yield* Fiber.join(stopping)
        expect(left).toEqual([job.id])
        expect((yield* clients.engine.get(TENANT, job.id)).job).toMatchObject({ state: "Queued", failures: 0 })
      })
    ))

  it("does not wait for one that stops by its signal once it has parked", () =>
    play((ports) =>
      Effect.gen(function* () {
        const inside = Deferred.makeUnsafe<void>()
        const asks = handle(
          note,
          (job) =>
            Effect.gen(function* () {
              yield* Deferred.succeed(inside, undefined)
              yield* Effect.promise(() => new Promise((resume) => job.signal.addEventListener("abort", resume)))
              return yield* job.input("go")
            }),
          { stopsBySignal: true }
        )
        const clients = yield* start(ports, { kinds: [note] })
        const { engine, stop } = yield* start(ports, { handlers: [asks] })
        const { job } = yield* engine.submit(request())
        yield* Deferred.await(inside)
        // The clock stands still, so nothing can wait for it.
        yield* stop
        expect((yield* clients.engine.get(TENANT, job.id)).job.state).toBe("AwaitingInput")
      })
    ))

  it("leases for as long as it is told, in place of the kind", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { handler, inside } = staying()
        const { engine } = yield* start(ports, { handlers: [handler], lease: { leaseMs: 1_000, renewMs: 500 } })
        yield* engine.submit(request())
        const { lease } = yield* Deferred.await(inside)
        const first = lease().deadline
        yield* pass(0.5)
        expect(lease().deadline - first).toBe(500)
      })
    ))

  it.each([
    ["a lease shorter than two renewals of the kind", { lease: { leaseMs: 7_999 } }, "shorter than two renewals"],
    ["a renewal that comes too late for the lease of the kind", { lease: { renewMs: 6_001 } }, "two renewals"],
    ["no concurrency", { concurrency: 0 }, "concurrency is a whole number from 1"],
    ["a poll without a pause", { pollMs: 0 }, "pollMs is a whole number from 10"],
    ["a sweep that never comes", { sweepMs: Number.POSITIVE_INFINITY }, "everyMs is a whole number from 50"]
  ])("refuses %s, where it is written", (_, options, said) => {
    expect(() => layerJobs({ handlers: [echo], ...options })).toThrow(
      expect.objectContaining({ _tag: "OptionsRejected", message: expect.stringContaining(said) })
    )
  })

  it("refuses two kinds of one name, and two handlers of one kind", () => {
    const other = { ...note }
    const twice = expect.objectContaining({
      _tag: "OptionsRejected",
      message: expect.stringContaining(`"${note.name}" more than once`)
    })
    expect(() => layerEngine({ kinds: [note, other] })).toThrow(twice)
    expect(() => layerJobs({ handlers: [echo, echo] })).toThrow(twice)
    expect(() => layerJobs({ handlers: [echo], kinds: [note] })).not.toThrow()
  })

  it("claims nothing of a paused kind, also after a restart, until it is resumed", () =>
    play((ports) =>
      Effect.gen(function* () {
        const first = yield* start(ports, { handlers: [echo] })
        yield* first.engine.pause("note", "ops")
        const { job } = yield* first.engine.submit(request())
        yield* pass(3)
        yield* first.stop
        const { engine } = yield* start(ports, { handlers: [echo] })
        yield* pass(3)
        expect((yield* engine.get(TENANT, job.id)).job.state).toBe("Queued")
        expect([...(yield* engine.paused)]).toEqual(["note"])
        yield* engine.resume("note")
        yield* pass(1.25)
        expect((yield* engine.get(TENANT, job.id)).job.state).toBe("Succeeded")
        expect(yield* Effect.flip(engine.pause("nope", "ops"))).toMatchObject({ _tag: "UnknownKind" })
      })
    ))

  it("says in the words of a kind whether a slot is free", () =>
    play((ports) =>
      Effect.gen(function* () {
        const words = kindOf("note", {
          outward: {
            states: Object.fromEntries(
              [
                "Queued",
                "Starting",
                "Running",
                "AwaitingInput",
                "AwaitingExternal",
                "Finishing",
                "Succeeded",
                "Failed",
                "Cancelled",
                "Skipped"
              ].map((state) => [state, state])
            ),
            refine: (job: Job, { slotFree }: { readonly slotFree: boolean }) =>
              job.state === "Queued" ? (slotFree ? "processing" : "pending") : undefined
          }
        })
        const inside = Deferred.makeUnsafe<void>()
        const busy = handle(words, () => Effect.andThen(Deferred.succeed(inside, undefined), Effect.never))
        const { engine } = yield* start(ports, { handlers: [busy], concurrency: 1 })
        const first = yield* engine.submit(request())
        expect((yield* engine.get(TENANT, first.job.id)).word).not.toBe("pending")
        yield* Deferred.await(inside)
        const second = yield* engine.submit(request())
        expect((yield* engine.get(TENANT, second.job.id)).word).toBe("pending")
      })
    ))
})

describe("a handler's context", () => {
  it("emits once per key, also when it runs again, and gives back what was emitted", () =>
    play((ports) =>
      Effect.gen(function* () {
        let made = 0
        const steps = handle(note, (job) =>
          Effect.gen(function* () {
            const first = yield* job.once(
              "first",
              Effect.sync(() => ++made)
            )
            yield* job.emit("second", { of: job.epoch })
            if (job.failures < 2) return yield* Effect.fail(failure(true))
            return [first, (yield* job.emitted("second")) ?? null, (yield* job.emitted("none")) ?? null]
          })
        )
        const { engine } = yield* start(ports, { handlers: [steps] })
        const { job } = yield* engine.submit(request())
        yield* pass(15)
        expect((yield* engine.get(TENANT, job.id)).job.outcome).toEqual({
          _tag: "Succeeded",
          result: [1, { of: 1 }, null]
        })
        expect(made).toBe(1)
        expect(yield* engine.output(TENANT, job.id, "second")).toEqual({ key: "second", data: { of: 1 } })
      })
    ))

  it("parks for an input without a slot, and goes on with it", () =>
    play((ports) =>
      Effect.gen(function* () {
        let begun = 0
        const asking = handle(note, (job) =>
          Effect.gen(function* () {
            if (job.parameters === "quick") return "quick"
            begun++
            const a = yield* job.input("a", { stage: "first" })
            const b = yield* job.input("b")
            return [a, b]
          })
        )
        const { engine, worker } = yield* start(ports, { handlers: [asking], concurrency: 1 })
        const { job } = yield* engine.submit(request())
        yield* pass(1)
        expect((yield* engine.get(TENANT, job.id)).job).toMatchObject({
          state: "AwaitingInput",
          awaiting: { key: "a", stage: "first" }
        })
        expect(yield* worker.running).toEqual([])
        const quick = yield* engine.submit(request({ parameters: "quick" }))
        yield* pass(0.25)
        expect((yield* engine.get(TENANT, quick.job.id)).job.state).toBe("Succeeded")
        // The second is there before it is asked for, so there is nothing to wait for.
        yield* engine.giveInput(TENANT, job.id, "b", 2)
        yield* pass(60)
        expect((yield* engine.get(TENANT, job.id)).job.state).toBe("AwaitingInput")
        yield* engine.giveInput(TENANT, job.id, "a", 1)
        yield* pass(1)
        expect((yield* engine.get(TENANT, job.id)).job).toMatchObject({
          outcome: { _tag: "Succeeded", result: [1, 2] },
          failures: 0
        })
        expect(begun).toBe(2)
      })
    ))

  it("may reject an input and ask for another", () =>
    play((ports) =>
      Effect.gen(function* () {
        const picky = handle(note, (job) =>
          Effect.gen(function* () {
            const card = yield* job.input("card")
            return card === "good" ? card : yield* job.input("card", { rejects: true })
          })
        )
        const { engine } = yield* start(ports, { handlers: [picky] })
        const { job } = yield* engine.submit(request({ inputs: [{ key: "card", data: "bad" }] }))
        yield* pass(1)
        expect((yield* engine.get(TENANT, job.id)).job.awaiting).toMatchObject({ key: "card", rejected: "bad" })
        yield* engine.giveInput(TENANT, job.id, "card", "good")
        yield* pass(1)
        expect((yield* engine.get(TENANT, job.id)).job.outcome).toEqual({ _tag: "Succeeded", result: "good" })
      })
    ))

  it("fails with InputTimeout when nobody answers, after the time it gave", () =>
    play((ports) =>
      Effect.gen(function* () {
        const asking = handle(note, (job) => job.input("a", { waitMs: 30_000 }))
        const { engine } = yield* start(ports, { handlers: [asking] })
        const { job } = yield* engine.submit(request())
        yield* pass(29)
        expect((yield* engine.get(TENANT, job.id)).job.state).toBe("AwaitingInput")
        yield* pass(4)
        expect((yield* engine.get(TENANT, job.id)).job.outcome).toMatchObject({ failure: { code: "InputTimeout" } })
      })
    ))

  it("parks for what happens outside", () =>
    play((ports) =>
      Effect.gen(function* () {
        const paying = handle(note, (job) => job.external("3ds", { data: { url: "https://bank.example" } }))
        const { engine } = yield* start(ports, { handlers: [paying] })
        const { job } = yield* engine.submit(request())
        yield* pass(1)
        expect((yield* engine.get(TENANT, job.id)).job.awaiting).toMatchObject({ id: "3ds" })
        yield* engine.finishExternal(TENANT, job.id, "3ds", { ok: true })
        yield* pass(1)
        expect((yield* engine.get(TENANT, job.id)).job.outcome).toEqual({ _tag: "Succeeded", result: { ok: true } })
      })
    ))

  it("skips", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [handle(note, (job) => job.skip("nothing new"))] })
        const { job } = yield* engine.submit(request())
        yield* pass(1)
        expect((yield* engine.get(TENANT, job.id)).job.outcome).toEqual({ _tag: "Skipped", reason: "nothing new" })
      })
    ))

  it("is safe from its deadline once it finishes, and not before", () =>
    play((ports) =>
      Effect.gen(function* () {
        const slow = handle(note, (job) =>
          Effect.gen(function* () {
            if (job.parameters === "finishing") yield* Effect.andThen(job.finishing, job.finishing)
            yield* Effect.sleep("30 seconds")
            return null
          })
        )
        const { engine } = yield* start(ports, { handlers: [slow] })
        const late = yield* engine.submit(request({ deadlineMs: 10_000 }))
        const safe = yield* engine.submit(request({ deadlineMs: 10_000, parameters: "finishing" }))
        yield* pass(32)
        expect((yield* engine.get(TENANT, late.job.id)).job.outcome).toMatchObject({ failure: { code: "JobTimeout" } })
        expect((yield* engine.get(TENANT, safe.job.id)).job.state).toBe("Succeeded")
      })
    ))

  it("forgets outputs with a reset and begins a new session", () =>
    play((ports) =>
      Effect.gen(function* () {
        const steps = handle(note, (job) => Effect.andThen(job.emit("out", job.session), job.input("go")))
        const { engine } = yield* start(ports, { handlers: [steps] })
        const { job } = yield* engine.submit(request())
        yield* pass(1)
        yield* engine.reset(TENANT, job.id, { by: "me" })
        yield* pass(1)
        expect((yield* engine.output(TENANT, job.id, "out"))?.data).toBe(2)
        expect((yield* engine.output(TENANT, job.id, "out", 1))?.data).toBe(1)
      })
    ))
})

describe("a store whose answers get lost", () => {
  const methods = ["create", "read", "commit", "claim", "renew", "due", "events", "output", "list"] as const

  const lifeOf = (ports: Parameters<Parameters<typeof play>[0]>[0], fault: (method: string, nth: number) => Fault) =>
    Effect.gen(function* () {
      let once = 0
      const steps = handle(note, (job) =>
        Effect.gen(function* () {
          yield* job.once(
            "out",
            Effect.sync(() => ++once)
          )
          const answer = yield* job.input("go")
          yield* Effect.sleep("9 seconds")
          if (job.failures === 0) return yield* Effect.fail(failure(true))
          yield* job.finishing
          return [once, answer]
        })
      )
      const { engine } = yield* start(ports, { handlers: [steps], fault })
      const run = yield* Effect.forkChild(
        Effect.gen(function* () {
          const { job } = yield* engine.submit(request({ key: "k" }))
          yield* Effect.sleep("5 seconds")
          yield* engine.giveInput(TENANT, job.id, "go", "now")
          return yield* engine.wait(TENANT, job.id)
        })
      )
      yield* pass(60)
      const job = yield* Fiber.join(run)
      const log = yield* Context.get(ports, JobStore).events(TENANT, job.id, 0, 1000)
      return { job, log: "_tag" in log ? [] : tags(log) }
    })

  const USUAL = [
    "Submitted",
    "Claimed",
    "Started",
    "OutputEmitted",
    "InputAsked",
    "InputGiven",
    "Claimed",
    "Started",
    "Faltered",
    "Claimed",
    "Started",
    "FinishBegun",
    "Succeeded"
  ]

  it("is the usual life without faults", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { job, log } = yield* lifeOf(ports, () => undefined)
        expect(log).toEqual(USUAL)
        expect(job.outcome).toEqual({ _tag: "Succeeded", result: [1, "now"] })
      })
    ))

  for (const method of methods) {
    for (const fault of ["lose", "refuse"] as const) {
      it(`is the usual life when the store ${fault}s any one call of ${method}`, async () => {
        for (let wanted = 1; wanted <= 12; wanted++) {
          await play((ports) =>
            Effect.gen(function* () {
              const { job, log } = yield* lifeOf(ports, (called, nth) =>
                called === method && nth === wanted ? fault : undefined
              )
              expect(log).toEqual(USUAL)
              expect(job.outcome).toEqual({ _tag: "Succeeded", result: [1, "now"] })
            })
          )
        }
      })
    }
  }

  it("ends well when every third call of any method is lost or refused", () =>
    play((ports) =>
      Effect.gen(function* () {
        let calls = 0
        const { job } = yield* lifeOf(ports, () =>
          ++calls % 3 === 0 ? (calls % 2 === 0 ? "lose" : "refuse") : undefined
        )
        expect(job.outcome).toEqual({ _tag: "Succeeded", result: [1, "now"] })
      })
    ))
})
