import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { SortedKeys } from "../../src/internal/Calls.ts"
import { openKeys } from "../../src/internal/DomainKeys.ts"
import { domainFile } from "../Harness.ts"
import { domainOf, type Files } from "../Local.ts"

let folder = ""
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "sotto-test-"))))
afterAll(() => rmSync(folder, { recursive: true }))

const valuesOf = async (keys: SortedKeys): Promise<ReadonlyArray<bigint>> => {
  const table = await openKeys(keys)
  const words = await table.read(0, table.rows)
  await table.close()
  return Array.from({ length: keys.rows }, (_, row) =>
    [0, 1, 2, 3].reduce((value, i) => (value << 32n) | BigInt(words[4 * row + i]!), 0n)
  )
}

const key = fc.oneof(
  fc.bigInt(0n, 30n),
  fc.bigInt(0n, (1n << 128n) - 1n),
  fc.constantFrom(0n, (1n << 128n) - 1n, 1n << 64n)
)

const sorted = (keys: ReadonlyArray<bigint>) => [...new Set(keys)].sort((a, b) => (a < b ? -1 : 1))

describe("the output domain", () => {
  it("is every key of every object once, in ascending order", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.array(key, { maxLength: 40 }), { maxLength: 4 }), async (shards) => {
        const files = shards.map((keys, i) => [`${i}`, domainFile(keys, 7)] as const)
        expect(await valuesOf((await domainOf(files)) as SortedKeys)).toEqual(sorted(shards.flat()))
      }),
      { numRuns: 50 }
    ))

  it("is the same when it is spilled to runs of any size, which leave one file", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(key, { maxLength: 60 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 9 }),
        async (shards, partitionKeys, perBlock) => {
          const place = mkdtempSync(join(folder, "run-"))
          const files = shards.map((keys, i) => [`${i}`, domainFile(keys, perBlock)] as const)
          const keys = (await domainOf(files, { partitionKeys, folder: place })) as SortedKeys
          expect(await valuesOf(keys)).toEqual(sorted(shards.flat()))
          expect(keys.rows).toBe(sorted(shards.flat()).length)
          expect(readdirSync(place)).toEqual(keys.held instanceof SharedArrayBuffer ? [] : ["keys"])
          if (shards.flat().length > partitionKeys + perBlock) expect(keys.held).not.toBeInstanceOf(SharedArrayBuffer)
        }
      ),
      { numRuns: 50 }
    ))

  it("can be text, one key a line", async () => {
    const files: Files = [["t", Buffer.from("key1\n\r\nkey2\nkey1\n")]]
    expect(await valuesOf((await domainOf(files, { format: "text" })) as SortedKeys)).toEqual([
      0n,
      BigInt(`0x${Buffer.from("key1").toString("hex")}`),
      BigInt(`0x${Buffer.from("key2").toString("hex")}`)
    ])
  })

  it("may have objects without rows and of zero bytes", async () => {
    const files: Files = [
      ["empty", new Uint8Array(0)],
      ["header", domainFile([])],
      ["one", domainFile([1n])]
    ]
    expect(((await domainOf(files)) as SortedKeys).rows).toBe(1)
  })

  it("refuses a key of 17 bytes, naming its place", async () => {
    const text = await domainOf([["t", Buffer.from(`a\n${"b".repeat(17)}\n`)]], { format: "text" })
    expect(text).toEqual({ _tag: "KeyTooLong", reason: "t: line 2 has more than 16 bytes" })
    const avro = Buffer.from(domainFile([1n, 2n]))
    // One key of 33 bytes instead of two of 16.
    avro[avro.length - 50] = 66
    avro[avro.length - 52] = 2
    expect(await domainOf([["d", avro]])).toMatchObject({
      _tag: "KeyTooLong",
      reason: expect.stringMatching(/^d: byte \d+: /)
    })
  })

  it("refuses a file that is cut or none of ours, naming object and byte", async () => {
    const bytes = domainFile([1n, 2n])
    expect(
      await domainOf([
        ["ok", bytes],
        ["cut", bytes.slice(0, -3)]
      ])
    ).toMatchObject({ _tag: "ReadFault", source: 1, offset: bytes.length - 52 })
    expect(await domainOf([["x", Buffer.from("hello")]])).toMatchObject({ _tag: "ReadFault", source: 0, offset: 0 })
  })
})
