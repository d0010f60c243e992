/**
 * A line of the log for every request, without its query, headers and body, which may hold secrets; and without its
 * address when somebody wrote a key or a token there.
 */
import { holdsSecret, Http } from "@sotto/http"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/** Asked for so often, and by machines, that nobody wants to read it. */
const QUIET = /\/(healthz|readyz|metrics)$/

/** The status of a request whose sender went away before it was answered, as proxies write it. */
const GONE = 499

/** Logs each request when the head of its answer is known. */
export const withAccessLog = <E, R>(layer: Layer.Layer<Http, E, R>): Layer.Layer<Http, E, R> =>
  Layer.effect(
    Http,
    Effect.map(Http, (http) => ({
      ...http,
      answer: Effect.gen(function* () {
        const { method, url, remoteAddress } = yield* HttpServerRequest
        const from = yield* Clock.currentTimeMillis
        const path = holdsSecret(url) ? "(an address that holds a secret)" : (url.split("?", 1)[0] ?? url)
        return yield* http.answer.pipe(
          Effect.onExit((exit) =>
            Effect.gen(function* () {
              const ms = (yield* Clock.currentTimeMillis) - from
              const status = Exit.isSuccess(exit) ? exit.value.status : GONE
              const requestId = Exit.isSuccess(exit) ? exit.value.headers["x-request-id"] : undefined
              const log = QUIET.test(path) ? Effect.logDebug : Effect.logInfo
              yield* log(`${method} ${path} ${status}`).pipe(
                Effect.annotateLogs({
                  method,
                  path,
                  status,
                  ms,
                  ...(requestId === undefined ? {} : { requestId }),
                  ...Option.match(remoteAddress, { onNone: () => ({}), onSome: (client) => ({ client }) })
                })
              )
            })
          )
        )
      })
    }))
  ).pipe(Layer.provide(layer))
