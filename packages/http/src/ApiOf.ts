import * as HttpApi from "effect/http-api/HttpApi"
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"

/** The API as far as one group is concerned: what its handlers are made for. Fields that it does not know are refused. */
export const apiOf = <const Group extends HttpApiGroup.Constraint>(group: Group) =>
  HttpApi.make("sotto")
    .add(group)
    .annotate(HttpApi.PayloadParseOptions, { errors: "all", onExcessProperty: "error" })
    .annotate(HttpApi.QueryParseOptions, { errors: "all", onExcessProperty: "error" })
