/** Jobs in the store file of an engine. Whatever process works on the file runs them; this one does not. */
import { type JobEvent, JobKind, type Relation } from "@sotto/core/job"
import { JobStore } from "@sotto/core/ports/JobStore"
import { aggregationKind, type AnyJobKind, Engine, layerEngine } from "@sotto/engine"
import { layerSystemEntropy } from "@sotto/fs"
import { summaryOf, viewOf } from "@sotto/http"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { CommandError } from "../Failure.ts"
import { timeText } from "../Print.ts"
import type { JobsClient, ShownEvent } from "./JobsClient.ts"

/** A kind of a host, of which this process knows no more than the name: any parameters, the usual times. */
const kindOf = (name: string, relation: Relation = "leased"): AnyJobKind =>
  name === aggregationKind.name
    ? aggregationKind
    : JobKind.make({ name, relation, parameters: Schema.Json, result: Schema.Json, failure: Schema.Json })

/** An entry of the log: what it says beyond number, time and name. */
const shownEvent = (event: JobEvent): ShownEvent => {
  const { seq: number, at, _tag: name, state: _, outward: __, ...rest } = event
  return { number, at: timeText(at), name, rest, document: event }
}

/** A page of the store. */
const MOST = 1_000

export const storeJobs = (file: string, tenant: string): JobsClient<{ readonly message: string }> => {
  const layerStore = Layer.mergeAll(
    layerSqliteJobStore({ file, mustExist: true }),
    layerSqliteRecords({ file, mustExist: true }),
    layerMemoryJobQueue(),
    layerSystemEntropy
  )

  /** An engine that knows one kind. */
  const engineOf = (kind: AnyJobKind) => layerEngine({ kinds: [kind] }).pipe(Layer.provide(layerStore))

  /** An engine that knows the kind of a job that is there. */
  const engineOfJob = (id: string) =>
    Layer.unwrap(
      Effect.gen(function* () {
        const read = yield* (yield* JobStore).read(tenant, id)
        if ("row" in read) return engineOf(kindOf(read.row.kind, read.row.relation))
        return yield* Effect.fail(new CommandError(`There is no job ${id} of the tenant ${tenant} in ${file}.`))
      }).pipe(Effect.provide(layerStore))
    )

  return {
    submit: (submission) =>
      Effect.gen(function* () {
        const engine = yield* Engine
        const { job, created } = yield* engine.submit({ ...submission, tenant })
        return { job: viewOf(yield* engine.get(tenant, job.id)), created }
      }).pipe(Effect.provide(engineOf(kindOf(submission.kind)))),
    list: ({ kind, states }, limit) =>
      Effect.gen(function* () {
        const filter = { ...(kind === undefined ? {} : { kinds: [kind] }), ...(states.length === 0 ? {} : { states }) }
        const { rows, next } = yield* (yield* Engine).list(tenant, filter, null, Math.min(limit, MOST))
        return { jobs: rows.map(summaryOf), more: next !== null }
      }).pipe(Effect.provide(engineOf(aggregationKind))),
    look: (id, seconds) =>
      Effect.gen(function* () {
        const engine = yield* Engine
        if (seconds > 0) yield* Effect.timeoutOption(engine.wait(tenant, id), seconds * 1_000)
        return viewOf(yield* engine.get(tenant, id))
      }).pipe(Effect.provide(engineOfJob(id))),
    cancel: (id, reason) =>
      Effect.gen(function* () {
        const engine = yield* Engine
        yield* engine.cancel(tenant, id, "sotto", reason)
        return viewOf(yield* engine.get(tenant, id))
      }).pipe(Effect.provide(engineOfJob(id))),
    events: (id, { after, follow }) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const engine = yield* Engine
          // Without follow the log ends where it ended when it was looked at.
          const { job } = yield* engine.get(tenant, id)
          const all = engine.follow(tenant, id, after)
          return Stream.map(follow ? all : Stream.take(all, Math.max(0, job.seq - after)), shownEvent)
        })
      ).pipe(Stream.provide(engineOfJob(id)))
  }
}
