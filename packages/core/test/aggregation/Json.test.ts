import {
  isJsonNumber,
  isJsonObject,
  isJsonRejected,
  type Json,
  MAX_JSON_DEPTH,
  readJson
} from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { mutatedTexts } from "./support.ts"

/** What `JSON.parse` would have made of it. */
const plain = (json: Json): unknown => {
  if (json === null || typeof json !== "object") return json
  if (isJsonNumber(json)) return Number(json.literal)
  if (isJsonObject(json)) return Object.fromEntries([...json.members].map(([name, value]) => [name, plain(value)]))
  return json.map(plain)
}

const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

describe("Json", () => {
  it("reads what JSON.stringify writes", () =>
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.boolean(), (text, lenient) => {
        const json = readJson(text, { lenient })
        if (isJsonRejected(json)) expect.fail(json.hint)
        else expect(plain(json)).toEqual(JSON.parse(text))
      })
    ))

  it("accepts exactly what JSON.parse accepts, and never throws", () => {
    const samples = ['{"a":[1,-2.5e3,"x\\n\\u00e9"],"b":{"c":null,"d":true}}', "[0.10, false, {}]", '"\\\\\\"/"']
    let accepted = 0
    for (const text of mutatedTexts(samples, 20_000)) {
      const json = readJson(text)
      const expected = parsed(text)
      if (isJsonRejected(json) !== (expected === undefined)) expect.fail(JSON.stringify(text))
      if (!isJsonRejected(json) && accepted++ % 10 === 0) expect(plain(json)).toEqual(expected?.value)
      readJson(text, { lenient: true, trailing: true })
    }
    expect(accepted).toBeGreaterThan(1_000)
  })

  it("keeps the literal text of numbers", () =>
    expect(readJson("[0.10,1e5,-0,12345678901234567890]")).toMatchObject(
      ["0.10", "1e5", "-0", "12345678901234567890"].map((literal) => ({ literal }))
    ))

  it("takes the last of a name given twice", () => {
    const json = readJson('{"a":1,"b":2,"a":3}')
    expect(isJsonRejected(json) ? json : plain(json)).toEqual({ a: 3, b: 2 })
  })

  it("accepts unquoted names and single quotes only when lenient", () => {
    const text = `{job_id: 'it\\'s "1"', 'b': []}`
    expect(isJsonRejected(readJson(text))).toBe(true)
    const json = readJson(text, { lenient: true })
    expect(isJsonRejected(json) ? json : plain(json)).toEqual({ job_id: 'it\'s "1"', b: [] })
  })

  it("ignores text behind the value only when asked to", () => {
    expect(readJson("{} x", { trailing: true })).toEqual({ _tag: "JsonObject", members: new Map() })
    expect(readJson("{} x")).toMatchObject({ _tag: "JsonRejected", at: 3 })
  })

  it("says where and why it stopped", () => {
    expect(readJson('{"a" 1}')).toEqual({ _tag: "JsonRejected", at: 5, hint: "expected ':' behind a member's name" })
    expect(readJson("{'a':1}")).toMatchObject({ at: 1, hint: "expected a member's name" })
    expect(readJson('["a')).toMatchObject({ at: 3, hint: "expected the end of a string" })
  })

  it("reads down to its depth and no deeper", () => {
    const nested = (depth: number) => readJson("[".repeat(depth) + "]".repeat(depth))
    expect(isJsonRejected(nested(MAX_JSON_DEPTH + 1))).toBe(false)
    expect(isJsonRejected(nested(MAX_JSON_DEPTH + 2))).toBe(true)
    expect(isJsonRejected(nested(1_000_000))).toBe(true)
  })
})
