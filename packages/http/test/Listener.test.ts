import { handle } from "@sotto/engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import { Agent, request as httpRequest, type IncomingMessage } from "node:http"
import { connect } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { Http } from "../src/Http.ts"
import { layerListener, type ListenOptions, Listener } from "../src/Listener.ts"
import { kindOf, serve, type ServeOptions, tenantOf, unlimited } from "./support/Rig.ts"

const open: Array<() => Promise<void>> = []

afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Logger.layer([])) as Effect.Effect<A>)

/** A server behind a socket of this machine, on the real clock. */
const listen = async (options: ServeOptions & Partial<ListenOptions> & { readonly anonymous?: boolean } = {}) => {
  const scope = Scope.makeUnsafe()
  const { listener } = await run(
    Effect.gen(function* () {
      const { http } = yield* serve(options)
      const listening = layerListener({ port: 0, ...options }).pipe(
        Layer.provide(Layer.succeed(Http, { ...http, anonymous: options.anonymous === true }))
      )
      return { listener: Context.get(yield* Layer.build(listening), Listener) }
    }).pipe(Effect.provideService(Scope.Scope, scope))
  )
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => (stopped ??= run(Scope.close(scope, Exit.void)))
  open.push(stop)
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${listener.url}${path}`, { ...init, headers: { authorization: "Bearer acme", ...init.headers } })
  const submit = async (kind: string): Promise<string> => {
    const headers = { "content-type": "application/json" }
    const answer = await ask("/v1/jobs", { method: "POST", headers, body: JSON.stringify({ kind, parameters: null }) })
    return ((await answer.json()) as { id: string }).id
  }
  return { listener, stop, ask, submit, connections: () => run(listener.connections) }
}

const NEVER = kindOf("never")
const never = handle(NEVER, () => Effect.never)

describe("Listener", () => {
  it("answers over a socket what the handler answers", async () => {
    const { ask, submit } = await listen()
    const id = await submit("notes")
    const answer = await ask(`/v1/jobs/${id}`)
    expect([answer.status, answer.headers.get("x-request-id")]).toEqual([200, expect.any(String)])
    expect(await answer.json()).toMatchObject({ id, state: "Queued" })
  })

  it("says what to do when the port is taken", async () => {
    const { listener } = await listen()
    await expect(listen({ port: listener.port })).rejects.toThrow(/Choose another host or port/)
  })

  it("lets strangers in on this machine only", async () => {
    await expect(listen({ anonymous: true, host: "0.0.0.0" })).rejects.toThrow(/Make a key, or listen on 127\.0\.0\.1/)
    const { ask } = await listen({ anonymous: true })
    expect((await ask("/healthz")).status).toBe(200)
  })

  it("answers pipelined requests in order", async () => {
    const { listener } = await listen()
    const socket = connect(listener.port, "127.0.0.1")
    socket.setEncoding("utf8")
    let text = ""
    socket.on("data", (part: string) => (text += part))
    const line = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`
    socket.write(line("/healthz") + line("/nowhere") + line("/healthz", "connection: close\r\n"))
    await once(socket, "close")
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(["200", "404", "200"])
  })

  it.each([
    ["no request at all\r\n\r\n", 400, "malformed-request"],
    ["GET /healthz HTTP/1.1\r\n\r\n", 400, "malformed-request"],
    ["GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, "malformed-request"],
    ["CONNECT example.com:443 HTTP/1.1\r\nhost: a\r\n\r\n", 501, "not-supported"],
    [`GET /healthz HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, 431, "headers-too-large"]
  ])("says what is wrong with what Node refuses: %#", async (sent, status, code) => {
    const { listener } = await listen()
    const socket = connect(listener.port, "127.0.0.1")
    socket.setEncoding("utf8")
    let text = ""
    socket.on("data", (part: string) => (text += part))
    socket.write(sent)
    await once(socket, "close")
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(text).toMatch(/\r\nx-request-id: [0-9a-f]{32}\r\n/)
    expect(JSON.parse(text.slice(text.indexOf("\r\n\r\n")))).toMatchObject({
      type: `urn:sotto:problem:${code}`,
      status
    })
  })

  it("answers what came whole before it refuses what follows, and breaks into no stream", async () => {
    const { listener, submit } = await listen()
    const id = await submit("notes")
    const say = async (sent: string, until: string, garbage: string) => {
      const socket = connect(listener.port, "127.0.0.1")
      socket.setEncoding("utf8")
      let text = ""
      socket.on("data", (part: string) => (text += part)).write(sent)
      const closed = once(socket, "close")
      await expect.poll(() => text.includes(until)).toBe(true)
      socket.write(garbage)
      await closed
      return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])
    }
    const head = `GET /v1/jobs/${id}/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer acme\r\n`
    expect(await say(`${head}\r\nno request\r\n\r\n`, "submitted", "")).toEqual(["200", "400"])
    expect(await say(`${head}accept: text/event-stream\r\n\r\n`, "submitted", "no request\r\n\r\n")).toEqual(["200"])
  })

  it("outlives who asks for a tunnel and is gone", async () => {
    const { listener, ask } = await listen()
    const socket = connect(listener.port, "127.0.0.1")
    socket.write("CONNECT example.com:443 HTTP/1.1\r\nhost: a\r\n\r\n")
    await once(socket, "data")
    socket.resetAndDestroy()
    expect((await ask("/healthz")).status).toBe(200)
  })

  it("says so when a request does not come in time", async () => {
    const { listener } = await listen({ headMs: 100, requestMs: 100 })
    const socket = connect(listener.port, "127.0.0.1")
    socket.setEncoding("utf8")
    let text = ""
    socket.on("data", (part: string) => (text += part))
    socket.write("GET /healthz HTTP/1.1\r\n")
    await once(socket, "close")
    expect(text).toMatch(/^HTTP\/1.1 408 [^]*request-timeout/)
  })

  it("cuts off a chunked body that is too large, with an answer", async () => {
    const { listener } = await listen({ bodyLimit: 1_000 })
    const request = httpRequest(`${listener.url}/v1/jobs`, {
      method: "POST",
      headers: { authorization: "Bearer acme", "content-type": "application/json", "transfer-encoding": "chunked" }
    })
    request.on("error", () => {})
    const answered = once(request, "response") as Promise<[IncomingMessage]>
    for (let i = 0; i < 20; i++) request.write("x".repeat(100))
    const [response] = await answered
    expect(response.statusCode).toBe(413)
    let text = ""
    for await (const part of response) text += String(part)
    expect(JSON.parse(text)).toMatchObject({ type: "urn:sotto:problem:payload-too-large" })
    request.destroy()
  })

  describe("that stops", () => {
    it("answers what it was asked before, and takes nothing new", async () => {
      const { listener, ask, submit, stop } = await listen({ handlers: [never] })
      const id = await submit("never")
      const waiting = ask(`/v1/jobs/${id}`, { headers: { prefer: "wait=60" } })
      // Something that is answered at once: when it is back, the other has arrived too.
      await ask("/healthz")
      const stopped = stop()
      expect((await waiting).status).toBe(200)
      await stopped
      await expect(fetch(`${listener.url}/healthz`)).rejects.toThrow()
    })

    it("ends streams of events", async () => {
      const { ask, submit, stop } = await listen({ handlers: [never] })
      const id = await submit("never")
      const stream = await ask(`/v1/jobs/${id}/events`, { headers: { accept: "text/event-stream" } })
      const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
      let text = ""
      while (!text.includes("event: submitted")) text += (await reader.read()).value ?? ""
      await stop()
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
      expect(text.endsWith("\n\n")).toBe(true)
    })

    it("does not wait for connections on which nothing was asked yet", async () => {
      const { listener, stop, connections } = await listen({ drainMs: 60_000 })
      const socket = connect(listener.port, "127.0.0.1")
      const closed = once(socket, "close")
      await expect.poll(connections).toBe(1)
      await stop()
      await closed
    })

    it("does not wait for connections that wait for their next request", async () => {
      const { listener, stop, connections } = await listen({ drainMs: 60_000 })
      const agent = new Agent({ keepAlive: true })
      const request = httpRequest(`${listener.url}/healthz`, { agent })
      request.end()
      const [response] = (await once(request, "response")) as [IncomingMessage]
      response.resume()
      await once(response, "end")
      expect(await connections()).toBe(1)
      await stop()
      agent.destroy()
    })

    it("waits no longer than its limit for a client that does not read its request to the end", async () => {
      const { listener, stop } = await listen({ drainMs: 200 })
      const socket = connect(listener.port, "127.0.0.1")
      const closed = once(socket, "close")
      socket.on("error", () => {})
      socket.write("POST /v1/jobs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer acme\r\ncontent-length: 100\r\n\r\n{")
      await once(socket, "connect").catch(() => {})
      const before = performance.now()
      await stop()
      await closed
      expect(performance.now() - before).toBeLessThan(5_000)
    })
  })

  it("stops working for a client that goes away", async () => {
    const tenants = [tenantOf("acme", { limits: { ...unlimited, streams: 1 } })]
    const { ask, submit } = await listen({ handlers: [never], tenants })
    const id = await submit("never")
    const follow = (signal?: AbortSignal) =>
      ask(`/v1/jobs/${id}/events`, { headers: { accept: "text/event-stream" }, ...(signal ? { signal } : {}) })
    const gone = new AbortController()
    const stream = await follow(gone.signal)
    await stream.body!.getReader().read()
    expect((await follow()).status).toBe(429)
    gone.abort()
    await expect
      .poll(async () => {
        const again = await follow()
        await again.body!.cancel()
        return again.status
      })
      .toBe(200)
  })
})
