import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { container, domainFile, facts, get, NONE, put, release, report, run, sum } from "./Harness.ts"

describe("an aggregation", () => {
  it("sums encrypted reports over a domain", async () => {
    const result = await run(
      Effect.gen(function* () {
        yield* put({
          "in/a.avro": container([
            report(1, [
              [5n, 3],
              [6n, 4]
            ]),
            report(2, [[5n, 10]])
          ]),
          "domain/d.avro": domainFile([5n, 7n])
        })
        const sums = yield* sum()
        const files = yield* release(sums, {}, NONE)
        return { sums, files, facts: facts(yield* get("out/summary-1-of-1.avro")) }
      })
    )
    expect(result.facts).toEqual([
      { bucket: 5n, metric: 13n },
      { bucket: 7n, metric: 0n }
    ])
    expect(result.sums).toMatchObject({ duplicates: 0, buckets: 2, errors: { total: 2, withErrors: 0 } })
    expect(result.files.summary).toEqual([{ bucket: "data", key: "out/summary-1-of-1.avro", rows: 2 }])
  })
})
