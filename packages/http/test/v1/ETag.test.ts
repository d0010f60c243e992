import type { JobView } from "@sotto/engine"
import { describe, expect, it } from "vitest"
import { etagOf, isUnchanged, wantedSeqs } from "../../src/v1/ETag.ts"

const view = (seq: number, done: number, word = "Running"): JobView =>
  ({ job: { seq }, progress: { done, total: null, phase: null, details: null }, word }) as JobView

describe("ETag", () => {
  it("is another one after every event, progress and change of the word", () => {
    const tags = [view(1, 0), view(2, 0), view(1, 1), view(1, 0, "pending")].map(etagOf)
    expect(new Set(tags).size).toBe(4)
    expect(tags[0]).toMatch(/^"1\.[0-9a-f]{8}"$/)
    expect(etagOf(view(1, 0))).toBe(tags[0])
  })

  it("is recognised among others, weak ones too", () => {
    const etag = etagOf(view(1, 0))
    for (const header of [etag, `W/${etag}`, `"a", ${etag}`, `"a",W/${etag}`, "*", " * "]) {
      expect(isUnchanged(header, etag), header).toBe(true)
    }
    for (const header of [undefined, "", '"1"', etag.slice(1, -1)]) expect(isUnchanged(header, etag)).toBe(false)
  })

  it("allows changes to who has the last event, whatever the progress", () => {
    expect(wantedSeqs(undefined)).toBeUndefined()
    expect(wantedSeqs("*")).toBeUndefined()
    expect([...(wantedSeqs(`${etagOf(view(3, 7))}, "5"`) ?? [])]).toEqual([3, 5])
    // A weak tag never matches here (RFC 9110 §13.1.1), nor does one of somebody else.
    for (const header of ['W/"3"', '"x"', "3", ""]) expect(wantedSeqs(header)).toEqual(new Set())
  })
})
