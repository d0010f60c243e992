import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layerSqliteRecords } from "@sotto/store-sqlite"
import { checkLaw, layerLawClock, recordsLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, it } from "vitest"

const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sotto-records-"))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const subject = Layer.unwrap(
  Effect.sync(() =>
    Layer.merge(Layer.orDie(layerSqliteRecords({ file: join(folder, `records-${files++}.db`) })), layerLawClock)
  )
)

describe("records in SQLite", () => {
  it.each(recordsLaws.map((law) => [law.id, law] as const))("keep %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 25, seed: 5 })
  })
})
