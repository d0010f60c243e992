import { JobStore } from "@sotto/core/ports/JobStore"
import { emptyMemoryJobs, layerMemoryJobStore } from "@sotto/memory"
import { JobStoreLab } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const port = "JobStore"
export const make = () => {
  const jobs = emptyMemoryJobs()
  const reopen = Effect.map(Layer.build(layerMemoryJobStore({ jobs })), (context) => Context.get(context, JobStore))
  return Layer.merge(layerMemoryJobStore({ jobs }), Layer.succeed(JobStoreLab, JobStoreLab.of({ reopen })))
}
