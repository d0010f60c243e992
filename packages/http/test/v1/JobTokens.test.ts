import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { AS_OF, type House, read, visit } from "../access/House.ts"

const HOUR_MS = 3_600_000

const make = ({ ask, keys }: House, job: string, body?: object) =>
  ask(`POST /v1/jobs/${job}/tokens`, { key: keys.acme, ...(body === undefined ? {} : { body }) })

describe("A token for one job", () => {
  it("does on its job what the key may, and nothing elsewhere", () =>
    visit((house, { jobs }) =>
      Effect.gen(function* () {
        const made = yield* make(house, jobs.waiting)
        expect(made.status).toBe(201)
        const { token, until } = read(made)
        expect(until).toBe(new Date(AS_OF + 4_000 + HOUR_MS).toISOString())
        const asked = (line: string, body?: object) =>
          house.ask(line, { headers: { authorization: `Bearer ${token}` }, ...(body === undefined ? {} : { body }) })
        expect(read(yield* asked(`GET /v1/jobs/${jobs.waiting}`)).id).toBe(jobs.waiting)
        const given = yield* asked(`PUT /v1/jobs/${jobs.waiting}/inputs/address`, { data: { city: "Bern" } })
        expect(given.status).toBe(200)
        expect((yield* asked(`GET /v1/jobs/${jobs.failed}`)).status).toBe(404)
        expect((yield* asked("GET /v1/jobs")).status).toBe(403)
      })
    ))

  it("is refused from its time on", () =>
    visit((house, { jobs: { waiting } }) =>
      Effect.gen(function* () {
        const { token } = read(yield* make(house, waiting, { expiresInMs: 5_000 }))
        const look = house.ask(`GET /v1/jobs/${waiting}`, { key: token })
        yield* TestClock.adjust(4_999)
        expect((yield* look).status).toBe(200)
        yield* TestClock.adjust(1)
        expect((yield* look).status).toBe(401)
      })
    ))

  it("ends the events that are followed with it at its time", () =>
    visit((house, { jobs: { waiting } }) =>
      Effect.gen(function* () {
        const { token } = read(yield* make(house, waiting, { expiresInMs: 5_000 }))
        const headers = { accept: "text/event-stream" }
        const following = yield* Effect.forkChild(
          house.ask(`GET /v1/jobs/${waiting}/events`, { key: token, headers }),
          { startImmediately: true }
        )
        yield* TestClock.adjust(4_999)
        expect(following.pollUnsafe()).toBeUndefined()
        yield* TestClock.adjust(1)
        expect((yield* Fiber.join(following)).body).toContain("event: submitted")
      })
    ))

  it("makes no tokens, so that it ends", () =>
    visit((house, { jobs: { waiting } }) =>
      Effect.gen(function* () {
        const { token } = read(yield* make(house, waiting))
        const answer = yield* house.ask(`POST /v1/jobs/${waiting}/tokens`, { key: token })
        expect([answer.status, read(answer).type]).toEqual([403, "urn:sotto:problem:forbidden"])
      })
    ))

  it("lasts a second to a week, and is for a job that there is", () =>
    visit((house, { jobs: { waiting } }) =>
      Effect.gen(function* () {
        for (const expiresInMs of [999, 7 * 24 * HOUR_MS + 1, 1_000.5]) {
          expect((yield* make(house, waiting, { expiresInMs })).status).toBe(400)
        }
        expect((yield* make(house, waiting, { expiresInMs: 7 * 24 * HOUR_MS })).status).toBe(201)
        expect(read(yield* make(house, "nowhere")).type).toBe("urn:sotto:problem:unknown-job")
      })
    ))
})
