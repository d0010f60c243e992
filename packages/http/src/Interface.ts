/**
 * An interface that a server offers only where it is configured, beside the two that every server has.
 *
 * Groups of endpoints with their handlers. What is not offered is not there: its addresses answer 404, and the document
 * does not speak of it.
 */
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import type * as Layer from "effect/Layer"
import type { layerGroups } from "./Api.ts"

type OwnServices = Layer.Services<typeof layerGroups>

/** `R`: what its handlers need beside what those of our own groups need. */
export interface Interface<out R = never> {
  readonly groups: ReadonlyArray<HttpApiGroup.Constraint>
  /** The handlers, made for `apiOf(group)`. */
  readonly layer: Layer.Layer<never, never, R | OwnServices>
}

/** Groups with the layer that handles all of them. */
export const httpInterface = <Handled, R>(
  groups: ReadonlyArray<HttpApiGroup.Constraint>,
  layer: Layer.Layer<Handled, never, R>
): Interface<Exclude<R, OwnServices>> => ({ groups, layer: layer as unknown as Layer.Layer<never> })
