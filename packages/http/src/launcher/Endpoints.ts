/**
 * The addresses of the launcher, as its clients and drivers know them, and what the original lacks (spec: launcher §5).
 *
 * Bodies are read by hand, because they are shown again as they were sent: the schemas are for the document.
 */
import { REPORTS, type ReportedState } from "@sotto/core/job"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { ErrorForm } from "../ErrorForm.ts"
import { Guard, Operation } from "../Operation.ts"
import { plainForm } from "./PlainForm.ts"

const State = Schema.Literals(Object.keys(REPORTS) as ReadonlyArray<ReportedState>)

const AnyObject = Schema.Record(Schema.String, Schema.Json)

const TIMES = {
  startTime: Schema.optionalKey(Schema.String),
  endTime: Schema.optionalKey(Schema.String),
  /** Milliseconds. */
  duration: Schema.optionalKey(Schema.Int)
}

const STATUS = { state: State, jobId: Schema.String, jobConfig: AnyObject, hostname: Schema.String, result: AnyObject }

const Status = Schema.Struct({ ...STATUS, ...TIMES }).annotate({ identifier: "LauncherStatus" })

/** The token is told this once. */
const Launched = Schema.Struct({ ...STATUS, ...TIMES, reportToken: Schema.String }).annotate({
  identifier: "LauncherLaunched"
})

const Report = Schema.Struct({
  state: State,
  jobId: Schema.String,
  jobConfig: Schema.optionalKey(AnyObject),
  hostname: Schema.optionalKey(Schema.String),
  result: Schema.optionalKey(AnyObject),
  ...TIMES
}).annotate({ identifier: "LauncherReport" })

const JobConfig = AnyObject.annotate({ identifier: "LauncherConfiguration" })

const Watermark = Schema.Struct({ referenceTime: Schema.NullOr(Schema.String) }).annotate({
  identifier: "LauncherWatermark"
})

const TRIGGERS = Schema.Array(
  Schema.Union([
    Schema.Struct({
      type: Schema.Literal("cron"),
      expression: Schema.String,
      timeZone: Schema.optionalKey(Schema.String)
    }),
    Schema.Struct({
      type: Schema.Literal("interval"),
      interval: Schema.Int,
      timeUnit: Schema.Literals(["second", "minute", "hour", "day", "week"])
    })
  ])
)

const Timetable = Schema.Struct({ enabled: Schema.optionalKey(Schema.Boolean), triggers: TRIGGERS }).annotate({
  identifier: "LauncherTriggers"
})

const TimetableView = Schema.Struct({
  resource: Schema.String,
  enabled: Schema.Boolean,
  triggers: TRIGGERS,
  lastTime: Schema.NullOr(Schema.String),
  nextTime: Schema.NullOr(Schema.String)
}).annotate({ identifier: "LauncherSchedule" })

const Action = Schema.Struct({ action: Schema.Literals(["start", "stop"]) }).annotate({ identifier: "LauncherAction" })

const ActionView = Schema.Struct({
  resource: Schema.String,
  action: Schema.String,
  accepted: Schema.Boolean,
  jobIds: Schema.Array(Schema.String)
}).annotate({ identifier: "LauncherActionTaken" })

const Fault = Schema.Struct({
  message: Schema.String,
  code: Schema.String,
  details: Schema.optionalKey(Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String })))
})

const FAULTS = {
  400: "The request is not valid; details names what is wrong",
  401: "Say who you are",
  403: "You may not do this",
  429: "Too many requests, or jobs that are not over",
  500: "Something went wrong here",
  503: "This cannot be answered now"
}
const NO_RUN = { 404: "There is no such run" }
const NO_CONFIGURATION = { 404: "There is no such configuration" }
const BODY = { 413: "The body is too large" }

const faults = (more: Readonly<Record<number, string>> = {}) =>
  Object.entries({ ...FAULTS, ...more }).map(([status, description]) =>
    Fault.annotate({ httpApiStatus: Number(status), description })
  )

/** What is refused where a run is: its status, with a sentence. */
const Conflict = Schema.Struct({ ...STATUS, ...TIMES, message: Schema.String, code: Schema.String }).annotate({
  httpApiStatus: 409,
  description: "The run is where this cannot be; the body says where",
  identifier: "LauncherConflict"
})

const CONFIGURATION = {
  type: "aggregation",
  id: "shop_click_aggregation",
  inputCollection: "shop_signals",
  outputCollection: "shop_signals_aggr",
  sql: "SELECT concat_ws('|', query, doc_id) AS id, query, doc_id, SUM(count_i) AS aggr_count_i FROM shop_signals GROUP BY query, doc_id"
}

const RUN = {
  state: "starting",
  jobId: "hhzitrwancwv",
  jobConfig: CONFIGURATION,
  hostname: "launcher",
  result: { jobConfigId: CONFIGURATION.id, jobRunId: "hhzitrwancwv" }
} as const

const FINISHED = {
  ...RUN,
  state: "finished",
  hostname: "driver-1",
  result: { ...RUN.result, aggrClass: "SQL", state: "finished", aggregated: 120 },
  startTime: "2025-10-16T19:49:15.106Z",
  endTime: "2025-10-16T19:49:42.276Z",
  duration: 27_170
} as const

const TOKEN = "sotto_job_made-by-the-server"

const RESOURCE = `spark:${CONFIGURATION.id}`

const SCHEDULE: typeof Timetable.Type = {
  enabled: true,
  triggers: [
    { type: "cron", expression: "0 4 * * *", timeZone: "Europe/Berlin" },
    { type: "interval", interval: 15, timeUnit: "minute" }
  ]
}

const ofRun = { job: Schema.String }
const ofConfiguration = { configuration: Schema.String }
const ofResource = { resource: Schema.String }

const runs = {
  states: { state: Schema.optionalKey(Schema.Array(State)) },
  limit: { limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))) }
}

const report = HttpApiEndpoint.post("report", "/job-launcher/launcher/status", {
  payload: Report,
  success: Status,
  error: [...faults({ ...NO_RUN, ...BODY }), Conflict]
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Report a run",
      description:
        "For drivers, with a key of the tenant or the token of the run. The first report of an unknown run makes it. The same " +
        "report again changes nothing; what cannot be is answered 409 with the status that the run has."
    })
  )
  .annotate(Operation, {
    audience: "either",
    produces: [],
    example: {
      body: { state: "running", jobId: RUN.jobId, hostname: "driver-1" },
      answer: { ...RUN, state: "running" }
    }
  })

const list = HttpApiEndpoint.get("list", "/job-launcher/launcher/status", {
  query: { ...runs.states, ...runs.limit, configuration: Schema.optionalKey(Schema.String) },
  success: Schema.Array(Status),
  error: faults()
})
  .annotateMerge(
    OpenApi.annotations({ summary: "List runs", description: "The newest first, 100 unless `limit` is given." })
  )
  .annotate(Operation, { audience: "tenant", produces: [], example: { answer: [FINISHED] } })

const status = HttpApiEndpoint.get("status", "/job-launcher/launcher/status/:job", {
  params: ofRun,
  success: Status,
  error: faults(NO_RUN)
})
  .annotateMerge(OpenApi.annotations({ summary: "Look at a run" }))
  .annotate(Operation, { audience: "job", produces: [], example: { parameters: { job: RUN.jobId }, answer: FINISHED } })

const TOKEN_HEADER = { "x-report-token": "What the driver shows when it reports; also in the body as reportToken." }

const launch = HttpApiEndpoint.post("launch", "/job-launcher/launcher", {
  query: { driver: Schema.optionalKey(Schema.Literals(["engine", "outside"])) },
  payload: JobConfig,
  success: Launched,
  error: faults(BODY)
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Launch a run",
      description:
        "An aggregation is run here, everything else by a driver outside, which `driver` asks for too. Only this answer holds " +
        "the token of the run."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    produces: [],
    headers: TOKEN_HEADER,
    example: { body: CONFIGURATION, answer: { ...RUN, reportToken: TOKEN } }
  })

const cancel = HttpApiEndpoint.delete("cancel", "/job-launcher/launcher/:job", {
  params: ofRun,
  success: Status,
  error: [...faults(NO_RUN), Conflict]
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Cancel a run",
      description: "Its driver is asked to stop; one that waits is over at once."
    })
  )
  .annotate(Operation, {
    audience: "job",
    produces: [],
    example: { parameters: { job: RUN.jobId }, answer: { ...RUN, state: "cancelling" } }
  })

const start = HttpApiEndpoint.post("start", "/api/spark/jobs/:configuration", {
  params: ofConfiguration,
  query: { sync: Schema.optionalKey(Schema.Literals(["true", "false"])) },
  success: Launched,
  error: faults(NO_CONFIGURATION)
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Launch a stored configuration",
      description: "With `sync=true` it answers when the run has ended, or after a minute."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    produces: [],
    headers: TOKEN_HEADER,
    example: { parameters: { configuration: CONFIGURATION.id }, answer: { ...RUN, reportToken: TOKEN } }
  })

const configurations = HttpApiEndpoint.get("configurations", "/api/spark/configurations", {
  success: Schema.Array(JobConfig),
  error: faults()
})
  .annotateMerge(OpenApi.annotations({ summary: "List stored configurations" }))
  .annotate(Operation, { audience: "tenant", produces: [], example: { answer: [CONFIGURATION] } })

const store = HttpApiEndpoint.post("store", "/api/spark/configurations", {
  payload: JobConfig,
  success: JobConfig,
  error: faults(BODY)
})
  .annotateMerge(
    OpenApi.annotations({ summary: "Store a configuration", description: "One with the same id is replaced." })
  )
  .annotate(Operation, { audience: "tenant", produces: [], example: { body: CONFIGURATION, answer: CONFIGURATION } })

const configuration = HttpApiEndpoint.get("configuration", "/api/spark/configurations/:configuration", {
  params: ofConfiguration,
  success: JobConfig,
  error: faults(NO_CONFIGURATION)
})
  .annotateMerge(OpenApi.annotations({ summary: "Look at a stored configuration" }))
  .annotate(Operation, {
    audience: "tenant",
    produces: [],
    example: { parameters: { configuration: CONFIGURATION.id }, answer: CONFIGURATION }
  })

const forget = HttpApiEndpoint.delete("forget", "/api/spark/configurations/:configuration", {
  params: ofConfiguration,
  success: HttpApiSchema.NoContent,
  error: faults(NO_CONFIGURATION)
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Remove a stored configuration",
      description: "Its schedule goes too; its runs and its watermark stay."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    produces: [],
    example: { parameters: { configuration: CONFIGURATION.id } }
  })

const WATERMARK = "/api/spark/configurations/:configuration/watermark"

const ofWatermark = {
  parameters: { configuration: CONFIGURATION.id },
  answer: { referenceTime: "2025-10-17T18:56:14.660Z" }
}

const watermark = HttpApiEndpoint.get("watermark", WATERMARK, {
  params: ofConfiguration,
  success: Watermark,
  error: faults()
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Look at a watermark",
      description: "Up to when the signals of a configuration were read; null before its first run."
    })
  )
  .annotate(Operation, { audience: "tenant", produces: [], example: ofWatermark })

const setWatermark = HttpApiEndpoint.put("setWatermark", WATERMARK, {
  params: ofConfiguration,
  payload: Watermark,
  success: Watermark,
  error: faults(BODY)
})
  .annotateMerge(OpenApi.annotations({ summary: "Set a watermark", description: "null forgets it." }))
  .annotate(Operation, { audience: "tenant", produces: [], example: { ...ofWatermark, body: ofWatermark.answer } })

const history = HttpApiEndpoint.get("history", "/api/jobs/:resource/history", {
  params: ofResource,
  query: runs.limit,
  success: Schema.Array(Status),
  error: faults(NO_CONFIGURATION)
})
  .annotateMerge(OpenApi.annotations({ summary: "List the runs of a configuration", description: "The newest first." }))
  .annotate(Operation, {
    audience: "tenant",
    produces: [],
    example: { parameters: { resource: RESOURCE }, answer: [FINISHED] }
  })

const ofSchedule = {
  parameters: { resource: RESOURCE },
  answer: {
    resource: RESOURCE,
    ...SCHEDULE,
    lastTime: "2025-10-17T02:00:00.000Z",
    nextTime: "2025-10-18T02:00:00.000Z"
  }
}

const schedule = HttpApiEndpoint.get("schedule", "/api/jobs/:resource/schedule", {
  params: ofResource,
  success: TimetableView,
  error: faults(NO_CONFIGURATION)
})
  .annotateMerge(OpenApi.annotations({ summary: "Look at a schedule" }))
  .annotate(Operation, { audience: "tenant", produces: [], example: ofSchedule })

const setSchedule = HttpApiEndpoint.put("setSchedule", "/api/jobs/:resource/schedule", {
  params: ofResource,
  payload: Timetable,
  success: TimetableView,
  error: faults({ ...NO_CONFIGURATION, ...BODY })
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Set a schedule",
      description: "Intervals count from now. Times that were missed come to one launch."
    })
  )
  .annotate(Operation, { audience: "tenant", produces: [], example: { ...ofSchedule, body: SCHEDULE } })

const act = HttpApiEndpoint.post("act", "/api/jobs/:resource/actions", {
  params: ofResource,
  payload: Action,
  success: ActionView,
  error: faults({ ...NO_CONFIGURATION, ...BODY })
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Start a configuration, or stop its runs",
      description: "`accepted` is false if there was nothing to stop."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    produces: [],
    example: {
      parameters: { resource: RESOURCE },
      body: { action: "start" },
      answer: { resource: RESOURCE, action: "start", accepted: true, jobIds: [RUN.jobId] }
    }
  })

export const LauncherRuns = HttpApiGroup.make("launcher")
  .add(report, list, status, launch, cancel, start, configurations, store, configuration, forget)
  .add(watermark, setWatermark, history, schedule, setSchedule, act)
  .middleware(Guard)
  .annotate(ErrorForm, plainForm)
  .annotateMerge(
    OpenApi.annotations({
      title: "Launcher",
      description: "Runs that a driver reports, and the configurations and schedules that launch them."
    })
  )
