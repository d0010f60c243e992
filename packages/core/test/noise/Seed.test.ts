import { describe, expect, it } from "vitest"
import { fromHex, toHex } from "../../src/internal/Bytes.ts"
import { type FreshSeed, freshSeed, type QuestionSeed, questionSeed, syncMarker } from "../../src/noise/Seed.ts"

const SEED = fromHex("550562a95b8c3cf8dd2792b0dda8b38821a15342eb397d53a747efabf52903eb") as Uint8Array

describe("Seed", () => {
  it("gives shard 1 the sync marker of the published vector, and every shard its own", () => {
    expect(toHex(syncMarker(questionSeed(SEED), 1))).toBe("df0189af89d5ded80b777b374f98f87b")
    expect(toHex(syncMarker(questionSeed(SEED), 2))).not.toBe("df0189af89d5ded80b777b374f98f87b")
    expect(syncMarker(freshSeed(SEED), 1)).toEqual(syncMarker(questionSeed(SEED), 1))
  })

  it.each([0, 16, 31, 33, 64])("refuses %i bytes", (length) => {
    expect(() => questionSeed(new Uint8Array(length))).toThrow(RangeError)
    expect(() => freshSeed(new Uint8Array(length))).toThrow(RangeError)
  })

  it("keeps its bytes when the caller overwrites his", () => {
    const mine = SEED.slice()
    const seed = questionSeed(mine)
    mine.fill(0)
    expect(toHex(seed)).toBe(toHex(SEED))
  })

  it("does not compile where one seed is passed for the other", () => {
    const question = (seed: QuestionSeed) => seed.length
    const fresh = (seed: FreshSeed) => seed.length
    // @ts-expect-error a fresh seed is not a question's
    expect(question(freshSeed(SEED))).toBe(32)
    // @ts-expect-error a question's seed is not fresh
    expect(fresh(questionSeed(SEED))).toBe(32)
    // @ts-expect-error bytes are neither
    expect(question(SEED)).toBe(32)
  })
})
