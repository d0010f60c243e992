/** Where a tenant wants events sent, and which. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The longest URL, in UTF-16 units. */
export const MAX_URL = 2_000

/** The most kinds or event names that a filter lists, so that an endpoint fits into a record. */
const MAX_WANTED = 50

export const EndpointId = Schema.String.check(
  Schema.isPattern(/^ep_[0-9a-f]{32}$/, { message: "an id such as ep_0123456789abcdef0123456789abcdef" })
)

const Wanted = Schema.NullOr(
  Schema.Array(Schema.NonEmptyString.check(Schema.isMaxLength(100))).check(
    Schema.isMinLength(1),
    Schema.isMaxLength(MAX_WANTED)
  )
)

const Url = Schema.NonEmptyString.check(Schema.isMaxLength(MAX_URL))
const Description = Schema.String.check(Schema.isMaxLength(500))

/** An endpoint as its tenant sees it. Times are milliseconds since 1970. */
export const Endpoint = Schema.Struct({
  id: EndpointId,
  url: Url,
  description: Description,
  /** Names of kinds; `null`: all. */
  kinds: Wanted,
  /** Outward names such as `succeeded`; `null`: all. */
  events: Wanted,
  enabled: Schema.Boolean,
  /** `client`: it was disabled by an update; `gone`: it answered 410. */
  disabledBecause: Schema.NullOr(Schema.Literals(["client", "gone"])),
  createdAt: Schema.Int,
  updatedAt: Schema.Int,
  /** Events from this time on are sent: when it was made or last enabled. */
  enabledAt: Schema.Int,
  /** When each secret stops signing (`null`: the present one), the newest first. The secrets themselves are never told again. */
  secrets: Schema.Array(Schema.Struct({ createdAt: Schema.Int, validUntil: Schema.NullOr(Schema.Int) }))
})
export type Endpoint = typeof Endpoint.Type

/** What a client says of a new endpoint. */
export const NewEndpoint = Schema.Struct({
  url: Url,
  description: Description.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))),
  kinds: Wanted.pipe(Schema.withDecodingDefaultKey(Effect.succeed(null))),
  events: Wanted.pipe(Schema.withDecodingDefaultKey(Effect.succeed(null))),
  enabled: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true)))
})
export type NewEndpoint = typeof NewEndpoint.Type

/** What a client changes; what is absent stays. */
export const EndpointChanges = Schema.Struct({
  url: Schema.optionalKey(Url),
  description: Schema.optionalKey(Description),
  kinds: Schema.optionalKey(Wanted),
  events: Schema.optionalKey(Wanted),
  enabled: Schema.optionalKey(Schema.Boolean)
})
export type EndpointChanges = typeof EndpointChanges.Type

const DAY_MS = 86_400_000

/** A change of secrets. */
export const Rotation = Schema.Struct({
  /** How long the secret before signs as well, in milliseconds; 0: it stops at once. */
  keepMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 * DAY_MS })).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(DAY_MS))
  )
})
export type Rotation = typeof Rotation.Type

/** Whether an endpoint wants an outward event of a job of this kind that happened at `at`. */
export const wants = (
  { enabled, enabledAt, kinds, events }: Pick<Endpoint, "enabled" | "enabledAt" | "kinds" | "events">,
  event: { readonly kind: string; readonly name: string; readonly at: number }
): boolean =>
  enabled &&
  event.at >= enabledAt &&
  (kinds === null || kinds.includes(event.kind)) &&
  (events === null || events.includes(event.name))
