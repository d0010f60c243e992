import * as HttpApi from "effect/http-api/HttpApi"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Api } from "../src/Api.ts"
import { type Audience, Operation } from "../src/Operation.ts"
import { json, play, serve } from "./support/Rig.ts"

interface Declared {
  readonly method: string
  readonly path: string
  readonly audience: Audience | undefined
}

const operations: Array<Declared> = []
HttpApi.reflect(Api, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) =>
    void operations.push({
      method: endpoint.method,
      path: endpoint.path,
      audience: Context.getOrUndefined(endpoint.annotations, Operation)?.audience
    })
})

/** Asks an operation with something in every place; what is in the body is refused after who asks was judged. */
const lineOf = ({ method, path }: Declared, job: string): string =>
  `${method} ${path.replace(":job", job).replaceAll(/:\w+/g, "1")}`

const called = Effect.fnUntraced(function* (declared: Declared, of: (id: string) => { as: string; job: string }) {
  const { ask } = yield* serve()
  const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: { kind: "notes", parameters: 1 } }))
  const { as, job } = of(id)
  return (yield* ask(lineOf(declared, job), as === "" ? {} : { as })).status
})

describe("Every operation", () => {
  it.each(operations)("$method $path says whom it is for", ({ audience }) => expect(audience).toBeDefined())

  it.each(operations.filter(({ audience }) => audience !== "public"))(
    "$method $path asks strangers who they are",
    (one) =>
      play(() =>
        Effect.gen(function* () {
          expect(yield* called(one, (job) => ({ as: "", job }))).toBe(401)
          expect(yield* called(one, (job) => ({ as: "nobody", job }))).toBe(401)
        })
      )
  )

  it.each(operations.filter(({ audience }) => audience === "job"))(
    "$method $path is open to the job's own token",
    (one) =>
      play(() =>
        Effect.gen(function* () {
          expect([401, 403]).not.toContain(yield* called(one, (job) => ({ as: `acme/${job}`, job })))
          // To the token of another job it is as if there were none.
          expect(yield* called(one, (job) => ({ as: "acme/another", job }))).toBe(404)
        })
      )
  )

  it.each(operations.filter(({ audience }) => audience === "tenant" || audience === "operator"))(
    "$method $path is closed to the token of a job",
    (one) =>
      play(() =>
        Effect.map(
          called(one, (job) => ({ as: `acme/${job}`, job })),
          (status) => expect(status).toBe(403)
        )
      )
  )

  it.each(operations.filter(({ audience }) => audience === "operator"))(
    "$method $path is closed to other tenants",
    (one) =>
      play(() =>
        Effect.map(
          called(one, (job) => ({ as: "acme", job })),
          (status) => expect(status).toBe(403)
        )
      )
  )

  it.each(operations.filter(({ audience }) => audience === "link"))("$method $path takes no key for a link", (one) =>
    play(() =>
      Effect.map(
        called(one, (job) => ({ as: "acme", job })),
        (status) => expect(status).toBe(403)
      )
    )
  )
})
