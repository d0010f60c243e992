import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Records } from "@sotto/core/ports/Records"
import { layerSqliteRecords } from "@sotto/store-sqlite"
import { checkLaw, layerLawClock, recordsLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, expect, it } from "vitest"

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

  it("are in files that only their owner reads", async () => {
    const name = "private.db"
    const modes = Effect.gen(function* () {
      yield* (yield* Records).put({
        collection: "server-keys",
        tenant: "server",
        key: "1",
        bytes: new Uint8Array(32),
        expectVersion: null,
        expiresAt: null
      })
      return readdirSync(folder)
        .filter((one) => one.startsWith(name))
        .map((one) => [one, (statSync(join(folder, one)).mode & 0o777).toString(8)])
    })
    expect(await Effect.runPromise(Effect.provide(modes, layerSqliteRecords({ file: join(folder, name) })))).toEqual([
      [name, "600"],
      [`${name}-shm`, "600"],
      [`${name}-wal`, "600"]
    ])
  })
})
