import { automationKind } from "@sotto/core/automation"
import { decide, JobKind } from "@sotto/core/job"
import { launcherKind, sqlRunKind } from "@sotto/core/launcher"
import { aggregationKind } from "@sotto/engine"
import { catches, checkLaw, kindLaws, layerKindMachine } from "@sotto/testkit"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { refunds } from "../../../examples/custom-kind/refund.ts"
import { translationKind } from "../../../test/docs/Translation.ts"
import { automation, launcher, model } from "../../core/test/job/support.ts"
import { handlerOf } from "../../sotto/src/Kind.ts"
import { type AnyKind, live, livesOf } from "../src/internal/JobLives.ts"

const plain = { parameters: Schema.Json, result: Schema.Json, failure: Schema.Json }

/** All rows of either relation with nothing of its own, then kinds that leave rows out or have words. */
const kinds: ReadonlyArray<AnyKind> = [
  JobKind.make({ ...plain, name: "plain", relation: "leased" }),
  automation,
  model,
  aggregationKind,
  translationKind,
  handlerOf(refunds(() => Promise.resolve("paid"))).kind,
  JobKind.make({
    ...plain,
    name: "smallest",
    relation: "leased",
    without: {
      states: ["AwaitingInput", "AwaitingExternal", "Finishing", "Cancelled", "Skipped"],
      events: ["InputGiven", "Reset", "Redriven", "Renamed", "OutputEmitted", "Progressed"]
    }
  }),
  JobKind.make({ ...plain, name: "outside", relation: "reported" }),
  launcher,
  launcherKind,
  sqlRunKind,
  automationKind,
  JobKind.make({
    ...plain,
    name: "quiet",
    relation: "reported",
    without: { states: ["Queued", "Skipped", "Cancelling"], events: ["CancelRequested"] }
  })
]

describe.each(kinds.map((kind) => [kind.name, kind] as const))("the kind %s", (_, kind) => {
  const laws = kindLaws(kind)

  it.each(laws.map((law) => [law.id, law] as const))("keeps %s", async (__, law) => {
    await checkLaw(law, layerKindMachine(kind), { runs: law.id === "REACHABLE" ? 3 : 60 })
  })
})

describe.each([automation, model, aggregationKind, launcher].map((kind: AnyKind) => [kind.name, kind] as const))(
  "the laws of the kind %s",
  (_, kind) => {
    const laws = kindLaws(kind)

    it.each(laws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
      "%s catches a kind that %s",
      async (__, ___, law, mutant) => {
        expect(await catches(law, mutant, layerKindMachine(kind), { seed: 1 })).toBe(true)
      }
    )

    it("have a mutant each", () => {
      expect(laws.filter(({ mutants }) => mutants.length === 0).map(({ id }) => id)).toEqual([])
    })
  }
)

describe("random lives", () => {
  it("meet every event and every reason somewhere", () => {
    const [events, reasons] = [new Set<string>(), new Set<string>()]
    const mine = [automation, launcher]
    for (const kind of mine) {
      for (const life of fc.sample(livesOf(kind, {}), { numRuns: 3_000, seed: 7 })) {
        for (const { decision } of live(kind, {}, (job, command, now) => decide(kind, job, command, now), life).turns) {
          if (decision._tag === "Rejected") reasons.add(decision.reason)
          else for (const { _tag } of decision.events) events.add(_tag)
        }
      }
    }
    const listed = mine.flatMap(({ lifecycle }) => lifecycle.rows.map(({ on }) => on))
    const own = listed.filter((on) => !on.startsWith("Reported") && on !== "Progressed")
    expect([...new Set(own)].filter((on) => !events.has(on))).toEqual([])
    expect([...events]).toContain("Reported")
    expect([...reasons].toSorted()).toEqual([
      "dead",
      "externalAwaited",
      "leaseOver",
      "not inputKnown",
      "notListed",
      "ready",
      "staleLease",
      "timerDue",
      "within15MinOfFailure"
    ])
  })

  it("break a law in words that tell the life", async () => {
    const law = kindLaws(automation).find(({ id }) => id === "FENCE")
    const mutant = law?.mutants[0]
    if (law === undefined || mutant === undefined) throw new Error("no such law")
    const broken = checkLaw(law, mutant.apply(layerKindMachine(automation)), { runs: 200, seed: 1 })
    await expect(broken).rejects.toThrow(
      /JobKind breaks the law FENCE: Nothing is taken[\s\S]*seed: 1[\s\S]*a stale \w+ was taken[\s\S]*Submit → Queued\n[\s\S]*Usual causes:\n- a command of a worker/
    )
  })
})
