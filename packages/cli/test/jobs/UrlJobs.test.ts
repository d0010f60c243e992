import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { afterEach, expect, it, vi } from "vitest"
import { urlJobs } from "../../src/jobs/UrlJobs.ts"

const servers: Array<Server> = []
afterEach(() => {
  vi.restoreAllMocks()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A server that gives these answers, one a request, and what it was asked. */
const answering = async (answers: ReadonlyArray<Answer>) => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true)
  const asked: Array<Pick<IncomingMessage, "method" | "url" | "headers">> = []
  const server = createServer((request, response) => {
    asked.push(request)
    request.resume()
    const answer = answers[asked.length - 1] ?? (() => request.socket.destroy())
    answer(request, response)
  }).listen(0, "127.0.0.1")
  servers.push(server)
  await new Promise((resolve) => server.on("listening", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { asked, jobs: urlJobs({ url: `${url}/`, apiKey: "s3cret", patienceMs: 2_000 }) }
}

const json =
  (body: unknown, status = 200, headers = {}): Answer =>
  (_, response) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))

const broken: Answer = ({ socket }) => void socket.destroy()

const event = (number: number) =>
  `id: ${number}\nevent: e${number}\ndata: ${JSON.stringify({ number, name: `e${number}`, at: "then" })}\n\n`

/** Sends events; then the connection breaks or, at its `end`, ends. */
const streaming =
  (numbers: ReadonlyArray<number>, end = false): Answer =>
  (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(`retry: 1\n\n${numbers.map(event).join("")}`, () => (end ? response.end() : response.destroy()))
  }

const running = json({ state: "Running" })
const over = json({ state: "Succeeded" })
const noMore = json({ events: [], last: 3, complete: true })

it("goes on behind the last event that it saw, over any number of broken connections, and misses none", async () => {
  const { asked, jobs } = await answering([
    streaming([1, 2]),
    running,
    broken,
    running,
    streaming([3], true),
    over,
    noMore
  ])
  const events = await Effect.runPromise(Stream.runCollect(jobs.events("a b", { after: 0, follow: true })))
  expect(events.map(({ number }) => number)).toEqual([1, 2, 3])
  const streams = asked.filter(({ headers }) => headers.accept === "text/event-stream")
  expect(streams.map(({ headers }) => headers["last-event-id"])).toEqual(["0", "2", "2"])
  expect(new Set(streams.map(({ url }) => url))).toEqual(new Set(["/v1/jobs/a%20b/events"]))
})

it("reads as pages what was told after the last connection broke", async () => {
  const page = json({ events: [{ number: 2, name: "e2", at: "then" }], last: 2, complete: true })
  const { jobs } = await answering([streaming([1]), over, page])
  const events = await Effect.runPromise(Stream.runCollect(jobs.events("a", { after: 0, follow: true })))
  expect(events.map(({ number }) => number)).toEqual([1, 2])
})

it("ends when a job that is over has told all", async () => {
  const { jobs } = await answering([(_, response) => response.writeHead(204).end(), over, noMore])
  expect(await Effect.runPromise(Stream.runCollect(jobs.events("a", { after: 3, follow: true })))).toEqual([])
})

it("sends the key as bearer, which redirects to others do not take along", async () => {
  const { asked, jobs } = await answering([over])
  await Effect.runPromise(jobs.look("a", 0))
  expect(asked[0]?.headers.authorization).toBe("Bearer s3cret")
})

it("waits through a server that stops, is away and comes back", async () => {
  const { asked, jobs } = await answering([json({ title: "Stopping" }, 503), broken, over])
  expect(await Effect.runPromise(jobs.look("a", 60))).toMatchObject({ state: "Succeeded" })
  expect(asked.map(({ headers }) => headers["prefer"])).toEqual(["wait=30", "wait=30", "wait=30"])
})

it("asks again when the server says that it may, and not before", async () => {
  const busy = json({ title: "Too many requests" }, 429, { "retry-after": "1" })
  const { jobs } = await answering([busy, over])
  const from = performance.now()
  expect(await Effect.runPromise(jobs.look("a", 60))).toMatchObject({ state: "Succeeded" })
  expect(performance.now() - from).toBeGreaterThanOrEqual(999)
  const underway = json({ title: "Still being answered" }, 409, { "retry-after": "0" })
  const keyed = await answering([underway, json({ id: "1" }, 200, { "idempotency-replayed": "true" })])
  const submission = { kind: "k", parameters: {}, priority: 0, key: "a" }
  expect(await Effect.runPromise(keyed.jobs.submit(submission))).toMatchObject({ created: false })
  const long = await answering([json({ title: "Too many requests" }, 429, { "retry-after": "60" })])
  await expect(Effect.runPromise(long.jobs.look("a", 60))).rejects.toThrow("Too many requests")
  expect(long.asked).toHaveLength(1)
})

it("submits again only with a key, in quotes", async () => {
  const replayed = json({ id: "1" }, 200, { "idempotency-replayed": "true" })
  const keyed = await answering([broken, replayed])
  const submission = { kind: "k", parameters: {}, priority: 0 }
  const again = await Effect.runPromise(keyed.jobs.submit({ ...submission, key: 'say "a"' }))
  expect(again).toMatchObject({ job: { id: "1" }, created: false })
  expect(keyed.asked.map(({ headers }) => headers["idempotency-key"])).toEqual(Array(2).fill('"say \\"a\\""'))
  const bare = await answering([broken, replayed])
  await expect(Effect.runPromise(bare.jobs.submit(submission))).rejects.toThrow("does not answer")
  expect(bare.asked).toHaveLength(1)
})

it.each([
  [json({ title: "No such job", detail: 'There is no job "a".' }, 404), 'No such job. There is no job "a".'],
  [json({ title: "Say who you are" }, 401), "Give it with --api-key-file or in SOTTO_API_KEY"],
  [json({ title: "T", errors: [{ pointer: "/priority", message: "Expected a number" }] }, 400), "/priority: Expected"],
  [((_, response) => response.writeHead(502).end("<html>")) as Answer, "It answered 502."]
])("tells what the server said instead of an answer", async (answer, sentence) => {
  const { asked, jobs } = await answering([answer])
  await expect(Effect.runPromise(jobs.look("a", 5))).rejects.toThrow(sentence)
  expect(asked).toHaveLength(1)
})
