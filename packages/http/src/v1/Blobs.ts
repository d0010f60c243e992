/**
 * Files behind links that the server signed itself, for stores that cannot make such links.
 */
import { BlobStore } from "@sotto/core/ports/BlobStore"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { apiOf } from "../ApiOf.ts"
import { problemForm } from "../ErrorForm.ts"
import { CurrentRequest } from "../front/CurrentRequest.ts"
import { Caller, Guard, Operation } from "../Operation.ts"
import { problem, problemOf, problems } from "../Problem.ts"
import { rangeOf } from "./ByteRange.ts"
import { isUnchanged } from "./ETag.ts"
import { dispositionOf, typeOf } from "./FileLink.ts"

const get = HttpApiEndpoint.get("get", "/v1/blobs/:name", {
  params: { name: Schema.String },
  query: { token: Schema.String },
  headers: {
    range: Schema.optionalKey(Schema.String),
    "if-range": Schema.optionalKey(Schema.String),
    "if-none-match": Schema.optionalKey(Schema.String)
  },
  success: [HttpApiSchema.StreamUint8Array(), HttpApiSchema.Empty(304)],
  error: problems("forbidden", "unknown-file", "precondition-failed", "range-not-satisfiable", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      // A range is answered as the whole is, with a status of its own.
      transform: (operation) => {
        const responses = operation["responses"] as Record<string, object>
        return { ...operation, responses: { ...responses, 206: { ...responses["200"], description: "A range" } } }
      },
      summary: "Get a file by a signed link",
      description:
        "The token names the file and ends with its time; the name is what it is saved under. Ranges are read."
    })
  )
  .annotate(Operation, {
    audience: "link",
    produces: [],
    headers: {
      etag: "The file as it is.",
      "accept-ranges": "`bytes`",
      "content-range": "Which bytes these are.",
      "content-disposition": "The name to save it under."
    },
    example: { parameters: { name: "summary-1-of-1.avro", token: "made-by-the-server" } }
  })

export const Blobs = HttpApiGroup.make("blobs")
  .add(get)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Files", description: "Files behind signed links." }))

export const layerBlobsGroup = HttpApiBuilder.group(
  apiOf(Blobs),
  "blobs",
  Effect.fnUntraced(function* (handlers) {
    const blobs = yield* BlobStore
    return handlers.handleAll({
      get: Effect.fnUntraced(function* ({ params, headers }) {
        const { scope } = (yield* Caller).principal
        if (scope._tag !== "Blob") return yield* Effect.fail(problem("forbidden", "Follow a link to a file."))
        const info = yield* Effect.mapError(blobs.stat(scope.ref), problemOf)
        const etag = `"${info.etag.replaceAll(/[^\x21\x23-\x7e]/g, "_")}"`
        const common = { etag, "accept-ranges": "bytes", "cache-control": "private, no-cache" }
        if (isUnchanged(headers["if-none-match"], etag)) {
          return HttpServerResponse.empty({ status: 304, headers: common })
        }
        // RFC 9110 §13.1.5: of a file that changed since, the whole.
        const sameFile = headers["if-range"] === undefined || headers["if-range"] === etag
        const range = sameFile ? rangeOf(headers.range, info.size) : undefined
        if (range === "Unsatisfiable") {
          const { asked } = yield* CurrentRequest
          const said = problem("range-not-satisfiable", `The file has ${info.size} bytes.`)
          return HttpServerResponse.setHeader(problemForm.render(said, asked), "content-range", `bytes */${info.size}`)
        }
        const { offset, length } = range ?? { offset: 0, length: info.size }
        return HttpServerResponse.stream(Stream.orDie(blobs.read(scope.ref, { offset, length, ifMatch: info.etag })), {
          status: range === undefined ? 200 : 206,
          contentType: typeOf(params.name),
          contentLength: length,
          headers: {
            ...common,
            "content-disposition": dispositionOf(params.name),
            ...(range === undefined ? {} : { "content-range": `bytes ${offset}-${offset + length - 1}/${info.size}` })
          }
        })
      })
    })
  })
)
