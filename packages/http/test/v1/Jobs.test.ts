import { JobStore } from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { handle } from "@sotto/engine"
import { describe, expect, it } from "vitest"
import { json, kindOf, NOTES, play, serve, tenantOf, unlimited } from "../support/Rig.ts"

const submission = { kind: "notes", parameters: { text: "hello" } }

describe("Jobs", () => {
  describe("submit", () => {
    it("answers 202 with the job, where it is, and when to look again", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const answer = yield* ask("POST /v1/jobs", { as: "acme", body: submission })
          const job = yield* json(answer)
          expect(answer.status).toBe(202)
          expect(answer.headers.get("location")).toBe(`/v1/jobs/${job.id}`)
          expect(answer.headers.get("retry-after")).toBe("1")
          expect(job).toMatchObject({ kind: "notes", state: "Queued", parameters: { text: "hello" }, key: null })
          expect(job.createdAt).toBe("2026-01-01T00:00:00.000Z")
        })
      ))

    it("marks a replay and answers with the same job", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const again = { as: "acme", body: submission, headers: { "idempotency-key": '"k-1"' } }
          const first = yield* ask("POST /v1/jobs", again)
          const second = yield* ask("POST /v1/jobs", again)
          expect(first.headers.has("idempotency-replayed")).toBe(false)
          expect([second.status, second.headers.get("idempotency-replayed")]).toEqual([200, "true"])
          expect((yield* json(second)).id).toBe((yield* json(first)).id)
        })
      ))

    it("takes the order of names in a payload for no difference", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const headers = { "idempotency-key": '"k-1"' }
          yield* ask("POST /v1/jobs", { as: "acme", headers, body: '{"kind":"notes","parameters":{"a":1,"b":2}}' })
          const again = yield* ask("POST /v1/jobs", {
            as: "acme",
            headers,
            body: '{"parameters":{"b":2,"a":1},"kind":"notes"}'
          })
          expect(again.status).toBe(200)
        })
      ))

    it("refuses a key that was used with another payload, whatever differs", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const headers = { "idempotency-key": '"k-1"' }
          const first = yield* ask("POST /v1/jobs", { as: "acme", headers, body: submission })
          const { id } = yield* json(first)
          for (const body of [
            { ...submission, parameters: 2 },
            { ...submission, priority: 1 }
          ]) {
            const answer = yield* ask("POST /v1/jobs", { as: "acme", headers, body })
            expect(answer.status).toBe(422)
            expect(yield* json(answer)).toMatchObject({ type: "urn:sotto:problem:key-taken", job: id })
          }
        })
      ))

    it("finds the job by its key after what was asked is forgotten", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const again = { as: "acme", body: submission, headers: { "idempotency-key": '"k-1"' } }
          const first = yield* ask("POST /v1/jobs", again)
          yield* TestClock.adjust("2 days")
          const second = yield* ask("POST /v1/jobs", again)
          expect([second.status, second.headers.get("idempotency-replayed")]).toEqual([200, "true"])
          expect((yield* json(second)).id).toBe((yield* json(first)).id)
          const other = yield* ask("POST /v1/jobs", { ...again, body: { ...submission, parameters: 2 } })
          expect(other.status).toBe(422)
        })
      ))

    it("answers 409 while the first request is still being answered, and says when to ask again", () =>
      play(() =>
        Effect.gen(function* () {
          const written = yield* Latch.make()
          const over = Layer.effect(
            JobStore,
            Effect.map(JobStore, (store) =>
              JobStore.of({ ...store, create: (job) => Effect.andThen(written.await, store.create(job)) })
            )
          )
          const { ask } = yield* serve({ over })
          const again = { as: "acme", body: submission, headers: { "idempotency-key": '"k-1"' } }
          const first = yield* Effect.forkChild(ask("POST /v1/jobs", again), { startImmediately: true })
          yield* TestClock.adjust(1)
          const second = yield* ask("POST /v1/jobs", again)
          expect([second.status, second.headers.get("retry-after")]).toEqual([409, "1"])
          expect((yield* json(second)).type).toBe("urn:sotto:problem:request-in-progress")
          yield* written.open
          expect((yield* Fiber.join(first)).status).toBe(202)
          expect((yield* ask("POST /v1/jobs", again)).status).toBe(200)
        })
      ))

    it("lets a request that failed be tried again with its key", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve({ kinds: [NOTES] })
          const headers = { "idempotency-key": '"k-1"' }
          const first = yield* ask("POST /v1/jobs", { as: "acme", headers, body: { ...submission, kind: "nothing" } })
          expect(first.status).toBe(422)
          const second = yield* ask("POST /v1/jobs", { as: "acme", headers, body: submission })
          expect(second.status).toBe(202)
        })
      ))

    it.each(["k-1", '"', '""', '"k" x', '"ä"', '"k\\x"'])("answers 400 to the malformed key %s", (key) =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const headers = { "idempotency-key": Buffer.from(key).toString("latin1") }
          const answer = yield* ask("POST /v1/jobs", { as: "acme", headers, body: submission })
          expect(answer.status).toBe(400)
          expect(yield* json(answer)).toMatchObject({ type: "urn:sotto:problem:malformed-idempotency-key" })
        })
      )
    )

    it("submits nothing when it is only to be validated", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const good = yield* ask("POST /v1/jobs?validateOnly=true", { as: "acme", body: submission })
          expect([good.status, yield* json(good)]).toEqual([200, { valid: true, budget: null }])
          const bad = yield* ask("POST /v1/jobs?validateOnly=true", {
            as: "acme",
            body: {
              ...submission,
              inputs: [
                { key: "a", data: 1 },
                { key: "a", data: 2 }
              ]
            }
          })
          expect([bad.status, (yield* json(bad)).type]).toEqual([422, "urn:sotto:problem:invalid-submission"])
          const { jobs } = yield* json(yield* ask("GET /v1/jobs", { as: "acme" }))
          expect(jobs).toEqual([])
        })
      ))

    it("names every fault of a body with its place", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const answer = yield* ask("POST /v1/jobs", {
            as: "acme",
            body: { kind: 1, parameters: {}, priority: 101, colour: "red" }
          })
          expect(answer.status).toBe(400)
          const { type, errors } = yield* json(answer)
          expect(type).toBe("urn:sotto:problem:malformed-request")
          expect(errors.map((one: { in: string; pointer: string }) => `${one.in} ${one.pointer}`).toSorted()).toEqual([
            "body /colour",
            "body /kind",
            "body /priority"
          ])
        })
      ))

    it("answers 400 to a body that is no JSON and 415 to one of another type", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const broken = yield* ask("POST /v1/jobs", { as: "acme", body: "{" })
          expect([broken.status, (yield* json(broken)).type]).toEqual([400, "urn:sotto:problem:malformed-request"])
          const text = yield* ask("POST /v1/jobs", { as: "acme", body: "a", headers: { "content-type": "text/plain" } })
          const said = yield* Effect.promise(() => text.clone().text())
          expect([text.status, (yield* json(text)).type]).toEqual([415, "urn:sotto:problem:unsupported-media-type"])
          // A listener breaks an answer off whose length is not what its head says.
          expect(text.headers.get("content-length")).toBe(String(said.length))
        })
      ))

    it("refuses a kind that is not there, in the body", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const answer = yield* ask("POST /v1/jobs", { as: "acme", body: { kind: "nothing", parameters: {} } })
          expect([answer.status, (yield* json(answer)).type]).toEqual([422, "urn:sotto:problem:invalid-submission"])
        })
      ))

    it("refuses more jobs that are not over than the tenant may have", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve({ tenants: [tenantOf("acme", { limits: { ...unlimited, jobs: 1 } })] })
          const first = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: submission }))
          const second = yield* ask("POST /v1/jobs", { as: "acme", body: submission })
          expect([second.status, (yield* json(second)).type]).toEqual([429, "urn:sotto:problem:too-many-jobs"])
          expect(second.headers.get("retry-after")).toBe("5")
          yield* ask(`POST /v1/jobs/${first.id}/cancel`, { as: "acme" })
          expect((yield* ask("POST /v1/jobs", { as: "acme", body: submission })).status).toBe(202)
        })
      ))

    it("waits for the end as long as the client prefers, and says so", () =>
      play(() =>
        Effect.gen(function* () {
          const kind = kindOf("slow")
          const { ask } = yield* serve({ handlers: [handle(kind, () => Effect.as(Effect.sleep("5 seconds"), "done"))] })
          const answer = yield* Effect.forkChild(
            ask("POST /v1/jobs", {
              as: "acme",
              headers: { prefer: "wait=20" },
              body: { kind: "slow", parameters: null }
            })
          )
          yield* TestClock.adjust("1 second")
          expect(answer.pollUnsafe()).toBeUndefined()
          yield* TestClock.adjust("10 seconds")
          const done = yield* Fiber.join(answer)
          expect([done.status, done.headers.get("preference-applied")]).toEqual([202, "wait=20"])
          expect(yield* json(done)).toMatchObject({ state: "Succeeded", result: "done" })
        })
      ))
  })

  describe("get", () => {
    it("answers 304 to who has the job as it is", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: submission }))
          const first = yield* ask(`GET /v1/jobs/${id}`, { as: "acme" })
          const etag = first.headers.get("etag") ?? ""
          const same = yield* ask(`GET /v1/jobs/${id}`, { as: "acme", headers: { "if-none-match": `"x", W/${etag}` } })
          expect([same.status, same.headers.get("etag"), yield* Effect.promise(() => same.text())]).toEqual([
            304,
            etag,
            ""
          ])
          yield* ask(`PATCH /v1/jobs/${id}`, { as: "acme", body: { name: "other" } })
          const changed = yield* ask(`GET /v1/jobs/${id}`, { as: "acme", headers: { "if-none-match": etag } })
          expect([changed.status, (yield* json(changed)).name]).toEqual([200, "other"])
        })
      ))

    it("gives up waiting when the server is about to stop", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask, http } = yield* serve()
          const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: submission }))
          const waiting = yield* Effect.forkChild(
            ask(`GET /v1/jobs/${id}`, { as: "acme", headers: { prefer: "wait=60" } })
          )
          yield* TestClock.adjust("1 second")
          expect(waiting.pollUnsafe()).toBeUndefined()
          yield* http.drain
          expect((yield* Fiber.join(waiting)).status).toBe(200)
        })
      ))

    it("answers to another tenant as if there were no such job", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: submission }))
          const own = yield* ask(`GET /v1/jobs/none`, { as: "other" })
          const foreign = yield* ask(`GET /v1/jobs/${id}`, { as: "other" })
          expect(foreign.status).toBe(404)
          expect(JSON.stringify(yield* json(foreign)).replaceAll(id, "none")).toBe(JSON.stringify(yield* json(own)))
        })
      ))
  })

  describe("list", () => {
    it("gives every job once, page by page, by links", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const ids: Array<string> = []
          for (let i = 0; i < 5; i++) {
            ids.push(
              (yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: { ...submission, name: `job ${i}` } }))).id
            )
            yield* TestClock.adjust("1 second")
          }
          const seen: Array<string> = []
          for (let path: string | undefined = "/v1/jobs?limit=2&order=oldest&kind=notes"; path !== undefined;) {
            const answer: Response = yield* ask(`GET ${path}`, { as: "acme" })
            seen.push(...(yield* json(answer)).jobs.map((job: { id: string }) => job.id))
            path = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1]
          }
          expect(seen).toEqual(ids)
        })
      ))

    it("filters by kind, state, key and time", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve({ kinds: [NOTES, kindOf("other")] })
          const one = yield* json(
            yield* ask("POST /v1/jobs", { as: "acme", body: submission, headers: { "idempotency-key": '"mine"' } })
          )
          yield* TestClock.adjust("1 hour")
          const two = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: { kind: "other", parameters: 1 } }))
          yield* ask(`POST /v1/jobs/${two.id}/cancel`, { as: "acme" })
          const found = Effect.fnUntraced(function* (query: string) {
            const { jobs } = yield* json(yield* ask(`GET /v1/jobs?${query}`, { as: "acme" }))
            return jobs.map((job: { id: string }) => job.id)
          })
          expect(yield* found("kind=notes")).toEqual([one.id])
          expect(yield* found("kind=notes&kind=other")).toEqual([two.id, one.id])
          expect(yield* found("state=Cancelled")).toEqual([two.id])
          expect(yield* found("key=mine")).toEqual([one.id])
          expect(yield* found("createdFrom=2026-01-01T00:30:00Z")).toEqual([two.id])
          expect(yield* found("createdTo=2026-01-01T00:30:00%2B00:00")).toEqual([one.id])
          expect(yield* found("dead=true")).toEqual([])
        })
      ))

    it.each([
      "limit=0",
      "limit=1001",
      "limit=x",
      "state=Nowhere",
      "cursor=made-up",
      "createdFrom=yesterday",
      "sate=Queued"
    ])("answers 400 to %s", (query) =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const answer = yield* ask(`GET /v1/jobs?${query}`, { as: "acme" })
          expect(answer.status).toBe(400)
          expect((yield* json(answer)).type).toMatch(/malformed/)
        })
      )
    )
  })

  describe("changes", () => {
    it("are refused to who has not the job as it is", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const submitted = yield* ask("POST /v1/jobs", { as: "acme", body: submission })
          const { id } = yield* json(submitted)
          const headers = { "if-match": submitted.headers.get("etag") ?? "" }
          expect((yield* ask(`PATCH /v1/jobs/${id}`, { as: "acme", headers, body: { name: "a" } })).status).toBe(200)
          const stale = yield* ask(`POST /v1/jobs/${id}/cancel`, { as: "acme", headers })
          expect([stale.status, (yield* json(stale)).type]).toEqual([412, "urn:sotto:problem:precondition-failed"])
          expect((yield* json(yield* ask(`GET /v1/jobs/${id}`, { as: "acme" }))).state).toBe("Queued")
        })
      ))

    it("cancel once, with a reason, as often as it is asked", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: submission }))
          const first = yield* ask(`POST /v1/jobs/${id}/cancel`, { as: "acme", body: { reason: "wrong" } })
          expect(yield* json(first)).toMatchObject({ state: "Cancelled", reason: "wrong" })
          const second = yield* ask(`POST /v1/jobs/${id}/cancel`, { as: "acme" })
          expect(second.headers.get("etag")).toBe(first.headers.get("etag"))
        })
      ))

    it("are refused where the lifecycle has no such step, with where the job is", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: submission }))
          const answer = yield* ask(`POST /v1/jobs/${id}/redrive`, { as: "acme" })
          expect(answer.status).toBe(409)
          expect(yield* json(answer)).toMatchObject({
            type: "urn:sotto:problem:command-refused",
            state: "Queued",
            event: "Redriven"
          })
        })
      ))

    it("reset a cancelled job to a new session", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: submission }))
          yield* ask(`POST /v1/jobs/${id}/cancel`, { as: "acme" })
          const answer = yield* ask(`POST /v1/jobs/${id}/reset`, { as: "acme", body: {} })
          expect(yield* json(answer)).toMatchObject({ state: "Queued", session: 2 })
        })
      ))
  })
})
