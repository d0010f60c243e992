/**
 * Fetches the files that inputs of automations name, from where the guard lets them come.
 *
 * As with messages, the connection goes to an address that was checked, and a redirect is a new URL. Headers of the client
 * are not carried to another origin.
 */
import { type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import type { LookupFunction } from "node:net"
import { FileFetcher, FileRefused, type FileRequest } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AddressGuard, type Target } from "./AddressGuard.ts"
import { redirected } from "./HttpSender.ts"

export interface GuardedFilesOptions {
  /** For the whole of a file, redirects included. Default 60 000. */
  readonly timeoutMs?: number
}

const REDIRECTS = 3

export const layerGuardedFiles = ({ timeoutMs = 60_000 }: GuardedFilesOptions = {}): Layer.Layer<
  FileFetcher,
  never,
  AddressGuard
> =>
  Layer.effect(
    FileFetcher,
    Effect.map(AddressGuard, (guard) => {
      const follow = Effect.fnUntraced(function* ({ url: first, headers, maxBytes }: FileRequest) {
        let url = first
        for (let left = REDIRECTS; ; left--) {
          const target = yield* guard.target(url)
          const own = target.url.origin === new URL(first).origin ? headers : {}
          const fetched = yield* Effect.scoped(get(target, own, maxBytes))
          if (fetched._tag === "Fetched") return fetched
          if (left === 0) return yield* refused(`More than ${REDIRECTS} redirects follow each other.`)
          url = yield* redirected(target.url, fetched.location)
        }
      })
      return FileFetcher.of({
        fetch: (request) =>
          follow(request).pipe(
            Effect.timeoutOrElse({
              duration: timeoutMs,
              orElse: () => refused(`The file did not come within ${timeoutMs / 1000} s.`)
            }),
            Effect.mapError(({ message }) => new FileRefused({ message }))
          )
      })
    })
  )

const refused = (message: string) => Effect.fail(new FileRefused({ message }))

type Fetched =
  | { readonly _tag: "Fetched"; readonly mime: string | null; readonly bytes: Uint8Array }
  | { readonly _tag: "Redirect"; readonly location: string }

const get = Effect.fnUntraced(function* (
  { url, addresses }: Target,
  headers: FileRequest["headers"],
  maxBytes: number
) {
  const pinned: LookupFunction = (_, { all }, callback) => {
    const [first] = addresses
    if (all === true) callback(null, [...addresses])
    else if (first === undefined) callback(Object.assign(new Error("no address"), { code: "ENOTFOUND" }), "")
    else callback(null, first.address, first.family)
  }
  const asked = yield* Effect.acquireRelease(
    Effect.try({
      try: () =>
        (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
          agent: false,
          lookup: pinned,
          headers: { ...headers, host: url.host }
        }),
      catch: () => new FileRefused({ message: "The headers of the File cannot be sent." })
    }),
    (request) => Effect.sync(() => request.destroy())
  )
  return yield* Effect.callback<Fetched, FileRefused>((resume) => {
    const fail = (message: string) => resume(refused(message))
    asked.on("error", (error: NodeJS.ErrnoException) => fail(`The file cannot be reached (${error.code ?? "broken"}).`))
    asked.on("response", (answer: IncomingMessage) => {
      const { location, "content-type": mime } = answer.headers
      const status = answer.statusCode ?? 0
      answer.on("error", () => fail("The file broke off."))
      if (status >= 300 && status < 400 && location !== undefined) {
        return resume(Effect.succeed({ _tag: "Redirect", location }))
      }
      if (status !== 200) return fail(`The file was not given: status ${status}.`)
      const chunks: Array<Buffer> = []
      let bytes = 0
      answer.on("data", (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxBytes) fail(`The file has more than ${maxBytes} bytes.`)
        else chunks.push(chunk)
      })
      answer.on("aborted", () => fail("The file broke off."))
      answer.on("end", () =>
        resume(Effect.succeed({ _tag: "Fetched", mime: mime ?? null, bytes: new Uint8Array(Buffer.concat(chunks)) }))
      )
    })
    asked.end()
  })
})
