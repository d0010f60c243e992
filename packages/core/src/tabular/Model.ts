/**
 * A model as it is offered: its versions, what they take and give, and what they ask for it. What runs them is the engine's (spec: ondemand §7).
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Coded } from "../job/Kind.ts"
import type { Plain } from "../job/Plain.ts"
import { isName } from "../job/Submission.ts"
import { type Price, priceFaults } from "./Billing.ts"
import { parseMime } from "./MimeType.ts"
import { type JsonSchema, jsonSchemaOf, type Shape, shapeOf } from "./Shape.ts"

/** The schema of one record, with its form. */
export interface RecordSchema<T> {
  readonly schema: Schema.Codec<T, unknown>
  readonly jsonSchema: JsonSchema
  readonly shape: Shape
  decode(value: Plain): Coded<T>
  encode(value: T): Coded<Plain>
}

interface Offer extends Price {
  /** A word such as `0.0.1`. */
  readonly version: string
  /** A version that is not active takes no new jobs and finishes those it has. */
  readonly active: boolean
}

/** Works on records: rows of a CSV file, items of a JSON array, lines of NDJSON. */
export interface RecordsOffer<I, O> extends Offer {
  readonly _tag: "Records"
  readonly input: RecordSchema<I>
  readonly output: RecordSchema<O>
}

/** Works on a file as it is: an image, a text. It counts as one record. */
export interface FileOffer extends Offer {
  readonly _tag: "File"
  /** Media types; `image/*` and `*`/`*` are possible. */
  readonly accepts: ReadonlyArray<string>
}

// oxlint-disable-next-line typescript/no-explicit-any
export type VersionOffer = RecordsOffer<any, any> | FileOffer

export interface ModelOffer<V extends VersionOffer = VersionOffer> {
  readonly name: string
  /** In the order in which they were published: the last one that is active is the most recent. */
  readonly versions: ReadonlyArray<V>
}

/** What goes wrong with a record is told in one line; `errors: "all"` would tell every branch of a union. */
export const recordSchema = <T>(schema: Schema.Codec<T, unknown>): RecordSchema<T> => {
  const codec = Schema.toCodecJson(schema)
  const decode = Schema.decodeUnknownResult(codec)
  const encode = Schema.encodeUnknownResult(codec)
  const jsonSchema = jsonSchemaOf(schema as Schema.Codec<unknown, unknown>)
  return {
    schema,
    jsonSchema,
    shape: shapeOf(jsonSchema),
    decode: (value) => coded(decode(value)),
    encode: (value) => coded(encode(value)) as Coded<Plain>
  }
}

const coded = <A>(result: Result.Result<A, { readonly message: string }>): Coded<A> =>
  Result.isSuccess(result)
    ? { _tag: "Coded", value: result.success }
    : { _tag: "NotCoded", message: result.failure.message.replaceAll(/\s*\n\s*/g, " ") }

/** A model that cannot be offered; `message` lists all faults. */
export class ModelRejected extends Error {
  override readonly name = "ModelRejected"
  readonly faults: ReadonlyArray<string>
  constructor(model: string, faults: ReadonlyArray<string>) {
    super(`The model "${model}" is refused: ${faults.join("; ")}`)
    this.faults = faults
  }
}

/** Everything that is wrong with a model; sentences without full stops. */
export const modelFaults = ({ name, versions }: ModelOffer): ReadonlyArray<string> => [
  ...(isName(name) ? [] : ["its name is a text of 1 to 200 characters without control characters"]),
  ...(versions.length > 0 ? [] : ["it has no version"]),
  ...versions.flatMap((offer, i) => [
    ...(isName(offer.version) ? [] : [`version ${i + 1} has no name of 1 to 200 characters`]),
    ...(versions.findIndex(({ version }) => version === offer.version) === i
      ? []
      : [`the version ${offer.version} is there twice`]),
    ...offerFaults(offer).map((fault) => `version ${offer.version}: ${fault}`)
  ])
]

const offerFaults = (offer: VersionOffer): ReadonlyArray<string> => [
  ...priceFaults(offer),
  ...(offer._tag === "File"
    ? [
        ...(offer.accepts.length > 0 ? [] : ["it accepts no media type"]),
        ...offer.accepts
          .filter((one) => parseMime(one) === undefined)
          .map((one) => `"${one}" is no media type such as image/png or image/*`)
      ]
    : (["input", "output"] as const).flatMap((side) => {
        const { type, members } = offer[side].shape
        return type === "struct" && members.length > 0 ? [] : [`its ${side} schema is no struct with named fields`]
      }))
]

/** Why no version answers; `message` is a whole sentence. */
export interface VersionRefused {
  readonly _tag: "VersionRefused"
  readonly message: string
}

/** The version that is asked for, or the most recent active one; only active ones take new jobs. */
export const versionOf = <V extends VersionOffer>(
  { name, versions }: ModelOffer<V>,
  wanted: string | null
): V | VersionRefused => {
  const active = versions.filter((one) => one.active)
  const found = wanted === null ? active.at(-1) : active.find(({ version }) => version === wanted)
  if (found !== undefined) return found
  const known = active.map(({ version }) => version).join(", ")
  return {
    _tag: "VersionRefused",
    message:
      known === ""
        ? `The model "${name}" takes no jobs at the moment.`
        : `The model "${name}" has no active version "${wanted}". Use one of: ${known}, or none for the most recent.`
  }
}

/** A version as clients see it. */
export interface VersionView {
  readonly version: string
  readonly active: boolean
  readonly recordGroupSize: number
  /** Units of a thousandth of a US dollar for a group. */
  readonly recordGroupPrice: number
  /** JSON Schemas of a record; absent if the model works on a whole file. */
  readonly input?: JsonSchema
  readonly output?: JsonSchema
  /** Media types of the file; absent if the model works on records. */
  readonly accepts?: ReadonlyArray<string>
}

export interface ModelView {
  readonly name: string
  readonly versions: ReadonlyArray<VersionView>
}

export const modelView = ({ name, versions }: ModelOffer): ModelView => ({
  name,
  versions: versions.map((offer) => ({
    version: offer.version,
    active: offer.active,
    recordGroupSize: offer.groupSize,
    recordGroupPrice: offer.groupPrice,
    ...(offer._tag === "Records"
      ? { input: offer.input.jsonSchema, output: offer.output.jsonSchema }
      : { accepts: offer.accepts })
  }))
})
