import { BlobStore } from "@sotto/core/ports/BlobStore"
import type { Job } from "@sotto/core/job"
import { handle } from "@sotto/engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { json, kindOf, play, serve } from "../support/Rig.ts"

const KEY = 'out/Müller\'s "best".csv'
const BYTES = "a,b\n1,2\n"

/** Writes one file and says where it is. */
const WRITER = kindOf("writer", {
  files: (job: Job) =>
    job.outcome?._tag === "Succeeded" ? [{ name: 'Müller\'s "best".csv', bucket: "data", key: KEY }] : []
})

const writer = handle(WRITER, (job) =>
  Effect.as(
    Effect.orDie(job.blobs.write({ bucket: "data", key: KEY }, new TextEncoder().encode(BYTES), { mode: "replace" })),
    { rows: 1 }
  )
)

/** A server with a job that has written its file. */
const written = Effect.fnUntraced(function* () {
  const served = yield* serve({ handlers: [writer] })
  const { id } = yield* json(
    yield* served.ask("POST /v1/jobs", { as: "acme", body: { kind: "writer", parameters: null } })
  )
  yield* Effect.forEach(Array.from({ length: 20 }), () => TestClock.adjust("250 millis"), { discard: true })
  return { ...served, path: `/v1/jobs/${id}/result` }
})

const linked = Effect.fnUntraced(function* () {
  const served = yield* written()
  const { files } = yield* json(yield* served.ask(`GET ${served.path}`, { as: "acme" }))
  const answer = yield* served.ask(`GET ${files[0].href}`, { as: "acme" })
  return { ...served, answer, link: answer.headers.get("location") ?? "" }
})

const textOf = (response: Response) => Effect.promise(() => response.text())

describe("Results", () => {
  it("are given with the addresses of their files", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, path } = yield* written()
        const answer = yield* ask(`GET ${path}`, { as: "acme" })
        expect(yield* json(answer)).toEqual({
          result: { rows: 1 },
          files: [{ name: 'Müller\'s "best".csv', href: `${path}/${encodeURIComponent('Müller\'s "best".csv')}` }]
        })
      })
    ))

  it("are not there before the job has succeeded", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ kinds: [WRITER] })
        const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: { kind: "writer", parameters: 1 } }))
        const early = yield* ask(`GET /v1/jobs/${id}/result`, { as: "acme" })
        expect([early.status, yield* json(early)]).toEqual([409, expect.objectContaining({ state: "Queued" })])
        yield* ask(`POST /v1/jobs/${id}/cancel`, { as: "acme" })
        const late = yield* ask(`GET /v1/jobs/${id}/result`, { as: "acme" })
        expect([late.status, yield* json(late)]).toEqual([409, expect.objectContaining({ state: "Cancelled" })])
      })
    ))

  it("lead to a signed link that gives the file to who has no key, under a name that can be saved", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, answer, link } = yield* linked()
        expect(answer.status).toBe(303)
        const file = yield* ask(`GET ${link}`)
        expect([file.status, yield* textOf(file)]).toEqual([200, BYTES])
        expect(file.headers.get("content-type")).toBe("text/csv; charset=utf-8")
        expect(file.headers.get("content-length")).toBe(String(BYTES.length))
        expect(file.headers.get("content-disposition")).toBe(
          `attachment; filename="M_ller's _best_.csv"; filename*=UTF-8''M%C3%BCller%27s%20%22best%22.csv`
        )
      })
    ))

  it("end with their links after five minutes", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, link } = yield* linked()
        yield* TestClock.adjust("299 seconds")
        expect((yield* ask(`GET ${link}`)).status).toBe(200)
        yield* TestClock.adjust("1 second")
        const over = yield* ask(`GET ${link}`)
        expect([over.status, (yield* json(over)).type]).toEqual([403, "urn:sotto:problem:forbidden"])
      })
    ))

  it.each([
    ["bytes=0-2", 206, "a,b", "bytes 0-2/8"],
    ["bytes=4-", 206, "1,2\n", "bytes 4-7/8"],
    ["bytes=-2", 206, "2\n", "bytes 6-7/8"],
    ["bytes=4-100", 206, "1,2\n", "bytes 4-7/8"],
    ["bytes=0-1,4-5", 200, BYTES, null],
    ["lines=1-2", 200, BYTES, null]
  ])("give the range %s", (range, status, text, contentRange) =>
    play(() =>
      Effect.gen(function* () {
        const { ask, link } = yield* linked()
        const answer = yield* ask(`GET ${link}`, { headers: { range } })
        expect([answer.status, yield* textOf(answer)]).toEqual([status, text])
        expect(answer.headers.get("content-range")).toBe(contentRange)
      })
    )
  )

  it("say how long a file is to who asks for a range behind its end", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, link } = yield* linked()
        const answer = yield* ask(`GET ${link}`, { headers: { range: "bytes=8-" } })
        expect([answer.status, answer.headers.get("content-range")]).toEqual([416, "bytes */8"])
        expect((yield* json(answer)).type).toBe("urn:sotto:problem:range-not-satisfiable")
      })
    ))

  it("give the whole file to who resumes one that has changed, and nothing to who has it", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, link } = yield* linked()
        const etag = (yield* ask(`GET ${link}`)).headers.get("etag") ?? ""
        const same = yield* ask(`GET ${link}`, { headers: { range: "bytes=4-", "if-range": etag } })
        expect(same.status).toBe(206)
        const changed = yield* ask(`GET ${link}`, { headers: { range: "bytes=4-", "if-range": '"other"' } })
        expect([changed.status, yield* textOf(changed)]).toEqual([200, BYTES])
        expect((yield* ask(`GET ${link}`, { headers: { "if-none-match": etag } })).status).toBe(304)
      })
    ))

  it("say that a file is gone without saying where it was", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, context, path, link } = yield* linked()
        yield* Context.get(context, BlobStore).delete({ bucket: "data", key: KEY })
        for (const gone of [
          yield* ask(`GET ${link}`),
          yield* ask(`GET ${path}/${encodeURIComponent('Müller\'s "best".csv')}`, { as: "acme" })
        ]) {
          expect(gone.status).toBe(404)
          expect(yield* textOf(gone)).not.toContain("out/")
        }
        expect((yield* ask(`GET ${path}/other.csv`, { as: "acme" })).status).toBe(404)
      })
    ))

  it("answer HEAD with the length and no body", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, link } = yield* linked()
        const answer = yield* ask(`HEAD ${link}`)
        expect([answer.status, answer.headers.get("content-length"), yield* textOf(answer)]).toEqual([200, "8", ""])
      })
    ))
})
