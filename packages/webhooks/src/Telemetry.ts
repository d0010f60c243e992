/** What webhooks tell of themselves through Effect's metrics. No attribute carries a tenant, a URL or an id. */
import * as Metric from "effect/Metric"

const tries = Metric.counter("sotto_webhook_tries_total", {
  description: "Tries to deliver a webhook message, by outcome (delivered, retried, failed).",
  incremental: true
})

/** Every metric of webhooks. */
export const WEBHOOK_METRICS = { tries }

export const countTry = (outcome: "delivered" | "retried" | "failed") =>
  Metric.update(Metric.withAttributes(tries, { outcome }), 1)
