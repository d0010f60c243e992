import { emptyMemoryRecords, layerMemoryRecords } from "@sotto/memory"
import { Records } from "@sotto/core/ports/Records"
import { checkLaw, layerLawClock, recordsLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"

const subject = Layer.unwrap(Effect.sync(() => Layer.merge(layerMemoryRecords(), layerLawClock)))

describe("records in memory", () => {
  it.each(recordsLaws.map((law) => [law.id, law] as const))("keep %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 100, seed: 2 })
  })

  it("outlive a layer as a value", async () => {
    const records = emptyMemoryRecords()
    const id = { collection: "hooks", tenant: "north", key: "a" }
    const using = <A, E>(body: (service: Records["Service"]) => Effect.Effect<A, E>) =>
      Effect.runPromise(Effect.provide(Records.use(body), layerMemoryRecords({ records })))
    const bytes = Uint8Array.of(1, 2)
    const put = await using((service) => service.put({ ...id, bytes, expectVersion: null, expiresAt: null }))
    expect(await using((service) => service.get(id))).toEqual({ key: "a", version: 1, bytes, expiresAt: null })
    expect(put).toEqual({ _tag: "Put", version: 1 })
  })
})
