/**
 * The School Menu, three times: as it is, with a 3-D Secure step before the menu is told, and with a script that runs
 * outside (`worker.ts`).
 */
import { type AutomationService, inputRule, ScriptFailed, type Script } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { INGREDIENTS, menuWithout } from "./menu.ts"

const inputs = { ingredientToAvoid: inputRule(Schema.String.check(Schema.isMinLength(1))) }

const STEPS = 4

const askAndCook: Script = Effect.fnUntraced(function* (job) {
  job.progress(1, STEPS)
  yield* job.output("ingredients", INGREDIENTS)
  job.progress(2, STEPS)
  const ingredient = String(yield* job.input("ingredientToAvoid"))
  // Who answers with something that is never used has mistyped it.
  if (!INGREDIENTS.includes(ingredient)) return yield* job.reject("ingredientToAvoid")
  job.progress(3, STEPS)
  yield* job.output(
    "menu",
    menuWithout(ingredient).map((recipe) => ({ ...recipe }))
  )
  job.progress(STEPS, STEPS)
  return null
})

const payAndCook: Script = Effect.fnUntraced(function* (job) {
  const answer = yield* job.challenge(`https://bank.example/challenge/${job.id}`)
  if (answer !== "approved") {
    return yield* new ScriptFailed({
      code: "PaymentRejected",
      category: "client",
      message: "The payment was not approved."
    })
  }
  yield* askAndCook(job)
  return "Paid"
})

const facts = { domainId: "Generic", tags: ["example"], version: "1.0.0", inputs }

export const schoolMenu: AutomationService = {
  ...facts,
  _tag: "Inside",
  id: "bd80b73a-af55-4087-a5d4-91f6c8619948",
  name: "School Menu",
  script: askAndCook
}

export const paidMenu: AutomationService = {
  ...facts,
  _tag: "Inside",
  id: "3f0a0f0e-6f3b-4c6e-9a55-0d3c1f9b7a01",
  name: "School Menu (paid)",
  script: payAndCook
}

export const outsideMenu: AutomationService = {
  ...facts,
  _tag: "Outside",
  id: "7c2d5b1e-8a94-4f0d-b3c6-2e1f4a6d9b02",
  name: "School Menu (outside)"
}

export const services = [schoolMenu, paidMenu, outsideMenu]
