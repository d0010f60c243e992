import { handle } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { json, kindOf, serve } from "./Rig.ts"

/** Asks for an address, emits what it would cost, waits for 3-D Secure. */
const SHOP = kindOf("shop")
const shop = handle(SHOP, (job) =>
  Effect.gen(function* () {
    const address = yield* job.input("address", { stage: "delivery" })
    yield* job.emit("offer", { price: 12 })
    const paid = yield* job.external("3ds-1", { data: { url: "https://bank.example" } })
    return { address, paid }
  })
)

/** Lets five seconds pass. */
export const pass = Effect.forEach(Array.from({ length: 20 }), () => TestClock.adjust("250 millis"), { discard: true })

/** A server with a job that waits for its address. */
export const started = Effect.fnUntraced(function* () {
  const { ask } = yield* serve({ handlers: [shop] })
  const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: { kind: "shop", parameters: null } }))
  yield* pass
  return { ask, path: `/v1/jobs/${id}` }
})
