/**
 * All interfaces of the server as one API.
 *
 * A group is declared and handled in a module of its own: endpoints with the annotation `Operation`, the middleware
 * `Guard`, and a layer made for `apiOf(group)`. One that speaks of errors in its own way is annotated with `ErrorForm`.
 * Adding a group is a line in `Api` and a line in `layerGroups`.
 */
import * as HttpApi from "effect/http-api/HttpApi"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Layer from "effect/Layer"
import { withDocument } from "./Document.ts"
import { Blobs, layerBlobsGroup } from "./v1/Blobs.ts"
import { Budget, layerBudgetGroup } from "./v1/Budget.ts"
import { Events, layerEventsGroup } from "./v1/Events.ts"
import { Inputs, layerInputsGroup } from "./v1/Inputs.ts"
import { Jobs, layerJobsGroup } from "./v1/Jobs.ts"
import { Kinds, layerKindsGroup } from "./v1/Kinds.ts"
import { layerOutputsGroup, Outputs } from "./v1/Outputs.ts"
import { layerResultsGroup, Results } from "./v1/Results.ts"
import { layerSystemGroup, System } from "./v1/System.ts"
import { layerWebhooksGroup, WebhookEndpoints } from "./v1/Webhooks.ts"
import { layerV1Alpha, V1Alpha } from "./v1alpha/V1Alpha.ts"

export const Api = withDocument(
  HttpApi.make("sotto")
    .add(Jobs, Inputs, Outputs, Results, Events, Kinds, Budget, Blobs, WebhookEndpoints, System, V1Alpha)
    .annotateMerge(
      OpenApi.annotations({
        title: "Sotto",
        version: "1",
        description: "Jobs over HTTP: private aggregations and whatever else the server's kinds do."
      })
    )
)

/** The handlers of every group. */
export const layerGroups = Layer.mergeAll(
  layerJobsGroup,
  layerInputsGroup,
  layerOutputsGroup,
  layerResultsGroup,
  layerEventsGroup,
  layerKindsGroup,
  layerBudgetGroup,
  layerBlobsGroup,
  layerWebhooksGroup,
  layerSystemGroup,
  layerV1Alpha
)
