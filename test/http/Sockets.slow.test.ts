/**
 * A server behind a socket meets clients that are slow, broken, many, or gone: each gets an answer that says what is
 * wrong, all others are answered meanwhile, and afterwards it holds what it held before.
 */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http"
import { once } from "node:events"
import { setTimeout } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { expectSame, type House, open } from "./House.ts"
import { FEW, FILE, FILE_BYTES, type Held } from "./Server.ts"
import { answersIn, request, type Wire, wire } from "./Wire.ts"

let house: House
let before: Held
const wires: Array<Wire> = []

const connected = async (): Promise<Wire> => {
  const one = await wire(house.port)
  wires.push(one)
  return one
}
const many = <A>(count: number, make: (n: number) => Promise<A>): Promise<ReadonlyArray<A>> =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)))

/** What is sent on a connection of its own is answered by this alone. */
const answered = async (sent: string) => {
  const one = (await connected()).send(sent)
  const [answer] = await one.answers(1)
  return answer!
}
const typeOf = (body: string): unknown => JSON.parse(body).type

/** Asks again and again while `work` goes on; the slowest answer in milliseconds. */
const slowestDuring = async (work: Promise<unknown>): Promise<number> => {
  let slowest = 0
  let going = true
  const over = work.finally(() => (going = false))
  while (going) {
    const begin = performance.now()
    expect((await house.ask("/v1/jobs?limit=1")).status).toBe(200)
    slowest = Math.max(slowest, performance.now() - begin)
    await setTimeout(10)
  }
  await over
  return slowest
}

/** Nobody waits longer for an answer while others misbehave; it takes a few milliseconds without them. */
const PATIENCE = 1_500

const SUBMISSION = JSON.stringify({ kind: "notes", parameters: null })

beforeAll(async () => {
  house = await open()
  // What is loaded and compiled at the first use is there before anything is counted.
  const id = await house.submit("writer")
  for (let i = 0; i < 300; i++) await (await house.ask(`/v1/jobs/${id}`)).text()
  await many(200, async () => (await connected()).send(request("GET /healthz")).answers(1))
  for (const one of wires.splice(0)) one.cut()
})
afterAll(() => house.stop())
beforeEach(async () => {
  await expect.poll(async () => (await house.held()).connections).toBeLessThanOrEqual(5)
  before = await house.held()
})
afterEach(async () => {
  for (const one of wires.splice(0)) one.cut()
  await expectSame(house, before, 20)
})

describe("A server and slow clients", () => {
  it("tells who sends a body drop by drop, or never to its end, that time is over, and closes", async () => {
    const head = request("POST /v1/jobs", {
      "content-type": "application/json",
      "content-length": String(SUBMISSION.length)
    })
    const slow = many(40, async (n) => {
      const one = (await connected()).send(head)
      if (n % 2 === 0) {
        const timer = setInterval(() => one.send(" "), 100)
        void one.closed.then(() => clearInterval(timer))
      }
      return one.closed
    })
    expect(await slowestDuring(slow)).toBeLessThan(PATIENCE)
    for (const text of await slow) {
      const [answer, ...more] = answersIn(text)
      expect([answer?.status, typeOf(answer?.body ?? ""), more]).toEqual([408, "urn:sotto:problem:request-timeout", []])
      expect(answer?.headers["connection"]).toBe("close")
    }
  })

  it("tells so who sends a head drop by drop, and closes connections that say nothing at all", async () => {
    const slow = many(40, async (n) => {
      const one = await connected()
      if (n % 2 === 0) {
        one.send("GET /healthz HTTP/1.1\r\n")
        const timer = setInterval(() => one.send("x: y\r\n"), 100)
        void one.closed.then(() => clearInterval(timer))
      }
      return one.closed
    })
    expect(await slowestDuring(slow)).toBeLessThan(PATIENCE)
    for (const text of await slow) expect(answersIn(text).map(({ status }) => status)).toEqual([408])
  })

  it("does not fill its memory for who asks for files and does not read them", async () => {
    const id = await house.submit("writer")
    await house.ask(`/v1/jobs/${id}`, { headers: { prefer: "wait=5" } })
    const { headers } = await house.ask(`/v1/jobs/${id}/result/${FILE}`, { redirect: "manual" })
    const link = headers.get("location") ?? ""
    const stalled = await many(20, async () => {
      const one = await connected()
      one.socket.pause()
      return one.send(request(`GET ${link}`, { authorization: "" }))
    })
    await expect.poll(async () => (await house.held()).connections).toBeGreaterThanOrEqual(20)
    await setTimeout(300)
    const { memory } = await house.held()
    expect(memory - before.memory).toBeLessThan(2 * FILE_BYTES)
    const [first, ...others] = stalled
    for (const one of others) one.cut()
    first?.socket.resume()
    const [answer] = await first!.answers(1)
    expect([answer?.status, answer?.body.length]).toEqual([200, FILE_BYTES])
  })
})

describe("A server and broken requests", () => {
  it("gives up a body that ends before its length, and goes on", async () => {
    const texts = await many(20, async () => {
      const one = (await connected()).send(request("POST /v1/jobs", { "content-length": "500" }, SUBMISSION))
      one.socket.end()
      return one.closed
    })
    for (const text of texts) for (const { status } of answersIn(text)) expect(status).toBe(400)
  })

  it("takes what is longer than its length for the next request, which it is not", async () => {
    const one = (await connected()).send(
      request("POST /v1/jobs", { "content-length": String(SUBMISSION.length) }, `${SUBMISSION}and this\r\n\r\n`)
    )
    const answers = answersIn(await one.closed)
    expect(answers.map(({ status }) => status)).toEqual([202, 400])
    expect(typeOf(answers[1]?.body ?? "")).toBe("urn:sotto:problem:malformed-request")
  })

  it.each([
    ["a chunk without a length", { "transfer-encoding": "chunked" }, "zz\r\nab\r\n"],
    ["a length and chunks at once", { "transfer-encoding": "chunked", "content-length": "5" }, "0\r\n\r\n"],
    ["a length that is no number", { "content-length": "five" }, "abcde"],
    ["a negative length", { "content-length": "-1" }, "abcde"],
    ["chunks that are not last", { "transfer-encoding": "chunked, gzip" }, "0\r\n\r\n"]
  ])("refuses %s, and closes", async (_, framing, rest) => {
    const one = await connected()
    one.send(request("POST /v1/jobs", { "content-type": "application/json", ...framing }) + rest)
    const [answer, ...more] = answersIn(await one.closed)
    expect([answer?.status, typeOf(answer?.body ?? ""), more]).toEqual([400, "urn:sotto:problem:malformed-request", []])
  })

  it("forgets uploads in chunks that are broken off", async () => {
    await many(50, async (n) => {
      const one = await connected()
      const head = request("POST /v1/jobs", { "content-type": "application/json", "transfer-encoding": "chunked" })
      one.send(`${head}10\r\n{"kind": "notes"\r\n`)
      await setTimeout(n)
      if (n % 2 === 0) one.cut()
      else one.socket.end()
      await one.closed
    })
    expect((await house.ask("/healthz")).status).toBe(200)
  })

  it.each([
    ["a header of 20 KB", request("GET /healthz", { x: "x".repeat(20_000) })],
    [
      "300 headers of 100 bytes",
      request("GET /healthz", Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`x-${n}`, "x".repeat(100)])))
    ],
    ["an address of 20 KB", request(`GET /healthz?${"x".repeat(20_000)}`)]
  ])("refuses %s with 431", async (_, sent) => {
    const answer = await answered(sent)
    expect([answer.status, typeOf(answer.body)]).toEqual([431, "urn:sotto:problem:headers-too-large"])
  })

  it.each([
    ["no host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
    ["two hosts", "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400],
    ["a version that is not spoken", "GET /healthz HTTP/3.0\r\nhost: a\r\n\r\n", 400],
    ["a method that there is not", request("FETCH /healthz"), 400],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["a header with NUL", "GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", 400],
    ["a folded header", "GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\r\n\tb\r\n\r\n", 400],
    ["an upgrade", request("GET /healthz", { connection: "upgrade", upgrade: "websocket" }), 200],
    ["a tunnel", request("CONNECT example.com:443"), 501]
  ])("answers %s with a body", async (_, sent, status) => {
    const answer = await answered(sent)
    expect([answer.status, answer.body]).toEqual([status, expect.stringMatching(/^\{.*\}$/)])
  })

  it.each([
    ["no JSON", "{", {}, 400],
    ["text that is no UTF-8", "\xff\xfe{}", {}, 400],
    ["another type", SUBMISSION, { "content-type": "text/plain" }, 415],
    ["packed bytes", "\x1f\x8b\x08\x00", { "content-encoding": "gzip" }, 400],
    ["deep lists", `${"[".repeat(40_000)}${"]".repeat(40_000)}`, {}, 400],
    ["a body that is too large", `"${"x".repeat(100_001)}"`, {}, 413]
  ])("says what is wrong with a body of %s", async (_, body, headers, status) => {
    const answer = await answered(request("POST /v1/jobs", headers, body))
    expect([answer.status, answer.headers["content-type"]]).toEqual([status, "application/problem+json"])
  })
})

describe("A server and many clients", () => {
  it("answers 1 000 connections that ask at once, and serves them again", async () => {
    const all = await many(1_000, async () => (await connected()).send(request("GET /healthz")))
    await Promise.all(all.map((one) => one.answers(1)))
    expect((await house.held()).connections).toBeGreaterThanOrEqual(1_000)
    for (const one of all) one.send(request("GET /v1/jobs?limit=1"))
    const statuses = await Promise.all(all.map(async (one) => (await one.answers(2)).map(({ status }) => status)))
    expect(statuses.flat().filter((status) => status !== 200)).toEqual([])
  })

  it("answers 1 000 submissions that come at once, each with a job of its own", async () => {
    const sent = request("POST /v1/jobs", {}, SUBMISSION)
    const all = await many(1_000, async () => (await connected()).send(sent))
    const locations = await Promise.all(all.map(async (one) => (await one.answers(1))[0]?.headers["location"]))
    expect(new Set(locations).size).toBe(1_000)
  })

  it("answers 200 requests on one connection that come at once, in order", async () => {
    const one = await connected()
    const paths = ["/healthz", "/v1/jobs?limit=1", "/nowhere", "/v1/kinds/notes"]
    const sent = Array.from({ length: 200 }, (_, n) =>
      n % 5 === 4
        ? request("POST /v1/jobs", { "x-request-id": `number-${n}` }, `{"kind": "notes", "parameters": ${n}}`)
        : request(`GET ${paths[n % 5]}`, { "x-request-id": `number-${n}` })
    )
    const answers = await one.send(sent.join("")).answers(200)
    expect(answers.map(({ headers }) => headers["x-request-id"])).toEqual(sent.map((_, n) => `number-${n}`))
    expect(answers.map(({ status }) => status)).toEqual(sent.map((_, n) => [200, 200, 404, 200, 202][n % 5]))
  })

  it("answers 500 requests after one another on one connection", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<number | undefined>()
    for (let i = 0; i < 500; i++) {
      const asked = httpRequest(`${house.url}/healthz`, { agent })
      asked.end()
      const [response] = (await once(asked, "response")) as [IncomingMessage]
      ports.add(response.socket.localPort)
      expect(response.statusCode).toBe(200)
      response.resume()
      await once(response, "end")
    }
    expect(ports.size).toBe(1)
    agent.destroy()
  })
})

describe("A server and clients that go away", () => {
  const following = (id: string, tenant = "acme") =>
    request(`GET /v1/jobs/${id}/events`, { accept: "text/event-stream", authorization: `Bearer ${tenant}` })

  it("ends 200 streams of events in their middle", async () => {
    const id = await house.submit("notes")
    const streams = await many(200, async () => (await connected()).send(following(id)))
    await Promise.all(streams.map((one) => one.until("event: submitted")))
    expect((await house.held()).fibers).toBeGreaterThan(before.fibers + 200)
    const cutting = async () => {
      for (const [n, one] of streams.entries()) {
        if (n % 2 === 0) one.cut()
        else one.socket.end()
        await setTimeout(2)
      }
    }
    expect(await slowestDuring(cutting())).toBeLessThan(PATIENCE)
  })

  it("has room again for who had as many streams as it may", async () => {
    const id = await house.submit("notes", "few")
    for (let round = 0; round < 20; round++) {
      const streams = await many(FEW, async () => (await connected()).send(following(id, "few")))
      await Promise.all(streams.map((one) => one.until("event: submitted")))
      expect((await answered(following(id, "few"))).status).toBe(429)
      for (const one of streams) one.cut()
      await expect.poll(async () => (await house.held()).connections).toBeLessThan(FEW + 20)
      await expect
        .poll(async () => {
          const again = (await connected()).send(following(id, "few"))
          await again.until("\r\n\r\n")
          again.cut()
          return again.text().split(" ")[1]
        })
        .toBe("200")
      await setTimeout(20)
    }
  })

  it("stops waiting for jobs on behalf of who is gone", async () => {
    const id = await house.submit("notes")
    const waiting = await many(100, async () =>
      (await connected()).send(request(`GET /v1/jobs/${id}`, { prefer: "wait=60" }))
    )
    await expect.poll(async () => (await house.held()).fibers).toBeGreaterThan(before.fibers + 100)
    for (const one of waiting) one.cut()
  })

  it("stops reading files for who is gone", async () => {
    const id = await house.submit("writer")
    await house.ask(`/v1/jobs/${id}`, { headers: { prefer: "wait=5" } })
    const { headers } = await house.ask(`/v1/jobs/${id}/result/${FILE}`, { redirect: "manual" })
    const link = headers.get("location") ?? ""
    await many(50, async () => {
      const one = (await connected()).send(request(`GET ${link}`, { authorization: "" }))
      await one.until("\r\n\r\n")
      one.cut()
    })
  })

  it("goes on with a submission that has come whole, and nobody loses it", async () => {
    const keys = await many(30, async (n) => {
      const one = await connected()
      one.send(
        request("POST /v1/jobs", { "idempotency-key": `"gone-${n}"` }, JSON.stringify({ kind: "notes", parameters: n }))
      )
      if (n % 3 !== 0) await setTimeout(n % 3)
      one.cut()
      return `gone-${n}`
    })
    // Whether it was taken is seen by sending it again: the same key never makes two jobs.
    for (const [n, key] of keys.entries()) {
      const again = () =>
        house.ask("/v1/jobs", {
          method: "POST",
          headers: { "content-type": "application/json", "idempotency-key": `"${key}"` },
          body: JSON.stringify({ kind: "notes", parameters: n })
        })
      await expect.poll(async () => (await again()).status).toBe(200)
      const { jobs } = (await (await house.ask(`/v1/jobs?key=${key}`)).json()) as { jobs: ReadonlyArray<unknown> }
      expect(jobs).toHaveLength(1)
    }
  })
})

describe("A server and HTTP/1.0", () => {
  it("answers and closes", async () => {
    const one = (await connected()).send("GET /healthz HTTP/1.0\r\n\r\n")
    const text = await one.closed
    expect(answersIn(text)).toMatchObject([{ status: 200, body: '{"status":"ok"}' }])
    expect(text).not.toMatch(/transfer-encoding/i)
  })

  it("keeps the connection of who asks for it", async () => {
    const one = (await connected()).send("GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    await one.answers(1)
    expect(await one.send("GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").answers(2)).toHaveLength(2)
  })

  it("streams events without chunks", async () => {
    const id = await house.submit("notes")
    const head = "accept: text/event-stream\r\nauthorization: Bearer acme\r\n"
    const one = (await connected()).send(`GET /v1/jobs/${id}/events HTTP/1.0\r\n${head}\r\n`)
    await one.until("event: submitted")
    expect(one.text()).toMatch(/^HTTP\/1\.1 200 /)
    expect(one.text()).toMatch(/\r\n\r\nretry: 2000\n\nid: 1\n/)
  })
})

describe("A server and Expect: 100-continue", () => {
  const expecting = (length: number) =>
    request("POST /v1/jobs", {
      "content-type": "application/json",
      "content-length": String(length),
      expect: "100-continue"
    })

  it("asks for the body, then answers", async () => {
    const one = (await connected()).send(expecting(SUBMISSION.length))
    await one.until("HTTP/1.1 100 Continue\r\n\r\n")
    expect(await one.send(SUBMISSION).answers(1)).toMatchObject([{ status: 202 }])
  })

  it("refuses a body that says that it is too large before it has come", async () => {
    const one = (await connected()).send(expecting(1_000_000))
    const [answer] = await one.answers(1)
    expect([answer?.status, answer?.headers["connection"]]).toEqual([413, "close"])
  })

  it("does not mind another expectation", async () => {
    expect((await answered(request("GET /healthz", { expect: "a-miracle" }))).status).toBe(200)
  })
})
