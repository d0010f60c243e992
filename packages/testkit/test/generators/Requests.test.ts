import { type AggregationRequest, parseParameters, parseRequest } from "@sotto/core/aggregation"
import { aggregationRequests, faultyRequests, printRequest } from "@sotto/testkit/generators"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { everything } from "./support.ts"

const read = (body: string): AggregationRequest | string => {
  const request = parseRequest(body)
  return "_tag" in request ? request.message : request
}

const refusal = (request: AggregationRequest): string | undefined => {
  const parameters = parseParameters(request)
  return "_tag" in parameters && parameters._tag === "ParametersRejected" ? parameters.message : undefined
}

describe("generated requests", () => {
  it("are read as they were made, and taken by front end and worker", () => {
    everything(aggregationRequests, (request) => {
      const found = read(printRequest(request))
      if (typeof found === "string") return [found]
      expect(found).toEqual(request)
      return [refusal(request) ?? []].flat()
    })
  })

  it("with one fault are refused where they say", () => {
    everything(faultyRequests, ({ body, fault, refusedBy }) => {
      const found = read(body)
      if (typeof found === "string") return refusedBy === "request" ? [] : [`${fault} is refused early: ${found}`]
      return refusedBy === "parameters" && refusal(found) !== undefined ? [] : [`${fault} is taken`]
    })
  })

  it("have every fault", () => {
    const faults = new Set(fc.sample(faultyRequests, { numRuns: 1_000, seed: 1 }).map(({ fault }) => fault))
    expect(faults.size).toBe(24)
  })
})
