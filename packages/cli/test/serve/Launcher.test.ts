import { SqlEngine } from "@sotto/core/ports/SqlEngine"
import { layerMemoryBlobStore } from "@sotto/memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect, it } from "vitest"
import { loadSqlEngine } from "../../src/serve/Launcher.ts"
import { readConfig, type ServerConfig } from "../../src/serve/ServerConfig.ts"

const engineOf = (document: object) =>
  loadSqlEngine({ file: undefined, folder: "/", config: readConfig(document) as ServerConfig })

const failureOf = async (launcher: object, sql: string) => {
  const engine = await engineOf({ launcher })
  if (engine === undefined) throw new Error("there is no engine")
  return Effect.runPromise(
    SqlEngine.use((one) => one.open()).pipe(
      Effect.flatMap((session) => Effect.flip(session.write(sql, { bucket: "b", key: "x" }, "csv"))),
      Effect.scoped,
      Effect.provide(engine.pipe(Layer.provide(layerMemoryBlobStore({ buckets: ["b"] }))))
    )
  )
}

it("limits an object that a run writes by launcher.outputMiB", async () => {
  expect(await failureOf({ outputMiB: 1 }, "SELECT repeat('x', 2000000)")).toMatchObject({
    because: "failed",
    message: expect.stringContaining("more than 1048576 bytes")
  })
})

it("limits what a run spills by launcher.spillMiB", async () => {
  const sorted = "SELECT md5(i::VARCHAR) AS x, md5((i + 1)::VARCHAR) AS y FROM range(2000000) t(i) ORDER BY x"
  expect(await failureOf({ memoryMiB: 64, spillMiB: 8 }, sorted)).toMatchObject({
    because: "memory",
    message: expect.stringContaining("8.0 MiB")
  })
})

it("loads no engine without a launcher", async () => {
  expect(await engineOf({})).toBeUndefined()
})
