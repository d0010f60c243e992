import { handle } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { json, kindOf, play, type Served, serve, tenantOf, unlimited } from "../support/Rig.ts"

const SLOW = kindOf("slow")

/** Works for ten seconds. */
const slow = handle(SLOW, () => Effect.as(Effect.sleep("10 seconds"), "done"))

const started = Effect.fnUntraced(function* (ask: Served["ask"]) {
  const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: { kind: "slow", parameters: null } }))
  return `/v1/jobs/${id}/events`
})

/** What a stream says, as it says it. */
const follow = (response: Response) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  let done = false
  const reading = (async () => {
    for (;;) {
      const part = await reader.read()
      if (part.done) break
      text += part.value
    }
    done = true
  })()
  return {
    /** Everything so far, when all that is ready was read. */
    text: Effect.as(
      Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
      undefined
    ).pipe(
      Effect.repeat({ times: 10 }),
      Effect.map(() => text)
    ),
    done: Effect.sync(() => done),
    cancel: Effect.promise(() => reader.cancel()),
    ended: Effect.promise(() => reading)
  }
}

const idsIn = (text: string): ReadonlyArray<number> =>
  [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))

const pass = (seconds: number) =>
  Effect.forEach(Array.from({ length: seconds * 4 }), () => TestClock.adjust("250 millis"), { discard: true })

const sse = { accept: "text/event-stream" }

describe("Events", () => {
  it("are pages with numbers without gaps, and say when there are no more", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ handlers: [slow] })
        const path = yield* started(ask)
        yield* pass(15)
        const whole = yield* json(yield* ask(`GET ${path}`, { as: "acme" }))
        expect(whole.events.map((event: { number: number }) => event.number)).toEqual(
          whole.events.map((_: unknown, i: number) => i + 1)
        )
        expect(whole.events.at(0)).toMatchObject({ number: 1, name: "submitted", state: "Queued", session: 1 })
        expect(whole.events.at(-1)).toMatchObject({ name: "succeeded", state: "Succeeded" })
        expect(whole).toMatchObject({ last: whole.events.length, complete: true })
        const part = yield* json(yield* ask(`GET ${path}?after=1&limit=1`, { as: "acme" }))
        expect(part.events).toEqual([whole.events[1]])
        expect(part).toMatchObject({ last: 2, complete: false })
      })
    ))

  it("are followed as they happen, until the job ends", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ handlers: [slow] })
        const path = yield* started(ask)
        const answer = yield* ask(`GET ${path}`, { as: "acme", headers: sse })
        expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"])
        const stream = follow(answer)
        yield* pass(3)
        const early = yield* stream.text
        expect(early).toMatch(/^retry: \d+\n\n/)
        expect(early).toContain("event: submitted\ndata: {")
        expect(early).not.toContain("succeeded")
        yield* pass(15)
        yield* stream.ended
        const text = yield* stream.text
        const page = yield* json(yield* ask(`GET ${path}`, { as: "acme" }))
        expect(idsIn(text)).toEqual(page.events.map((event: { number: number }) => event.number))
        expect([...text.matchAll(/^data: (.*)$/gm)].map((match) => JSON.parse(match[1] as string))).toEqual(page.events)
      })
    ))

  it("go on behind the last that a client saw, and end an EventSource that saw all", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ handlers: [slow] })
        const path = yield* started(ask)
        yield* pass(15)
        const { last } = yield* json(yield* ask(`GET ${path}`, { as: "acme" }))
        const rest = follow(yield* ask(`GET ${path}`, { as: "acme", headers: { ...sse, "last-event-id": "1" } }))
        yield* rest.ended
        expect(idsIn(yield* rest.text)).toEqual(Array.from({ length: last - 1 }, (_, i) => i + 2))
        const over = yield* ask(`GET ${path}`, { as: "acme", headers: { ...sse, "last-event-id": String(last) } })
        expect(over.status).toBe(204)
        const odd = yield* ask(`GET ${path}`, { as: "acme", headers: { ...sse, "last-event-id": "x" } })
        expect(odd.status).toBe(400)
      })
    ))

  it("say something now and then, so that proxies keep the connection", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ kinds: [SLOW] })
        const stream = follow(yield* ask(`GET ${yield* started(ask)}`, { as: "acme", headers: sse }))
        yield* pass(1)
        const before = (yield* stream.text).split(":\n\n").length
        yield* pass(60)
        expect((yield* stream.text).split(":\n\n").length - before).toBeGreaterThanOrEqual(3)
        yield* stream.cancel
      })
    ))

  it("end when the server is about to stop", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, http } = yield* serve({ kinds: [SLOW] })
        const stream = follow(yield* ask(`GET ${yield* started(ask)}`, { as: "acme", headers: sse }))
        yield* pass(1)
        expect(yield* stream.done).toBe(false)
        yield* http.drain
        yield* stream.ended
      })
    ))

  it("are followed no more often at once than the tenant may", () =>
    play(() =>
      Effect.gen(function* () {
        const tenants = [tenantOf("acme", { limits: { ...unlimited, streams: 1 } })]
        const { ask } = yield* serve({ kinds: [SLOW], tenants })
        const path = yield* started(ask)
        const first = follow(yield* ask(`GET ${path}`, { as: "acme", headers: sse }))
        yield* pass(1)
        const second = yield* ask(`GET ${path}`, { as: "acme", headers: sse })
        expect([second.status, (yield* json(second)).type]).toEqual([429, "urn:sotto:problem:too-many-streams"])
        yield* first.cancel
        yield* pass(1)
        const third = yield* ask(`GET ${path}`, { as: "acme", headers: sse })
        expect(third.status).toBe(200)
        yield* follow(third).cancel
      })
    ))
})
