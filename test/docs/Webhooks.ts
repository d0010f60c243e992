/** What docs/webhooks.md shows of the sending side. */
import { layerAddressGuard, layerDeliverer, layerHttpSender, layerWebhooks } from "@sotto/webhooks"
import * as Layer from "effect/Layer"

/** Needs `JobStore`, `Records` and `Entropy`; gives `Webhooks`, and sends for as long as it lives. */
export const layerHooks = Layer.mergeAll(
  layerWebhooks,
  layerDeliverer({ concurrency: 32 }).pipe(Layer.provide(layerHttpSender({ timeoutMs: 10_000 })))
).pipe(Layer.provide(layerAddressGuard({ allow: ["10.20.0.0/16"] })))
