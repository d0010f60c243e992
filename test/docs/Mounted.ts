/** The examples of docs/http.md: the interface in a server of the host's own. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { DEFAULT_TENANT, mount } from "@sotto/http"
import Fastify, { type FastifyInstance } from "fastify"
import type { SottoEngine } from "sotto"

/** The interface over an engine, for requests that the host itself knows the senders of. */
export const mounted = (engine: SottoEngine) =>
  mount(engine, {
    tenants: [{ ...DEFAULT_TENANT, name: "north", operator: false }],
    authenticate: async ({ authorization }) =>
      authorization === "Bearer north's own" ? { tenant: "north", name: "shop", scope: { _tag: "All" } } : undefined
  })

/** What node:http calls for every request. */
export const listenerOf =
  (handler: (request: Request) => Promise<Response>) =>
  async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = "GET", headersDistinct, url = "/" } = incoming
    const gone = new AbortController()
    outgoing.once("close", () => gone.abort())
    const headers = Object.entries(headersDistinct).flatMap(([name, all = []]) =>
      all.map((value): [string, string] => [name, value])
    )
    const hasBody = method !== "GET" && method !== "HEAD"
    const body = hasBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: "half" as const } : {}
    const request = new Request(new URL(url, "http://localhost"), { method, headers, signal: gone.signal, ...body })
    const answer = await handler(request)
    outgoing.writeHead(answer.status, [...answer.headers].flat())
    if (answer.body === null) outgoing.end()
    else await pipeline(Readable.fromWeb(answer.body as never), outgoing).catch(() => undefined)
  }

/** A Fastify service with all routes of the interface. */
export const serviceOf = (handler: (request: Request) => Promise<Response>): FastifyInstance => {
  const service = Fastify()
  service.removeAllContentTypeParsers()
  service.addContentTypeParser("*", (_request, _body, done) => done(null))
  service.all("/*", async (request, reply) => {
    reply.hijack()
    await listenerOf(handler)(request.raw, reply.raw)
  })
  return service
}
