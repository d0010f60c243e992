/**
 * The interfaces that every server offers, as one API.
 *
 * A group is declared and handled in a module of its own: endpoints with the annotation `Operation`, the middleware
 * `Guard`, and a layer made for `apiOf(group)`. One that speaks of errors in its own way is annotated with `ErrorForm`.
 * Adding a group is a line in `own` and a line in `layerGroups`; what only some servers offer is an `Interface`.
 */
import * as HttpApi from "effect/http-api/HttpApi"
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Layer from "effect/Layer"
import { withDocument } from "./Document.ts"
import { Blobs, layerBlobsGroup } from "./v1/Blobs.ts"
import { Budget, layerBudgetGroup } from "./v1/Budget.ts"
import { Events, layerEventsGroup } from "./v1/Events.ts"
import { Inputs, layerInputsGroup } from "./v1/Inputs.ts"
import { Jobs } from "./v1/JobEndpoints.ts"
import { layerJobsGroup } from "./v1/Jobs.ts"
import { JobTokens, layerJobTokensGroup } from "./v1/JobTokens.ts"
import { Kinds, layerKindsGroup } from "./v1/Kinds.ts"
import { layerOutputsGroup, Outputs } from "./v1/Outputs.ts"
import { layerResultsGroup, Results } from "./v1/Results.ts"
import { layerSystemGroup, System } from "./v1/System.ts"
import { layerWebhooksGroup, WebhookEndpoints } from "./v1/Webhooks.ts"
import { layerV1Alpha, V1Alpha } from "./v1alpha/V1Alpha.ts"

const own = HttpApi.make("sotto")
  .add(Jobs, Inputs, Outputs, Results, Events, JobTokens, Kinds, Budget, Blobs, WebhookEndpoints, System, V1Alpha)
  .annotateMerge(
    OpenApi.annotations({
      title: "Sotto",
      version: "1",
      description: "Jobs over HTTP: private aggregations and whatever else the server's kinds do."
    })
  )

/** The API with further groups. Its type knows only our own, so what handles the others is not looked for by it. */
export const apiWith = (groups: ReadonlyArray<HttpApiGroup.Constraint>): typeof own =>
  withDocument(groups.reduce((api, group) => api.add(group as never) as unknown as typeof own, own))

export const Api = apiWith([])

/** The handlers of our own groups. */
export const layerGroups = Layer.mergeAll(
  layerJobsGroup,
  layerInputsGroup,
  layerOutputsGroup,
  layerResultsGroup,
  layerEventsGroup,
  layerJobTokensGroup,
  layerKindsGroup,
  layerBudgetGroup,
  layerBlobsGroup,
  layerWebhooksGroup,
  layerSystemGroup,
  layerV1Alpha
)
