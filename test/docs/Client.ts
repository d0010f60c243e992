/** The example of docs/embedding.md: what a client does with the engine. */
import { Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export const translate = (tenant: string, text: string) =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const { job, created } = yield* engine.submit({
      kind: "translation",
      tenant,
      key: `translate ${text}`,
      parameters: { text, to: "de" }
    })

    // Ends behind the event with which the job ends.
    yield* engine.follow(tenant, job.id, 0).pipe(
      Stream.filter(({ _tag }) => _tag === "InputAsked"),
      Stream.mapEffect(() => engine.get(tenant, job.id)),
      // The event may be old: only what the job still waits for is a question.
      Stream.filter(({ job: { awaiting } }) => awaiting?._tag === "Input" && awaiting.key === "review"),
      Stream.runForEach(() =>
        engine
          .giveInput(tenant, job.id, "review", { by: "Ada", approved: true })
          // Somebody else was faster, or the job has ended.
          .pipe(Effect.catchTag("CommandRefused", () => Effect.void))
      )
    )
    const { word, job: ended } = yield* engine.get(tenant, job.id)
    return { created, word, outcome: ended.outcome }
  })
