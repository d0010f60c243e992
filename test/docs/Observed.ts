/** The example of docs/embedding.md: spans, metrics and logs for a collector, and a page for Prometheus. */
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

/** `layer` with everything that it tells sent to `collector`, e.g. `http://127.0.0.1:4318`. */
export const observed = <A, E, R>(layer: Layer.Layer<A, E, R>, collector: string) =>
  layer.pipe(
    Layer.provideMerge(
      Otlp.layerJson({ baseUrl: collector, resource: { serviceName: "shop" } }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
    )
  )

/** What a scrape of `/metrics` answers. */
export const metricsPage = PrometheusMetrics.format()
