/**
 * What `sotto.json` says: where things are, who may ask, how much is done at a time. Everything has a default.
 *
 * Paths are relative to `folder`, which is relative to the file. Secrets are never in the file: it names a file or an
 * environment variable that holds them.
 */
import { readFileSync } from "node:fs"
import { basename, dirname, resolve } from "node:path"
import { parseInstant } from "@sotto/core/Instant"
import { isNetwork } from "@sotto/webhooks"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { CommandError } from "../Failure.ts"
import { faultsOf } from "./ConfigFaults.ts"

/** A string that is not empty, described for the person who wrote something else. */
const text = (expected: string) => {
  const message = `expected ${expected}`
  return Schema.String.annotate({ message }).check(Schema.isNonEmpty({ message }))
}

/** `pattern` has the flag u, without which a JSON schema does not take it. */
const matching = (pattern: RegExp, expected: string) => {
  const message = `expected ${expected}`
  return Schema.String.annotate({ message }).check(Schema.isPattern(pattern, { message }))
}

const whole = (minimum: number, maximum: number) => {
  const message = `expected a whole number from ${minimum} to ${maximum}`
  return Schema.Number.annotate({ message }).check(
    Schema.isInt({ message }),
    Schema.isBetween({ minimum, maximum }, { message })
  )
}

const flag = Schema.Boolean.annotate({ message: "expected true or false" })

const url = matching(/^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/u, "a URL such as https://jobs.example.com")

const list = <S extends Schema.Top>(item: S, what: string) =>
  Schema.Array(item).annotate({ message: `expected a list of ${what}` })

/** A field that may be left out, with what it is then. */
const field = <S extends Schema.Top>(schema: S, otherwise: S["Encoded"], description: string) =>
  (schema.annotate({ description, default: otherwise as never }) as S).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(otherwise))
  )

const optional = <S extends Schema.Top>(schema: S, description: string) =>
  Schema.optionalKey(schema.annotate({ description }))

/** Several fields, all of which have defaults. */
const group = <F extends Schema.Struct.Fields>(fields: F, description: string) =>
  Schema.Struct(fields)
    .annotate({ description, message: "expected an object" })
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed({} as never)))

const path = text("a path")

/** Of tenants and buckets, as a member of an object. */
const Name = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u))

const named = <S extends Schema.Top>(value: S, message: string) => Schema.Record(Name, value).annotate({ message })

/** Where a secret is: nothing of it stands in the configuration. */
const Secret = Schema.Struct({
  file: optional(path, "A file that holds it, and nothing else; white space at its ends does not count."),
  env: optional(text("the name of an environment variable"), "An environment variable that holds it.")
})
  .annotate({ message: 'expected { "file": "…" } or { "env": "…" }: a secret does not stand in this file' })
  .check(
    Schema.makeFilter(
      ({ file, env }) =>
        (file === undefined) !== (env === undefined) ? undefined : 'expected one of "file" and "env"',
      { toJsonSchema: () => ({ minProperties: 1, maxProperties: 1 }) }
    )
  )

export type Secret = typeof Secret.Type

const Sites = Schema.Array(text("a site such as https://example.com")).annotate({
  message: "expected a list of sites such as https://example.com"
})

const Names = list(text("the name of a bucket"), "names of buckets")

const Limits = {
  requestsPerMinute: optional(whole(1, 1_000_000), "Requests in a minute; as many as there are unless given."),
  jobs: optional(whole(1, 1_000_000), "Jobs that are not over; as many as there are unless given."),
  streams: optional(whole(1, 100_000), "Streams of events that are open at once; as many as there are unless given.")
}

const TenantConfig = Schema.Struct({
  sites: optional(
    Sites,
    "Sites or single origins whose reports it may ask about; any unless given. A job about another one is refused."
  ),
  buckets: optional(Names, "Buckets that its jobs may name; any unless given."),
  ledgerScope: field(
    text("the name of a ledger scope"),
    "default",
    "Where its questions are charged. Tenants that can see the same reports must share one."
  ),
  operator: field(flag, false, "May do what concerns the whole server, e.g. read the metrics of all tenants."),
  limits: group(Limits, "What it may take of the server.")
}).annotate({ message: "expected an object" })

export type TenantConfig = typeof TenantConfig.Type

const TIME = "expected a time such as 2027-01-31T00:00:00Z"

const ApiKeyConfig = Schema.Struct({
  tenant: text("the name of a tenant").annotate({ description: "Whose key it is." }),
  name: text("a name").annotate({ description: "What the key is called in the log." }),
  model: optional(text("the name of a model"), "The model that its on-demand jobs are for; any unless given."),
  secret: optional(Secret, "Where the key itself is, as `sotto apikeys create` prints one."),
  id: optional(
    matching(/^[0-9a-f]{16}$/u, "the 16 characters of 0-9 a-f in the middle of the key"),
    "Its middle part, beside `hash`."
  ),
  hash: optional(
    matching(/^[0-9a-f]{64}$/u, "64 characters of 0-9 a-f"),
    "The SHA-256 of the whole key, instead of `secret`."
  ),
  expires: optional(
    Schema.String.annotate({ message: TIME }).check(
      Schema.makeFilter((one: string) => (parseInstant(one) === undefined ? TIME : undefined), {
        toJsonSchema: () => ({ format: "date-time" })
      })
    ),
    "When it ends; never unless given."
  )
})
  .annotate({ message: "expected an object" })
  .check(
    Schema.makeFilter(({ id, hash, secret }) =>
      (secret === undefined) === (hash === undefined) || (id === undefined) !== (hash === undefined)
        ? 'expected either "secret" or "id" and "hash"'
        : undefined
    )
  )

export type ApiKeyConfig = typeof ApiKeyConfig.Type

const KINDS = ["aggregation", "on-demand", "automation", "sql-run"] as const

const LEVELS = ["trace", "debug", "info", "warn", "error"] as const

const oneOf = <const L extends ReadonlyArray<string>>(names: L) =>
  Schema.Literals(names).annotate({
    message: `expected ${names.length === 1 ? "" : "one of "}${names.map((name) => JSON.stringify(name)).join(", ")}`
  })

const Store = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("sqlite"),
    file: field(path, "sotto.db", "Jobs, budget ledger and records in one file; made when it does not exist.")
  })
]).annotate({ message: 'expected an object with "type": "sqlite"' })

const Queue = Schema.Union([Schema.Struct({ type: Schema.Literal("memory") })]).annotate({
  message: 'expected an object with "type": "memory"'
})

export const ServerConfig = Schema.Struct({
  $schema: optional(Schema.String, "Where the JSON schema of this file is, for editors."),
  folder: field(path, "sotto", "All other paths are relative to it, and it to this file. Made when it does not exist."),
  store: field(Store, { type: "sqlite" }, "What keeps jobs, budget and records."),
  queue: field(Queue, { type: "memory" }, "What wakes workers; workers of other processes look once a second."),
  buckets: field(
    named(path, "expected an object with the folder of each bucket"),
    { reports: "reports", domains: "domains", output: "output" },
    "Names of buckets and their folders, which are made when they do not exist."
  ),
  keys: field(path, "keys.json", "Private keys that open reports, as `sotto keys generate` makes them; made once."),
  ledgerKeys: field(
    path,
    "ledger-keys.json",
    "Keys of the budget ledger; made with the ledger. Keep copies of it apart from copies of the store."
  ),
  workers: group(
    {
      concurrency: field(whole(1, 1_000), 4, "Jobs at a time in this process."),
      lanes: optional(whole(1, 256), "Threads that open reports; one for each core unless given."),
      kinds: field(list(oneOf(KINDS), "kinds of jobs"), KINDS, "Kinds of jobs that the workers take."),
      domainOptional: field(
        flag,
        false,
        "Aggregations without an output domain are accepted and publish every key that the reports hold. Not private."
      )
    },
    "What the workers do."
  ),
  models: optional(
    Schema.Struct({
      module: path.annotate({ description: "A module whose exports are models, as `defineModel` makes them." }),
      bucket: field(
        text("the name of a bucket"),
        "models",
        "Where files wait and results are. A folder of that name unless `buckets` says another."
      ),
      maxFileBytes: field(whole(1, 1_099_511_627_776), 1_073_741_824, "The largest file of a job."),
      waitMs: field(whole(0, 120_000), 25_000, "How long a submission waits for the end of its job.")
    }).annotate({ message: "expected an object" }),
    "On-demand jobs, offered at /api/v1/jobs; none unless given."
  ),
  launcher: optional(
    Schema.Struct({
      bucket: field(
        text("the name of a bucket"),
        "collections",
        "Where collections are, in a folder for each tenant. A folder of that name unless `buckets` says another."
      ),
      memoryMiB: field(whole(64, 1_048_576), 1_024, "What one run may hold in memory; more is put on disk."),
      spillMiB: optional(whole(1, 1_073_741_824), "What one run may put on disk; four times `memoryMiB` unless given."),
      outputMiB: field(whole(1, 1_073_741_824), 16_384, "The largest object that one run may write."),
      threads: optional(whole(1, 256), "Threads of one run; one for each core unless given.")
    }).annotate({ message: "expected an object" }),
    "Runs of SQL over collections, offered at /job-launcher and /api/spark; none unless given."
  ),
  automation: optional(
    Schema.Struct({
      services: path.annotate({ description: "A module whose exports are services, as `defineService` makes them." }),
      prefix: field(
        matching(/^(\/[A-Za-z0-9._~-]+)+$/u, "a path such as /automation"),
        "/automation",
        "Where the interface lies, with the vault, the token route and the worker routes below it."
      ),
      key: optional(
        Secret,
        "The key that personal data is sealed under, 64 characters of 0-9 a-f; one in the store unless given."
      )
    }).annotate({ message: "expected an object" }),
    "Interactive automations; none unless given."
  ),
  http: group(
    {
      host: field(text("a host name or an address"), "127.0.0.1", "Where to listen; without keys only on loopback."),
      port: field(whole(0, 65_535), 8787, "Which port to listen on; 0: a free one."),
      publicUrl: optional(url, "How clients reach the server, if a proxy stands before it."),
      cors: field(
        list(text("an origin such as https://app.example.com, or *"), "origins"),
        [],
        "Origins of web pages that may call the server."
      ),
      maxBodyBytes: field(whole(1_024, 104_857_600), 1_048_576, "The largest body of a request."),
      docs: field(flag, true, "Serve the page with the documentation of the interface.")
    },
    "How the server is reached."
  ),
  tenants: field(
    named(TenantConfig, "expected an object with the names of tenants"),
    { default: { operator: true } },
    "Who has jobs, by name."
  ),
  apiKeys: field(list(ApiKeyConfig, "keys"), [], "Keys beside those that `sotto apikeys` makes."),
  webhooks: group(
    {
      allow: field(
        list(matching(/^[0-9A-Fa-f.:]+\/\d{1,3}$/u, "a network such as 10.1.0.0/16 or ::1/128"), "networks"),
        [],
        "Networks that webhooks may be sent to although they are not public, on any port."
      )
    },
    "How events are delivered."
  ),
  telemetry: group(
    {
      otlp: optional(
        Schema.Struct({
          url: url.annotate({ description: "Where the collector listens; traces, metrics and logs go below it." }),
          headers: field(Schema.Record(Schema.String, Secret), {}, "Headers to send along.")
        }).annotate({ message: "expected an object" }),
        "Sends traces, metrics and logs as OpenTelemetry asks for (OTLP over HTTP)."
      ),
      prometheus: field(flag, true, "Serve /metrics, to tenants that are operators.")
    },
    "What the server tells of itself."
  ),
  log: group(
    {
      level: field(oneOf(LEVELS), "info", "The least severe that is written."),
      format: field(oneOf(["auto", "json", "text"]), "auto", "auto: lines to read on a terminal, JSON elsewhere.")
    },
    "What the server writes to standard error."
  )
}).annotate({
  title: "sotto.json",
  description: "The configuration of `sotto serve` and `sotto worker`.",
  message: "expected an object"
})

export interface ServerConfig extends Schema.Schema.Type<typeof ServerConfig> {}

const DECODING = { errors: "all", onExcessProperty: "error" } as const

/** Reads a configuration, or tells all that is wrong with it, a line for each fault. */
export const readConfig = (document: unknown): ServerConfig | ReadonlyArray<string> => {
  const read = Schema.decodeUnknownResult(ServerConfig)(document, DECODING)
  if (Result.isFailure(read)) return faultsOf(read.failure.issue, document, configSchema())
  const faults = mismatches(read.success)
  return faults.length === 0 ? read.success : faults
}

/** What no field shows alone: keys of tenants and buckets of tenants that there are not, networks of no address. */
const mismatches = ({ apiKeys, buckets, tenants, webhooks }: ServerConfig): ReadonlyArray<string> => [
  ...apiKeys.flatMap(({ tenant }, i) =>
    Object.hasOwn(tenants, tenant) ? [] : [`apiKeys[${i}].tenant: there is no tenant ${tenant} in tenants`]
  ),
  ...Object.entries(tenants).flatMap(([name, { buckets: own = [] }]) =>
    own.flatMap((bucket, i) =>
      Object.hasOwn(buckets, bucket) ? [] : [`tenants.${name}.buckets[${i}]: there is no bucket ${bucket} in buckets`]
    )
  ),
  ...webhooks.allow.flatMap((network, i) =>
    isNetwork(network) ? [] : [`webhooks.allow[${i}]: ${network} is no network; write one as 10.1.0.0/16 or ::1/128`]
  )
]

/** The JSON schema of the file (draft 2020-12). */
export const configSchema = (): object => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(ServerConfig, { onExcessProperty: "error" })
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...schema,
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions })
  }
}

/** A configuration and the folder that its paths are relative to, absolute. */
export interface Settings {
  /** The file; `undefined`: there was none, and everything is as unless told. */
  readonly file: string | undefined
  readonly config: ServerConfig
  readonly folder: string
}

/** Read when no other file is named. */
const USUAL_FILE = "sotto.json"

/** The configuration in a file (or, without a name, in `sotto.json` of the current folder if it is there). */
export const settingsOf = (options: { readonly config?: string; readonly folder?: string }): Settings => {
  const file = resolve(options.config ?? USUAL_FILE)
  const text = textOf(file, options.config !== undefined)
  const config = readConfig(text === undefined ? {} : jsonOf(file, text))
  if (!("folder" in config)) {
    throw new CommandError(
      `${file} has ${config.length === 1 ? "a fault" : `${config.length} faults`}:\n${config.map((fault) => `  ${fault}`).join("\n")}`
    )
  }
  return {
    file: text === undefined ? undefined : file,
    config,
    folder: options.folder === undefined ? resolve(dirname(file), config.folder) : resolve(options.folder)
  }
}

const textOf = (file: string, mustExist: boolean): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === "ENOENT" && !mustExist) return undefined
    throw new CommandError(
      code === "ENOENT" ? `There is no configuration ${file}.` : `The configuration ${file} cannot be read (${code}).`
    )
  }
}

const jsonOf = (file: string, text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    // Of the parser's message only the place: it quotes the text.
    const [, line, column] = /line (\d+) column (\d+)/.exec((error as Error).message) ?? []
    throw new CommandError(
      `${basename(file)} is not JSON${line === undefined ? "" : ` (line ${line}, column ${column})`}: ${file}`
    )
  }
}

/** The text of a secret; `name` is where it belongs, for the sentence if it is not there. */
export const readSecret = (secret: Secret, folder: string, name: string): string => {
  if (secret.env !== undefined) {
    const value = process.env[secret.env]
    if (value === undefined || value === "")
      throw new CommandError(`${name}: the environment has no variable ${secret.env}.`)
    return value
  }
  const file = resolve(folder, secret.file ?? "")
  try {
    const value = readFileSync(file, "utf8").trim()
    if (value !== "") return value
  } catch (error) {
    throw new CommandError(`${name}: the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  throw new CommandError(`${name}: the file ${file} is empty.`)
}
