/**
 * The border to adapters that a host wrote with Promises: what they answer is checked, what they throw becomes a typed
 * error of the port by its `code`.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** An adapter of a host that is not what its port takes; nothing was called. */
class AdapterRejected extends Schema.TaggedError<AdapterRejected>()("AdapterRejected", {
  port: Schema.String,
  missing: Schema.Array(Schema.String),
  message: Schema.String
}) {}

/** Throws `AdapterRejected` unless `adapter` has these methods and says of each capability whether it has it. */
export const demandAdapter = <A>(
  port: string,
  adapter: A,
  methods: ReadonlyArray<keyof A & string>,
  capabilities: ReadonlyArray<string> = []
): void => {
  const given = fieldsOf(adapter)
  const can = fieldsOf(given["capabilities"])
  const missing = [
    ...methods.filter((name) => typeof given[name] !== "function").map((name) => `${name}()`),
    ...capabilities.filter((name) => typeof can[name] !== "boolean").map((name) => `capabilities.${name}`)
  ]
  if (missing.length === 0) return
  throw new AdapterRejected({ port, missing, message: `Correct the ${port}: it has no ${missing.join(", ")}.` })
}

const fieldsOf = (value: unknown): { readonly [name: string]: unknown } =>
  (typeof value === "object" && value !== null ? value : {}) as { readonly [name: string]: unknown }

/** What a host threw, as far as it can be read. */
export interface Thrown {
  /** The `code` of the error; empty without one. */
  readonly code: string
  readonly message: string
}

export const thrown = (cause: unknown): Thrown => {
  const { code, message } = fieldsOf(cause)
  return {
    code: typeof code === "string" ? code : "",
    message: typeof message === "string" && message !== "" ? message : String(cause)
  }
}

/** An answer that is not what the port promises. */
const unsound = (what: string, detail: string): Error =>
  new Error(`The adapter's answer is no ${what}; correct the adapter. ${detail}`)

/** Checks an answer and gives it on as it is, or throws. */
export const checker = <A>(what: string, schema: Schema.Codec<A, unknown>) => {
  const decode = Schema.decodeUnknownResult(schema, { errors: "all" })
  return (answer: unknown): A => {
    const decoded = decode(answer)
    if (Result.isFailure(decoded)) throw unsound(what, decoded.failure.message)
    return answer as A
  }
}

/** `undefined` is an answer too. */
export const checkOptional =
  <A>(check: (answer: unknown) => A) =>
  (answer: unknown): A | undefined =>
    answer === undefined ? undefined : check(answer)

/** Checks that an answer is a list of sound items; with `length`, of so many. */
export const checkList =
  <A>(what: string, check: (answer: unknown) => A, length?: number) =>
  (answer: unknown): ReadonlyArray<A> => {
    if (!Array.isArray(answer) || (length !== undefined && answer.length !== length))
      throw unsound(`list of ${length === undefined ? "" : `${length} × `}${what}`, "")
    return answer.map(check)
  }

/** Whole numbers, times among them. */
export const Whole = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** Bytes, of a fixed length if one is given. */
export const checkBytes =
  (what: string, length?: number) =>
  (answer: unknown): Uint8Array => {
    if (!(answer instanceof Uint8Array) || (length !== undefined && answer.length !== length))
      throw unsound(what, `It is a Uint8Array${length === undefined ? "" : ` of ${length} bytes`}.`)
    return answer
  }

/** Calls the host; an interruption aborts the signal. */
export const call = <A, E>(
  body: (signal: AbortSignal) => PromiseLike<unknown>,
  check: (answer: unknown) => A,
  refuse: (thrown: Thrown) => E
): Effect.Effect<A, E> =>
  Effect.tryPromise({
    try: async (signal) => check(await body(signal)),
    catch: (cause) => refuse(thrown(cause))
  })

export const nothing = (): void => {}
