/** A process that runs on-demand jobs until it kills itself (`kill -9`) or is asked to stop. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { layerEngine, layerSweeper, layerWorker, onDemandHandler } from "../../src/index.ts"
import { type CrashArguments, hastyKind, layerHome, PLACE, slowModel } from "./CrashedShop.ts"

const { home, dieInBatch } = JSON.parse(process.argv[2] ?? "") as CrashArguments

const model = slowModel((n) => {
  if (n === dieInBatch) process.kill(process.pid, "SIGKILL")
})
const handler = { ...onDemandHandler({ models: [model], place: PLACE }), kind: hastyKind }

const running = Effect.runFork(
  Effect.never.pipe(
    Effect.provide(
      Layer.mergeAll(layerWorker({ handlers: [handler], pollMs: 100 }), layerSweeper({ everyMs: 100 })).pipe(
        Layer.provide(layerEngine({ kinds: [hastyKind] })),
        Layer.provide(layerHome(home))
      )
    )
  )
)
process.once("SIGTERM", () => {
  void Effect.runPromise(Fiber.interrupt(running)).then(() => process.exit(0))
})
