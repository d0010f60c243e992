import * as HttpApi from "effect/http-api/HttpApi"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Api } from "../src/Api.ts"
import { Operation } from "../src/Operation.ts"
import { json, play, serve } from "./support/Rig.ts"

const endpoints: Array<HttpApiEndpoint.Top> = []
HttpApi.reflect(Api, { onGroup: () => {}, onEndpoint: ({ endpoint }) => void endpoints.push(endpoint) })

// oxlint-disable-next-line typescript/no-explicit-any
const document: any = OpenApi.fromApi(Api)

/** Texts that are written into paths, queries and headers. */
const texts = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("..", "%2e%2e", "%00", "a/b", "-1", "1e9", "null", "true", "0", "*", '"', "é", " ", "x".repeat(300))
)

const headerTexts = fc.oneof(
  fc.stringMatching(/^[ -~]{0,20}$/),
  fc.constantFrom(
    '"1"',
    '"1.00000000"',
    "*",
    "wait=1",
    "bytes=0-",
    '"a"',
    "text/event-stream",
    "application/json",
    "W/"
  )
)

/** What may come of an example: a part replaced, left out or added. */
const mutated = (example: unknown): fc.Arbitrary<unknown> =>
  typeof example !== "object" || example === null
    ? fc.jsonValue()
    : fc.oneof(
        fc.constant(example),
        fc.jsonValue(),
        fc
          .tuple(fc.constantFrom(...Object.keys(example), "added"), fc.option(fc.jsonValue(), { nil: undefined }))
          .map(([name, value]) => ({ ...example, [name]: value })),
        fc
          .constantFrom(...Object.keys(example))
          .chain((name) =>
            mutated((example as Record<string, unknown>)[name]).map((value) => ({ ...example, [name]: value }))
          )
      )

interface Sent {
  readonly places: ReadonlyArray<string | undefined>
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

describe("Any input", () => {
  it.each(endpoints.map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const))(
    "of %s is answered as the document says, and never with 500",
    async (_, endpoint) => {
      const path = endpoint.path.replaceAll(/:(\w+)/g, "{$1}")
      const operation = document.paths[path][endpoint.method.toLowerCase()]
      const { example } = Context.getOrUndefined(endpoint.annotations, Operation) ?? {}
      const parameters: ReadonlyArray<{ readonly name: string; readonly in: string }> = operation.parameters
      const named = (place: string) => parameters.filter((one) => one.in === place).map(({ name }) => name)
      const somewhere = (names: ReadonlyArray<string>, values: fc.Arbitrary<string>) =>
        names.length === 0 ? fc.constant({}) : fc.dictionary(fc.constantFrom(...names), values, { maxKeys: 3 })
      const sent: fc.Arbitrary<Sent> = fc.record({
        places: fc.array(fc.option(texts, { nil: undefined }), { minLength: 3, maxLength: 3 }),
        body: mutated(example?.body),
        headers: somewhere([...named("header"), "accept"], headerTexts),
        query: somewhere([...named("query"), "unknown"], texts)
      })
      await fc.assert(
        fc.asyncProperty(sent, ({ places, body, headers, query }) =>
          play(() =>
            Effect.gen(function* () {
              const { ask } = yield* serve({ webhooks: true })
              const { id } = yield* json(
                yield* ask("POST /v1/jobs", { as: "admin", body: { kind: "notes", parameters: 1 } })
              )
              let at = 0
              const real = endpoint.path.replaceAll(/:(\w+)/g, (_, name: string) => {
                const place = places[at++]
                return place === undefined || place === "" ? (name === "job" ? id : "1") : encodeURIComponent(place)
              })
              const search = new URLSearchParams(query).toString()
              // Waiting is on a clock that stands still.
              const { prefer: __, ...others } = headers
              const answer = yield* ask(`${endpoint.method} ${real}${search === "" ? "" : `?${search}`}`, {
                as: "admin",
                headers: others,
                ...(endpoint.payload.size > 0 ? { body: JSON.stringify(body) ?? "" } : {})
              })
              const { status } = answer
              expect(status).not.toBe(500)
              // A path may have become another one, which has answers of its own.
              if (!real.includes("/..") && !real.includes("/.") && status !== 405 && status !== 404) {
                expect(Object.keys(operation.responses)).toContain(String(status))
              }
              if (status >= 400) expect(yield* json(answer)).toBeTypeOf("object")
              else yield* Effect.promise(async () => answer.body?.cancel())
            })
          )
        ),
        { numRuns: 150 }
      )
    }
  )
})
