import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Webhook } from "standardwebhooks"
import { describe, expect, it } from "vitest"
import {
  type AddressPolicy,
  type HttpSenderOptions,
  layerAddressGuard,
  layerHttpSender,
  type OutgoingMessage,
  Sender
} from "../src/index.ts"
import { redirected } from "../src/HttpSender.ts"
import { printSecret, signedHeaders } from "../src/Signature.ts"

interface Heard {
  readonly request: IncomingMessage
  readonly body: string
}

/** A server on the loopback interface for as long as the scope is open, and what it heard. */
const server = (answer: (heard: Heard, response: ServerResponse) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly heard: ReadonlyArray<Heard>; readonly close: () => void }>(
      (resume) => {
        const heard: Array<Heard> = []
        const listener: RequestListener = (request, response) => {
          let body = ""
          request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
          request.on("end", () => {
            heard.push({ request, body })
            answer({ request, body }, response)
          })
        }
        const listening = createServer(listener).listen(0, "127.0.0.1", () => {
          const { port } = listening.address() as AddressInfo
          const close = () => {
            listening.closeAllConnections()
            listening.close()
          }
          resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, heard, close }))
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  )

const message = (url: string): OutgoingMessage => ({ url, headers: { "webhook-id": "msg_1" }, body: '{"a":"ü"}' })

const OPEN: AddressPolicy = { allow: ["127.0.0.1/32"] }

const send = (sent: OutgoingMessage, options: HttpSenderOptions = {}, policy: AddressPolicy = OPEN) =>
  Sender.use((sender) => sender.send(sent)).pipe(
    Effect.provide(layerHttpSender(options).pipe(Layer.provide(layerAddressGuard(policy))))
  )

const run = Effect.runPromise

describe("the HTTP sender", () => {
  it("posts headers and body as they are, so that the official library takes them", () =>
    run(
      Effect.gen(function* () {
        const { url, heard } = yield* server((_, response) => response.writeHead(204).end())
        const secret = printSecret(new Uint8Array(32).fill(1))
        const body = JSON.stringify({ type: "job.succeeded", data: { text: "üñ" } })
        const headers = { "content-type": "application/json", ...signedHeaders([secret], "msg_1", Date.now(), body) }
        expect(yield* send({ url: `${url}/hook?a=1`, headers, body })).toEqual({
          _tag: "Answered",
          status: 204,
          retryAfter: null
        })
        expect(heard).toHaveLength(1)
        const [{ request, body: told } = { request: undefined, body: "" }] = heard
        expect([request?.method, request?.url]).toEqual(["POST", "/hook?a=1"])
        expect(new Webhook(secret).verify(told, request?.headers as Record<string, string>)).toEqual(JSON.parse(body))
      }).pipe(Effect.scoped)
    ))

  it.each([200, 404, 410, 500])("tells the status %d, and Retry-After as it came", (status) =>
    run(
      Effect.gen(function* () {
        const { url } = yield* server((_, response) => response.writeHead(status, { "retry-after": "7" }).end("no"))
        expect(yield* send(message(url))).toEqual({ _tag: "Answered", status, retryAfter: "7" })
      }).pipe(Effect.scoped)
    )
  )

  it("connects to the address that was checked, whatever the name means later", () =>
    run(
      Effect.gen(function* () {
        const { url, heard } = yield* server((_, response) => response.end())
        let lookups = 0
        // The second answer would lead somewhere else.
        const resolve = async () => (lookups++ === 0 ? ["127.0.0.1"] : ["127.0.0.99"])
        const named = url.replace("127.0.0.1", "rebinding.example")
        expect(yield* send(message(named), {}, { ...OPEN, resolve })).toMatchObject({ status: 200 })
        expect(lookups).toBe(1)
        expect(heard[0]?.request.headers.host).toBe(new URL(named).host)
      }).pipe(Effect.scoped)
    ))

  it("sends nothing to a private address that nobody allowed", () =>
    run(
      Effect.gen(function* () {
        const { url, heard } = yield* server((_, response) => response.end())
        const outcome = yield* send(message(url), {}, {})
        expect(outcome).toMatchObject({ _tag: "Unanswered", problem: expect.stringContaining("no public one") })
        expect(heard).toEqual([])
      }).pipe(Effect.scoped)
    ))

  it("follows 307 and 308 with method and body, and checks where they lead", () =>
    run(
      Effect.gen(function* () {
        const last = yield* server((_, response) => response.writeHead(202).end())
        const first = yield* server(({ request }, response) => {
          const to = { "/a": "/b", "/b": `${last.url}/c`, "/metadata": "http://169.254.169.254/latest" }[
            request.url ?? ""
          ]
          response.writeHead(request.url === "/a" ? 307 : 308, { location: to ?? "https://me:pw@example.com/" }).end()
        })
        expect(yield* send(message(`${first.url}/a`))).toMatchObject({ _tag: "Answered", status: 202 })
        expect(last.heard).toMatchObject([{ body: '{"a":"ü"}', request: { method: "POST", url: "/c" } }])
        expect(yield* send(message(`${first.url}/metadata`))).toMatchObject({
          _tag: "Unanswered",
          problem: expect.stringContaining("169.254.169.254 is no public one")
        })
        const credentials = yield* send(message(`${first.url}/credentials`))
        expect(credentials).toMatchObject({ _tag: "Unanswered", problem: expect.stringContaining("password") })
        expect(JSON.stringify(credentials)).not.toContain("pw")
      }).pipe(Effect.scoped)
    ))

  it.each([
    ["https://a.example/x", "/y", "https://a.example/y"],
    ["http://a.example/x", "https://b.example/", "https://b.example/"],
    ["https://a.example/x", "http://a.example/x", "A redirect leads from https to http."],
    ["https://a.example/x", "http://[", "A redirect leads to no URL."]
  ])("is led from %s by %s to %s", async (from, location, to) => {
    const led = Effect.match(redirected(new URL(from), location), {
      onFailure: (error) => error.message,
      onSuccess: (url) => url
    })
    expect(await run(led)).toBe(to)
  })

  it("speaks TLS to https, and takes nothing that is not", () =>
    run(
      Effect.gen(function* () {
        const { url, heard } = yield* server((_, response) => response.end())
        expect(yield* send(message(url.replace("http:", "https:")))).toMatchObject({
          _tag: "Unanswered",
          problem: expect.stringContaining("cannot be reached")
        })
        expect(heard).toEqual([])
      }).pipe(Effect.scoped)
    ))

  it("follows no other redirect, which would turn the message into a GET", () =>
    run(
      Effect.gen(function* () {
        const { url, heard } = yield* server((_, response) => response.writeHead(302, { location: "/b" }).end())
        expect(yield* send(message(url))).toMatchObject({ _tag: "Answered", status: 302 })
        expect(heard).toHaveLength(1)
      }).pipe(Effect.scoped)
    ))

  it("follows three redirects and no more", () =>
    run(
      Effect.gen(function* () {
        const { url, heard } = yield* server((_, response) => response.writeHead(307, { location: "/again" }).end())
        expect(yield* send(message(url))).toEqual({
          _tag: "Unanswered",
          problem: "More than 3 redirects follow each other."
        })
        expect(heard).toHaveLength(4)
      }).pipe(Effect.scoped)
    ))

  it("waits for a slow answer no longer than told, and hangs up", () =>
    run(
      Effect.gen(function* () {
        let closed = false
        const { url } = yield* server(({ request }) => void request.socket.on("close", () => (closed = true)))
        expect(yield* send(message(url), { timeoutMs: 100 })).toEqual({
          _tag: "Unanswered",
          problem: "There was no answer within 0.1 s."
        })
        yield* Effect.promise(() => expect.poll(() => closed).toBe(true))
      }).pipe(Effect.scoped)
    ))

  it("reads no more than a little of an endless answer, and hangs up", () =>
    run(
      Effect.gen(function* () {
        let closed = false
        let written = 0
        const { url } = yield* server(({ request }, response) => {
          request.socket.on("close", () => (closed = true))
          const chunk = Buffer.alloc(65_536)
          const more = () => {
            if (closed) return
            written += chunk.length
            if (response.write(chunk)) more()
          }
          response.on("drain", more)
          more()
        })
        expect(yield* send(message(url))).toMatchObject({ _tag: "Answered", status: 200 })
        yield* Effect.promise(() => expect.poll(() => closed).toBe(true))
        // What lies in the buffers of the sockets, and not what could have been sent meanwhile.
        expect(written).toBeLessThan(64 * 1024 * 1024)
      }).pipe(Effect.scoped)
    ))

  it("says that nobody listens without telling more", () =>
    run(
      Effect.gen(function* () {
        const { url, close } = yield* server((_, response) => response.end())
        close()
        expect(yield* send(message(url))).toEqual({
          _tag: "Unanswered",
          problem: "The endpoint cannot be reached (ECONNREFUSED)."
        })
      }).pipe(Effect.scoped)
    ))

  it("takes an answer that is no HTTP for none", () =>
    run(
      Effect.gen(function* () {
        const { url } = yield* server(({ request }) => void request.socket.end("nonsense\r\n\r\n"))
        expect(yield* send(message(url))).toMatchObject({
          _tag: "Unanswered",
          problem: expect.stringContaining("HPE_INVALID")
        })
      }).pipe(Effect.scoped)
    ))
})
