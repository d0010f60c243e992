/**
 * Cross-origin requests of browsers (Fetch standard, CORS protocol), by configuration.
 */
export interface CorsOptions {
  /** Origins such as `https://app.example.com`, spelled as browsers send them; `"*"`: any, then without credentials. */
  readonly origins: ReadonlyArray<string> | "*"
  /** How long a browser may keep the answer to a preflight; default 600. */
  readonly maxAgeSeconds?: number
}

/** What scripts may read beside the few headers that they always may. */
const EXPOSED = [
  "etag",
  "idempotency-replayed",
  "link",
  "location",
  "preference-applied",
  "retry-after",
  "x-request-id"
].join(", ")

const ALLOWED = [
  "accept",
  "authorization",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "last-event-id",
  "prefer",
  "range",
  "x-api-key",
  "x-request-id"
].join(", ")

type Asked = Readonly<Record<string, string | undefined>>

/** The headers that let a page of `origin` read the answer; none if it may not. */
export const corsHeaders = (options: CorsOptions | undefined, request: Asked): Readonly<Record<string, string>> => {
  if (options === undefined) return {}
  const { origins } = options
  if (origins === "*") return { "access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED }
  const origin = request["origin"]
  return origin !== undefined && origins.includes(origin)
    ? { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED, vary: "origin" }
    : { vary: "origin" }
}

/** What a preflight is answered beside `corsHeaders`; nothing for other requests and other origins. */
export const preflightHeaders = (
  options: CorsOptions | undefined,
  request: Asked,
  methods: ReadonlyArray<string>
): Readonly<Record<string, string>> => {
  const allowed = corsHeaders(options, request)["access-control-allow-origin"] !== undefined
  if (!allowed || request["access-control-request-method"] === undefined) return {}
  return {
    "access-control-allow-methods": methods.join(", "),
    "access-control-allow-headers": ALLOWED,
    "access-control-max-age": String(options?.maxAgeSeconds ?? 600)
  }
}
