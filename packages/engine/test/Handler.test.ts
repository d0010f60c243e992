import { JobKind } from "@sotto/core/job"
import { handle, type JobContext } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"

const kind = JobKind.make({
  name: "count",
  relation: "leased",
  parameters: Schema.Struct({ rows: Schema.Int }),
  result: Schema.Int,
  failure: Schema.Null
})

describe("a handler", () => {
  it("never sees stored parameters that its kind cannot read: the job fails at once and stands in nobody's way", async () => {
    let ran = false
    const { run } = handle(kind, () =>
      Effect.sync(() => {
        ran = true
        return 1
      })
    )
    const old = { parameters: { rows: "three" } } as unknown as JobContext
    expect(await Effect.runPromise(Effect.flip(run(old)))).toMatchObject({
      code: "InvalidParameters",
      category: "server",
      retryable: false,
      message: expect.stringContaining("rows")
    })
    expect(ran).toBe(false)
  })

  it("fails at once with a result that its kind cannot write", async () => {
    const { run } = handle(kind, () => Effect.succeed(1.5))
    const context = { parameters: { rows: 3 } } as unknown as JobContext
    expect(await Effect.runPromise(Effect.flip(run(context)))).toMatchObject({
      code: "InvalidResult",
      retryable: false
    })
  })
})
