/** What is sent and answered, for the document; answers are built in core. */
import { AUTOMATION_WORDS, CATEGORIES } from "@sotto/core/automation"
import { isName } from "@sotto/core/job"
import * as Schema from "effect/Schema"

const Text = Schema.NullOr(Schema.String)

const meta = <const O extends string>(object: O) =>
  Schema.Array(Schema.Struct({ object: Schema.Literal(object), key: Schema.String, createdAt: Schema.Int }))

const JobFault = Schema.Struct({
  object: Schema.Literal("job-error"),
  code: Schema.String,
  category: Schema.Literals(["client", "server", "website"]),
  message: Schema.String,
  details: Schema.optionalKey(Schema.Json)
})

export const Job = Schema.Struct({
  object: Schema.Literal("job"),
  id: Schema.String,
  category: Schema.Literals(CATEGORIES),
  state: Schema.Literals(AUTOMATION_WORDS),
  serviceId: Schema.String,
  serviceName: Schema.String,
  domainId: Schema.String,
  awaitingInputKey: Text,
  awaitingInputStage: Schema.String,
  lastAwaitingInputKey: Text,
  rejectedInput: Schema.NullOr(Schema.Struct({ key: Schema.String, data: Schema.Json })),
  progress: Schema.Int,
  error: Schema.NullOr(JobFault),
  activeTdsId: Text,
  inputs: meta("job-input-meta"),
  outputs: meta("job-output-meta"),
  piiRemoved: Schema.Boolean,
  sessionId: Schema.String,
  sessionCount: Schema.Int,
  successCode: Text,
  createdAt: Schema.Int,
  updatedAt: Schema.Int,
  finishedAt: Schema.NullOr(Schema.Int),
  duration: Schema.Int
}).annotate({ identifier: "automation.Job" })

const listOf = <S extends Schema.Top>(item: S, more: Schema.Struct.Fields = {}) =>
  Schema.Struct({ object: Schema.Literal("list"), data: Schema.Array(item), ...more })

export const JobList = listOf(Job, {
  totalCount: Schema.Int,
  totalSessionCount: Schema.Int,
  sort: Schema.Literals(["createdAt", "-createdAt"])
}).annotate({ identifier: "automation.JobList" })

export const EventList = listOf(
  Schema.Struct({
    object: Schema.Literal("job-event"),
    id: Schema.String,
    name: Schema.String,
    key: Schema.optionalKey(Schema.String),
    createdAt: Schema.Int
  })
).annotate({ identifier: "automation.EventList" })

export const Input = Schema.Struct({
  object: Schema.Literal("job-input"),
  jobId: Schema.String,
  key: Schema.String,
  stage: Schema.String,
  data: Schema.Json
}).annotate({ identifier: "automation.Input" })

export const InputList = listOf(Input, { totalCount: Schema.Int }).annotate({ identifier: "automation.InputList" })

const OUTPUT = {
  jobId: Schema.String,
  key: Schema.String,
  stage: Schema.String,
  data: Schema.Json,
  createdAt: Schema.Int,
  updatedAt: Schema.Int
}

export const Output = Schema.Struct({ object: Schema.Literal("job-output"), ...OUTPUT }).annotate({
  identifier: "automation.Output"
})

export const OutputList = listOf(Output, { totalCount: Schema.Int }).annotate({ identifier: "automation.OutputList" })

export const PreviousOutputList = listOf(
  Schema.Struct({
    object: Schema.Literal("previous-job-output"),
    id: Schema.String,
    variability: Schema.Finite,
    ...OUTPUT
  })
).annotate({ identifier: "automation.PreviousOutputList" })

export const EndUser = Schema.Struct({
  object: Schema.Literal("end-user"),
  id: Schema.String,
  clientId: Schema.String,
  jobId: Schema.String,
  serviceId: Schema.String,
  token: Schema.String,
  createdAt: Schema.Int,
  updatedAt: Schema.Int
}).annotate({ identifier: "automation.EndUser" })

export const Challenge = Schema.Struct({
  object: Schema.Literal("3d-secure"),
  id: Schema.String,
  url: Schema.String
}).annotate({ identifier: "automation.Challenge" })

export const ServiceList = listOf(
  Schema.Struct({
    object: Schema.Literal("service"),
    id: Schema.String,
    name: Schema.String,
    domainId: Schema.String,
    tags: Schema.Array(Schema.String),
    version: Schema.String,
    inputs: Schema.Record(Schema.String, Schema.Json)
  }),
  { totalCount: Schema.Int }
).annotate({ identifier: "automation.ServiceList" })

export const ClientView = Schema.Struct({
  object: Schema.Literal("client"),
  name: Schema.String,
  concurrentJobsLimit: Schema.Int
}).annotate({ identifier: "automation.Client" })

const optional = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

/** Of inputs and outputs. */
export const Key = Schema.String.check(
  Schema.makeFilter((text: string) => (isName(text) ? undefined : "write 1 to 200 characters, none of them control"))
)

export const NewJob = Schema.Struct({
  serviceId: Schema.String,
  category: optional(Schema.Literals(CATEGORIES)),
  input: optional(Schema.Record(Key, Schema.Json)),
  callbackUrl: optional(Schema.String.check(Schema.isMaxLength(2_000)))
}).annotate({ identifier: "automation.NewJob" })

export const NewInput = Schema.Struct({
  key: Key,
  data: Schema.Json,
  stage: optional(Schema.String)
}).annotate({ identifier: "automation.NewInput" })

export const ResetBody = Schema.Struct({
  fromInputKey: optional(Key),
  preserveInputs: optional(Schema.Array(Schema.String))
}).annotate({ identifier: "automation.Reset" })

export const PreviousQuery = Schema.Struct({
  inputs: optional(Schema.Array(Schema.Struct({ key: Schema.String, data: Schema.Json })))
}).annotate({ identifier: "automation.PreviousQuery" })

export const Empty = Schema.Struct({})

export const EXAMPLE_ID = "e863af21-eea7-433f-822a-921871f13c5d"
export const EXAMPLE_SERVICE = "bd80b73a-af55-4087-a5d4-91f6c8619948"

const AT = 1_769_904_000_000

export const EXAMPLE_JOB: typeof Job.Type = {
  object: "job",
  id: EXAMPLE_ID,
  category: "test",
  state: "awaitingInput",
  serviceId: EXAMPLE_SERVICE,
  serviceName: "School Menu",
  domainId: "Generic",
  awaitingInputKey: "ingredientToAvoid",
  awaitingInputStage: "",
  lastAwaitingInputKey: "ingredientToAvoid",
  rejectedInput: null,
  progress: 50,
  error: null,
  activeTdsId: null,
  inputs: [],
  outputs: [{ object: "job-output-meta", key: "ingredients", createdAt: AT }],
  piiRemoved: false,
  sessionId: "de041fce-03fa-4353-a925-22d7ec390789",
  sessionCount: 1,
  successCode: null,
  createdAt: AT,
  updatedAt: AT,
  finishedAt: null,
  duration: 1_500
}

export const EXAMPLE_OUTPUT: typeof Output.Type = {
  object: "job-output",
  jobId: EXAMPLE_ID,
  key: "ingredients",
  stage: "",
  data: ["almond", "bean"],
  createdAt: AT,
  updatedAt: AT
}

export const EXAMPLE_EVENT = {
  object: "job-event",
  id: "459b7c4d-cba6-4419-9cd3-cd62d648c57e",
  name: "createOutput",
  key: "ingredients",
  createdAt: AT
}

export const EXAMPLE_INPUT: typeof Input.Type = {
  object: "job-input",
  jobId: EXAMPLE_ID,
  key: "ingredientToAvoid",
  stage: "",
  data: "almond"
}

export const EXAMPLE_END_USER: typeof EndUser.Type = {
  object: "end-user",
  id: "519e8807-5f86-4077-9ec7-0acf98aeed92",
  clientId: "25dfe2a6-1be7-443b-a285-3cf4d237968c",
  jobId: EXAMPLE_ID,
  serviceId: EXAMPLE_SERVICE,
  token: "sotto_job_…",
  createdAt: AT,
  updatedAt: AT
}
