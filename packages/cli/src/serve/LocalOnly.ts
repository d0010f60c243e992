/**
 * What keeps a server without keys to its machine: that it listens on loopback only is not enough, because a browser
 * there opens pages of strangers.
 */
import { randomBytes } from "node:crypto"
import { Authentication, Http } from "@sotto/http"
import { isLoopback } from "@sotto/http/node"
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"

/** The host of an authority or an origin, without its port. */
const hostOf = (text: string): string =>
  text
    .replace(/^https?:\/\//i, "")
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")

/** RFC 9110 §15.5.20: a page that made its own name lead here would send that name as host. */
const misdirected = HttpServerResponse.jsonUnsafe(
  {
    type: "about:blank",
    title: "Misdirected Request",
    status: 421,
    detail: "Without API keys the server answers requests of this machine only: call it as localhost or 127.0.0.1."
  },
  { status: 421, contentType: "application/problem+json" }
)

/** Without keys, refuses what was sent to another name than this machine's, or by a page of another origin. */
export const withLocalOnly =
  (origins: ReadonlyArray<string>) =>
  <E, R>(layer: Layer.Layer<Http, E, R>): Layer.Layer<Http, E, R | Authentication> =>
    Layer.effect(
      Http,
      Effect.gen(function* () {
        const http = yield* Http
        const { anonymous } = yield* Authentication
        if (!anonymous) return http
        return {
          ...http,
          answer: Effect.gen(function* () {
            const { host = "", origin } = (yield* HttpServerRequest).headers
            const local = isLoopback(hostOf(host))
            const ours = origin === undefined || origins.includes(origin) || isLoopback(hostOf(origin))
            if (local && ours) return yield* http.answer
            return HttpServerResponse.setHeader(misdirected, "x-request-id", randomBytes(16).toString("hex"))
          })
        }
      })
    ).pipe(Layer.provide(layer))
