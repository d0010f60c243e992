import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { locate } from "../src/Locate.ts"

const folder = mkdtempSync(join(tmpdir(), "sotto-local-"))
const path = (...names: ReadonlyArray<string>): string => join(folder, ...names)

beforeAll(() => {
  mkdirSync(path("reports"))
  writeFileSync(path("reports", "a-1.avro"), "")
  writeFileSync(path("reports", "a-10.avro"), "")
})
afterAll(() => rmSync(folder, { recursive: true }))

describe("locate", () => {
  it("takes a file literally, even where other names begin so", () =>
    expect(locate(path("reports", "a-1.avro"))).toEqual({ folder: path("reports"), prefix: "a-1.avro", exact: true }))

  it("means everything in a folder, with or without a slash", () => {
    const all = { folder: path("reports"), prefix: "", exact: false }
    expect([locate(path("reports")), locate(`${path("reports")}/`)]).toEqual([all, all])
  })

  it("means all files whose names begin so", () =>
    expect(locate(path("reports", "a-1"))).toEqual({ folder: path("reports"), prefix: "a-1", exact: false }))

  it.each(["nope", "nope/", "reports/b", "reports/a-1/", "nope/a", "reports/a-1.avro/x"])("leads nowhere: %s", (name) =>
    expect(locate(`${folder}/${name}`)).toBeUndefined()
  )
})
