/** A process that drives runs until it kills itself (`kill -9`) or is asked to stop. */
import { launcherKind } from "@sotto/core/launcher"
import { SqlEngine, type SqlSession } from "@sotto/core/ports/SqlEngine"
import { layerEngine, layerSweeper, layerWorker, sqlRunHandler } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { type CrashArguments, hastyKind, layerHome } from "./CrashHouse.ts"

const { home, death } = JSON.parse(process.argv[2] ?? "") as CrashArguments

const dieAt = (point: CrashArguments["death"]) =>
  Effect.suspend(() => {
    if (point !== death) return Effect.void
    process.kill(process.pid, "SIGKILL")
    return Effect.never
  })

const layerDeadly = Layer.effect(
  SqlEngine,
  Effect.map(SqlEngine, (real) =>
    SqlEngine.of({
      ...real,
      open: (options) =>
        Effect.map(real.open(options), (session): SqlSession => ({
          ...session,
          columns: (name) => Effect.andThen(dieAt("computing"), session.columns(name)),
          write: (...args) =>
            dieAt("writing").pipe(
              Effect.andThen(session.write(...args)),
              Effect.tap(() => dieAt("written"))
            )
        }))
    })
  )
)

const handler = {
  ...sqlRunHandler({ placeOf: () => ({ bucket: "collections" }), hostname: "driver-1" }),
  kind: hastyKind
}

const running = Effect.runFork(
  Effect.never.pipe(
    Effect.provide(
      Layer.mergeAll(layerWorker({ handlers: [handler], pollMs: 100 }), layerSweeper({ everyMs: 100 })).pipe(
        Layer.provide(layerEngine({ kinds: [hastyKind, launcherKind] })),
        Layer.provide(Layer.provideMerge(layerDeadly, layerHome(home)))
      )
    )
  )
)
process.once("SIGTERM", () => {
  void Effect.runPromise(Fiber.interrupt(running)).then(() => process.exit(0))
})
