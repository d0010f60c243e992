/** The example of docs/kinds.md: a translation that a person approves. */
import { JobKind } from "@sotto/core/job"
import { handle, JobFailed } from "@sotto/engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const translationKind = JobKind.make({
  name: "translation",
  relation: "leased",
  parameters: Schema.Struct({ text: Schema.NonEmptyString, to: Schema.Literals(["de", "fr"]) }),
  result: Schema.Struct({ text: Schema.String, approvedBy: Schema.String }),
  failure: Schema.Struct({ attempts: Schema.Int }),
  inputMs: 3 * 86_400_000,
  deadlineMs: 7 * 86_400_000,
  retry: { maxFailures: 3 },
  perTenant: 10,
  without: { states: ["AwaitingExternal"] },
  outward: {
    states: {
      Queued: "waiting",
      Starting: "working",
      Running: "working",
      Finishing: "working",
      AwaitingInput: "review",
      Succeeded: "done",
      Failed: "failed",
      Cancelled: "withdrawn",
      Skipped: "done"
    },
    events: ({ _tag }) => (_tag === "InputAsked" ? [{ name: "review.asked" }] : [])
  }
})

/** A service of the host; the layer of the worker asks for it. */
export class Translator extends Context.Service<
  Translator,
  { translate(text: string, to: string): Effect.Effect<string, { readonly overloaded: boolean }> }
>()("example/Translator") {}

const Review = Schema.Struct({ by: Schema.String, approved: Schema.Boolean })

export const translationHandler = handle(translationKind, (job) =>
  Effect.gen(function* () {
    const translator = yield* Translator
    const { text, to } = job.parameters

    job.progress({ done: 0, total: 2, phase: "translate" })
    const draft = yield* job.once(
      "draft",
      translator.translate(text, to).pipe(
        Effect.mapError(
          ({ overloaded }) =>
            new JobFailed({
              code: "TranslatorFailed",
              category: "external",
              message: "The translator did not answer.",
              details: { attempts: job.failures + 1 },
              retryable: overloaded
            })
        )
      )
    )

    job.progress({ done: 1, total: 2, phase: "review" })
    const given = yield* job.input("review", { stage: "review" })
    const read = Schema.decodeUnknownOption(Review)(given)
    // Something else than a review: the input is rejected and asked for again.
    const review = read._tag === "Some" ? read.value : yield* job.input("review", { rejects: true })
    if (!review.approved) return yield* job.skip("The reviewer wants no translation.")

    return { text: String(draft), approvedBy: review.by }
  })
)
