/**
 * The server behind a socket of Node.
 *
 * It listens when everything is built, so that no request waits for routes that are still to come; and it stops by
 * drainage: no new connections, streams and long waits end, what is being answered is answered, for as long as the limit.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { Http } from "./Http.ts"
import { type Problem, problem, PROBLEM_TYPE } from "./Problem.ts"

export interface ListenOptions {
  /** Default `127.0.0.1`: this machine only. */
  readonly host?: string
  /** 0: any that is free. */
  readonly port: number
  /** How long answers may take after the stop has begun; default 10 000. */
  readonly drainMs?: number
  /** How long the head of a request may take, and the whole request; default 30 000 and 120 000. */
  readonly headMs?: number
  readonly requestMs?: number
  /** How long an idle connection is kept; default 30 000. */
  readonly idleMs?: number
}

/** The socket cannot be opened. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", { message: Schema.String }) {}

/** A server that listens. */
export class Listener extends Context.Service<
  Listener,
  {
    readonly host: string
    readonly port: number
    /** E.g. `http://127.0.0.1:8080`. */
    readonly url: string
    /** Connections that are open now. */
    readonly connections: Effect.Effect<number>
  }
>()("@sotto/http/Listener") {}

export const layerListener = (options: ListenOptions): Layer.Layer<Listener, ListenFailed, Http> =>
  Layer.effect(
    Listener,
    Effect.gen(function* () {
      const { host = "127.0.0.1", port, drainMs = 10_000 } = options
      const http = yield* Http
      if (http.anonymous && !isLoopback(host)) {
        return yield* new ListenFailed({
          message: `Without API keys everybody who reaches ${host} may do everything. Make a key, or listen on 127.0.0.1.`
        })
      }
      const scope = yield* Effect.scope
      // Closed last: what is still being answered then is interrupted.
      const requests = yield* Scope.fork(scope)
      const handler = yield* NodeHttpServer.makeHandler(http.answer, { scope: requests }).pipe(
        Effect.provideService(HttpMiddleware.TracerDisabledWhen, () => true)
      )
      const sockets = new Set<Socket>()
      const open = new Set<ServerResponse>()
      let stopping = false
      // Node takes a connection on which nothing was asked yet for one that is busy.
      const release = (socket: Socket) => {
        if (![...open].some(({ req }) => req.socket === socket)) socket.destroySoon()
      }
      const server = yield* Effect.acquireRelease(
        listen({ ...options, host, port }, (request, response) => {
          const { socket } = request
          open.add(response)
          if (stopping) response.shouldKeepAlive = false
          response.once("close", () => {
            open.delete(response)
            if (stopping) release(socket)
          })
          handler(request, response)
        }),
        (server) =>
          Effect.gen(function* () {
            stopping = true
            for (const response of open) if (!response.headersSent) response.shouldKeepAlive = false
            const closed = Effect.callback<void>((resume) => {
              server.close(() => resume(Effect.void))
              sockets.forEach(release)
            })
            yield* http.drain
            yield* Effect.timeoutOrElse(closed, { duration: drainMs, orElse: () => Effect.void })
            yield* Scope.close(requests, Exit.void)
            server.closeAllConnections()
          })
      )
      server.on("connection", (socket: Socket) => {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
      })
      server.on("clientError", (error, socket) => {
        const last = [...open].findLast(({ req }) => req.socket === socket)
        // What is being sent is not broken into, and what came whole before is answered first.
        if (last?.headersSent === true && !last.writableEnded) socket.destroy()
        else if (last?.req.complete === true) last.once("close", () => refuse(error, socket))
        else refuse(error, socket)
      })
      const address = server.address()
      const bound = typeof address === "object" && address !== null ? address.port : port
      return {
        host,
        port: bound,
        url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
        connections: Effect.callback<number>((resume) => {
          server.getConnections((_, count) => resume(Effect.succeed(count ?? 0)))
        })
      }
    })
  )

/** Whether only this machine reaches a host. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)

/** Why Node itself refuses what is no request of HTTP, and what is said then. */
const REFUSALS: Readonly<Record<string, readonly [status: string, problem: Problem]>> = {
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    problem("headers-too-large", "Send fewer or shorter headers.")
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", problem("request-timeout", "Send the whole request sooner.")]
}
const MALFORMED = ["400 Bad Request", problem("malformed-request", "This is no request of HTTP/1.1.")] as const
const HOSTLESS = ["400 Bad Request", problem("malformed-request", "Name one host in the header Host.")] as const
const TUNNEL = ["501 Not Implemented", problem("not-supported", "This server is no proxy.")] as const

const refuse = (error: Error & { readonly code?: string }, socket: Duplex): void => {
  if (error.code === "ECONNRESET") socket.destroy()
  else say(socket, REFUSALS[error.code ?? ""] ?? MALFORMED)
}

/** Answers without Node, and closes. */
const say = (socket: Duplex, [status, said]: readonly [status: string, problem: Problem]): void => {
  if (!socket.writable) return void socket.destroy()
  const body = JSON.stringify(said)
  const head = [
    `HTTP/1.1 ${status}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${randomBytes(16).toString("hex")}`,
    "connection: close"
  ]
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`)
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const listen = (
  { host, port, headMs = 30_000, requestMs = 120_000, idleMs = 30_000 }: ListenOptions & { readonly host: string },
  answer: Answer
): Effect.Effect<Server, ListenFailed> =>
  Effect.callback((resume) => {
    const server = createServer(
      {
        headersTimeout: headMs,
        requestTimeout: requestMs,
        keepAliveTimeout: idleMs,
        connectionsCheckingInterval: 1_000,
        // Node would refuse without a word.
        requireHostHeader: false
      },
      // RFC 9112 §3.2: one host, from HTTP/1.1 on.
      (request, response) => {
        if (request.httpVersion === "1.0" || request.headersDistinct["host"]?.length === 1) answer(request, response)
        else say(request.socket, HOSTLESS)
      }
    )
    // Node lets go of such a socket: nobody else hears its errors.
    server.on("connect", (_, socket) =>
      say(
        socket.on("error", () => {}),
        TUNNEL
      )
    )
    // An expectation that is not known may as well be ignored (RFC 9110 §10.1.1).
    server.on("checkExpectation", answer)
    server.once("error", (error) =>
      resume(
        Effect.fail(
          new ListenFailed({
            message: `Cannot listen on ${host}:${port} (${error.message}). Choose another host or port.`
          })
        )
      )
    )
    server.listen(port, host, () => resume(Effect.succeed(server)))
  })
