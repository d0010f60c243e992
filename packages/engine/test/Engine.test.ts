import { type JobEvent, JobKind, type JobState } from "@sotto/core/job"
import { JobStore } from "@sotto/core/ports/JobStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { type SubmitRequest } from "../src/index.ts"
import { Anything, kindOf, pass, play, start, TENANT } from "./Rig.ts"

const note = kindOf("note")

const typed = JobKind.make({
  name: "typed",
  relation: "leased",
  parameters: Schema.Struct({
    count: Schema.Int,
    label: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("none")))
  }),
  result: Anything,
  failure: Anything
})

const driven = JobKind.make({
  name: "driven",
  relation: "reported",
  parameters: Anything,
  result: Anything,
  failure: Anything,
  silenceMs: 60_000
})

const request = (more: Partial<SubmitRequest> = {}): SubmitRequest => ({
  kind: "note",
  tenant: TENANT,
  parameters: { text: "hello" },
  ...more
})

const seqs = (events: ReadonlyArray<JobEvent>) => events.map(({ seq }) => seq)

describe("Engine.submit", () => {
  it("makes one job of one key, and refuses the key for other parameters", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const first = yield* engine.submit(request({ key: "k" }))
        const again = yield* engine.submit(request({ key: "k" }))
        expect([first.created, again.created, again.job.id === first.job.id]).toEqual([true, false, true])
        const taken = yield* Effect.flip(engine.submit(request({ key: "k", parameters: { text: "other" } })))
        expect(taken).toMatchObject({
          _tag: "KeyTaken",
          id: first.job.id,
          message: expect.stringMatching(/Use another key/)
        })
        const other = yield* engine.submit(request({ key: "k", tenant: "other", parameters: 1 }))
        expect(other.created).toBe(true)
      })
    ))

  it("keeps parameters as the kind's schema writes them", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [typed] })
        const { job } = yield* engine.submit(request({ kind: "typed", parameters: { count: 2 } }))
        expect(job.parameters).toEqual({ count: 2, label: "none" })
        const wrong = yield* Effect.flip(engine.submit(request({ kind: "typed", parameters: { count: "two" } })))
        expect(wrong).toMatchObject({ _tag: "InvalidSubmission", message: expect.stringMatching(/count/) })
      })
    ))

  it("refuses unknown kinds and options out of range, and says what to do", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        expect(yield* Effect.flip(engine.submit(request({ kind: "nope" })))).toMatchObject({
          _tag: "UnknownKind",
          message: expect.stringMatching(/use one of: note/)
        })
        expect(yield* Effect.flip(engine.submit(request({ priority: 1000 })))).toMatchObject({
          _tag: "InvalidSubmission",
          message: expect.stringMatching(/priority/)
        })
      })
    ))

  for (const fault of ["refuse", "lose"] as const) {
    for (const key of ["k", null]) {
      it(`makes one job when the store ${fault}s twice, with key ${key}`, () =>
        play((ports) =>
          Effect.gen(function* () {
            const { engine } = yield* start(ports, {
              kinds: [note],
              fault: (method, nth) => (method === "create" && nth <= 2 ? fault : undefined)
            })
            const fiber = yield* Effect.forkChild(engine.submit(request({ key })))
            yield* pass(2)
            expect((yield* Fiber.join(fiber)).created).toBe(true)
            expect((yield* engine.list(TENANT, {}, null, 10)).rows).toHaveLength(1)
          })
        ))
    }
  }

  it("gives up on a store that stays away, with an error that may be retried", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note], fault: () => "refuse", sweeps: false })
        const fiber = yield* Effect.forkChild(Effect.flip(engine.submit(request())))
        yield* pass(20)
        expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "JobStoreUnavailable" })
      })
    ))
})

describe("Engine, reading", () => {
  it("gets a job with its word, and hides it from other tenants", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request({ name: "first" }))
        expect(yield* engine.get(TENANT, job.id)).toMatchObject({
          job: { name: "first" },
          word: "Queued",
          progress: null
        })
        const hidden = yield* Effect.flip(engine.get("other", job.id))
        const absent = yield* Effect.flip(engine.get(TENANT, "no-such-id"))
        expect([hidden._tag, absent._tag]).toEqual(["UnknownJob", "UnknownJob"])
        expect(yield* Effect.flip(engine.events("other", job.id, 0, 10))).toMatchObject({ _tag: "UnknownJob" })
      })
    ))

  it("lists in pages that repeat and skip nothing, by filter", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note, typed] })
        const made: Array<string> = []
        for (let i = 0; i < 7; i++) {
          made.push((yield* engine.submit(request())).job.id)
          yield* pass(0.25)
        }
        yield* engine.submit(request({ kind: "typed", parameters: { count: 1 } }))
        const seen: Array<string> = []
        for (let after = null as Parameters<typeof engine.list>[2]; ;) {
          const page = yield* engine.list(TENANT, { kinds: ["note"], order: "oldest" }, after, 3)
          seen.push(...page.rows.map(({ id }) => id))
          if (page.next === null) break
          after = page.next
        }
        expect(seen).toEqual(made)
        expect(yield* engine.tally(TENANT)).toContainEqual({ kind: "note", state: "Queued", jobs: 7 })
      })
    ))

  it("follows events from any number on, live and without gaps, to the end of the job", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const other = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        const all = yield* Effect.forkChild(Stream.runCollect(engine.follow(TENANT, job.id, 0)))
        const late = yield* Effect.forkChild(Stream.runCollect(engine.follow(TENANT, job.id, 3)))
        for (let i = 0; i < 700; i++) {
          // Half of them from another process, which rings no bell here.
          yield* (i % 2 === 0 ? engine : other.engine).rename(TENANT, job.id, `name ${i}`)
          if (i % 100 === 0) yield* pass(1)
        }
        yield* other.engine.cancel(TENANT, job.id, "me")
        yield* pass(2)
        const expected = Array.from({ length: 702 }, (_, i) => i + 1)
        expect(seqs(yield* Fiber.join(all))).toEqual(expected)
        expect(seqs(yield* Fiber.join(late))).toEqual(expected.slice(3))
        expect(seqs(yield* engine.events(TENANT, job.id, 10, 5))).toEqual([11, 12, 13, 14, 15])
      })
    ))

  it("misses nothing that happens between its two looks at the store", () =>
    play((ports) =>
      Effect.gen(function* () {
        const other = yield* start(ports, { kinds: [note] })
        const { job } = yield* other.engine.submit(request())
        const store = Context.get(ports, JobStore)
        const sly = Context.add(ports, JobStore, {
          ...store,
          // Whoever asks how the job is finds it ended a moment ago.
          read: (tenant, id) =>
            Effect.andThen(Effect.ignore(other.engine.cancel(tenant, id, "me")), store.read(tenant, id))
        })
        const { engine } = yield* start(sly, { kinds: [note] })
        expect(seqs(yield* Stream.runCollect(engine.follow(TENANT, job.id, 0)))).toEqual([1, 2])
      })
    ))

  it("waits for the end of a job, and not at all for one that has ended", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        const waiting = yield* Effect.forkChild(engine.wait(TENANT, job.id))
        yield* pass(1)
        yield* engine.cancel(TENANT, job.id, "me")
        expect((yield* Fiber.join(waiting)).state).toBe("Cancelled")
        expect((yield* engine.wait(TENANT, job.id)).state).toBe("Cancelled")
      })
    ))
})

describe("Engine, changing", () => {
  it("cancels once and is content to do it again", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        const cancelled = yield* engine.cancel(TENANT, job.id, "ops", "too dear")
        expect(cancelled.outcome).toEqual({ _tag: "Cancelled", by: "ops", reason: "too dear" })
        expect((yield* engine.cancel(TENANT, job.id, "ops")).seq).toBe(cancelled.seq)
      })
    ))

  it("takes inputs before they are asked for, once", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        const given = yield* engine.giveInput(TENANT, job.id, "card", { number: 1 })
        expect(given.inputs).toMatchObject([{ key: "card", data: { number: 1 } }])
        expect(yield* Effect.flip(engine.giveInput(TENANT, job.id, "card", 2))).toMatchObject({
          _tag: "CommandRefused",
          reason: "not inputKnown",
          message: expect.stringMatching(/left as it is/)
        })
      })
    ))

  it("resets within 15 minutes of the end, forgets what it is told to, and not later", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        for (const key of ["a", "b", "c"]) yield* engine.giveInput(TENANT, job.id, key, key)
        yield* engine.cancel(TENANT, job.id, "me")
        const reset = yield* engine.reset(TENANT, job.id, { by: "me", fromInput: "b", preserve: ["c"] })
        expect(reset).toMatchObject({ state: "Queued", session: 2 })
        expect(reset.inputs.map(({ key }) => key)).toEqual(["a", "c"])
        yield* engine.cancel(TENANT, job.id, "me")
        yield* pass(901)
        expect(yield* Effect.flip(engine.reset(TENANT, job.id, { by: "me" }))).toMatchObject({
          _tag: "CommandRefused",
          reason: "within15MinOfFailure"
        })
      })
    ))

  it("renames at any time and redrives only the dead", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        yield* engine.cancel(TENANT, job.id, "me")
        expect((yield* engine.rename(TENANT, job.id, "after the end")).name).toBe("after the end")
        expect((yield* engine.rename(TENANT, job.id, null)).name).toBeNull()
        expect(yield* Effect.flip(engine.redrive(TENANT, job.id, "ops"))).toMatchObject({ _tag: "CommandRefused" })
        expect(yield* Effect.flip(engine.rename(TENANT, "no-such-id", "x"))).toMatchObject({ _tag: "UnknownJob" })
      })
    ))

  for (const fault of ["refuse", "lose"] as const) {
    it(`changes once when read and commit ${fault} again and again`, () =>
      play((ports) =>
        Effect.gen(function* () {
          const { engine } = yield* start(ports, {
            kinds: [note],
            sweeps: false,
            fault: (method, nth) => ((method === "commit" || method === "read") && nth % 3 !== 0 ? fault : undefined)
          })
          const { job } = yield* engine.submit(request())
          const fiber = yield* Effect.forkChild(
            Effect.gen(function* () {
              yield* engine.giveInput(TENANT, job.id, "a", 1)
              yield* engine.rename(TENANT, job.id, "x")
              return yield* engine.cancel(TENANT, job.id, "me")
            })
          )
          yield* pass(10)
          expect((yield* Fiber.join(fiber)).seq).toBe(4)
          const tags = (yield* engine.events(TENANT, job.id, 0, 10)).map(({ _tag }) => _tag)
          expect(tags).toEqual(["Submitted", "InputGiven", "Renamed", "Cancelled"])
        })
      ))
  }

  it("decides again when somebody else was faster", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        yield* Effect.all(
          Array.from({ length: 20 }, (_, i) => engine.giveInput(TENANT, job.id, `key ${i}`, i)),
          { concurrency: "unbounded" }
        )
        const { job: after } = yield* engine.get(TENANT, job.id)
        expect([after.inputs.length, after.seq]).toEqual([20, 21])
      })
    ))

  it("hears a driver: the first report makes the job, silence ends it", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [driven] })
        const report = (state: "running" | "finished") => ({ state, fields: { host: "a" }, failure: null })
        const run = { kind: "driven", tenant: TENANT, id: "run-1" }
        expect(yield* Effect.flip(engine.report({ ...run, report: report("running") }))).toMatchObject({
          _tag: "UnknownJob"
        })
        const first = yield* engine.report({ ...run, report: report("running"), first: { parameters: null } })
        expect(first).toMatchObject({ state: "Running", fields: { host: "a" } })
        const states: Array<JobState> = []
        for (const seconds of [65, 290, 10]) {
          yield* pass(seconds)
          states.push((yield* engine.get(TENANT, "run-1")).job.state)
        }
        expect(states).toEqual(["Unknown", "Unknown", "Failed"])
      })
    ))

  it("writes nothing of what is refused", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [note] })
        const { job } = yield* engine.submit(request())
        yield* Effect.flip(engine.redrive(TENANT, job.id, "ops"))
        yield* Effect.flip(engine.finishExternal(TENANT, job.id, "3ds", null))
        const store = Context.get(ports, JobStore)
        expect(yield* store.events(TENANT, job.id, 0, 10)).toHaveLength(1)
      })
    ))
})
