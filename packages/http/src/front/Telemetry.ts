/** What the server tells of itself. No attribute carries a path, a tenant or an id. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

const requests = Metric.counter("sotto_http_requests_total", {
  description: "Requests that were answered, by route, method and status.",
  incremental: true
})
const seconds = Metric.histogram("sotto_http_request_seconds", {
  description: "From the head of a request to the head of its answer, by route and method.",
  boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60]
})

/** Every metric of the server. */
export const HTTP_METRICS = { requests, seconds }

/** Methods are the client's choice; those that no route has are counted together. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

export const countRequest = (answered: {
  readonly route: string
  readonly method: string
  readonly status: number
  readonly millis: number
}) => {
  const { route, status, millis } = answered
  const method = METHODS.has(answered.method) ? answered.method : "other"
  return Effect.andThen(
    Metric.update(Metric.withAttributes(requests, { route, method, status: String(status) }), 1),
    Metric.update(Metric.withAttributes(seconds, { route, method }), millis / 1000)
  )
}
