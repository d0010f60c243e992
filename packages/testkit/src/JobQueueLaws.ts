/** The laws of a queue of wake-ups. It promises little: what it says was announced, and it never holds anybody up. */
import { JobQueue, type WakeUp } from "@sotto/core/ports/JobQueue"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import type { Law, Mutant } from "./Law.ts"

type Service = JobQueue["Service"]

const demand = (holds: boolean, what: () => string): void => {
  if (!holds) throw new Error(what())
}

const mutant = (name: string, change: (queue: Service) => Partial<Service>): Mutant<JobQueue> => ({
  name,
  apply: (subject) =>
    Layer.provide(
      Layer.effect(
        JobQueue,
        Effect.map(JobQueue, (queue) => JobQueue.of({ ...queue, ...change(queue) }))
      ),
      subject
    )
})

const law = <A>(
  id: string,
  rule: string,
  cases: fc.Arbitrary<A>,
  run: (queue: Service, example: A) => Effect.Effect<void, unknown>,
  mutants: ReadonlyArray<Mutant<JobQueue>>
): Law<JobQueue> => ({
  id,
  port: "JobQueue",
  rule,
  property: (subject) =>
    fc.asyncProperty(cases, (example) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.provide(
            Effect.flatMap(JobQueue, (queue) => run(queue, example)),
            Layer.fresh(subject)
          )
        )
      )
    ) as fc.IAsyncProperty<unknown>,
  mutants
})

const wakeUps: fc.Arbitrary<ReadonlyArray<WakeUp>> = fc.array(
  fc.record({
    tenant: fc.constantFrom("north", "south"),
    id: fc.constantFrom("a", "b", "c"),
    kind: fc.constantFrom("work", "play")
  }),
  { maxLength: 6 }
)

const said = ({ tenant, id, kind }: WakeUp): string => `${tenant}/${id}/${kind}`

/** A listener that hears for as long as the others take turns. */
const listening = Effect.fnUntraced(function* (queue: Service, kinds: ReadonlyArray<string>) {
  const heard: Array<WakeUp> = []
  const fiber = yield* Effect.forkChild(
    Stream.runForEach(queue.wakeUps(kinds), (wakeUp) => Effect.sync(() => heard.push(wakeUp)))
  )
  yield* turns
  return { heard, stop: Fiber.interrupt(fiber) }
})

const turns = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

const NO_INVENTION = law(
  "NO-INVENTION",
  "A listener hears only what was announced, of the kinds it listens to.",
  fc.tuple(wakeUps, fc.constantFrom<ReadonlyArray<string>>(["work"], ["play"], ["work", "play"])),
  (queue, [list, kinds]) =>
    Effect.gen(function* () {
      const { heard, stop } = yield* listening(queue, kinds)
      yield* queue.announce(list)
      yield* turns
      yield* stop
      const announced = new Set(list.filter(({ kind }) => kinds.includes(kind)).map(said))
      for (const wakeUp of heard) demand(announced.has(said(wakeUp)), () => `nobody announced ${said(wakeUp)}`)
    }),
  [
    mutant("wakes for every kind", (queue) => ({ wakeUps: () => queue.wakeUps(["work", "play"]) })),
    mutant("mixes tenants up", (queue) => ({
      wakeUps: (kinds) => Stream.map(queue.wakeUps(kinds), (wakeUp) => ({ ...wakeUp, tenant: "west" }))
    })),
    mutant("wakes for nothing", (queue) => ({
      wakeUps: (kinds) =>
        Stream.concat(Stream.make({ tenant: "north", id: "z", kind: kinds[0] ?? "work" }), queue.wakeUps(kinds))
    }))
  ]
)

const NO_WAIT = law(
  "NO-WAIT",
  "Announcing returns whether nobody listens, or somebody who never takes what it hears.",
  fc.tuple(wakeUps, fc.boolean()),
  (queue, [list, someone]) =>
    Effect.gen(function* () {
      const fiber = someone
        ? yield* Effect.forkChild(Stream.runForEach(queue.wakeUps(["work", "play"]), () => Effect.never))
        : undefined
      yield* turns
      const announcing = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 600 }), () => queue.announce(list), { discard: true })
      )
      // A second where a millisecond is enough, so that a busy machine makes no difference.
      const done = yield* Effect.raceFirst(
        Effect.as(Fiber.join(announcing), true),
        Effect.as(Effect.sleep("1 second"), false)
      )
      demand(done, () => "announcing waits for a listener")
      if (fiber !== undefined) yield* Fiber.interrupt(fiber)
    }),
  [mutant("waits for somebody to listen", () => ({ announce: () => Effect.never }))]
)

export const jobQueueLaws: ReadonlyArray<Law<JobQueue>> = [NO_INVENTION, NO_WAIT]
