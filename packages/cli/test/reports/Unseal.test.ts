import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { pack, packFiles } from "../../src/reports/Pack.ts"
import { readReports, type ReportRow } from "../../src/reports/ReportFile.ts"
import { unseal, unsealFile } from "../../src/reports/Unseal.ts"
import { fixture, temporaryFolder, testKey } from "./support.ts"

const names = readdirSync(fixture("goldens"), { recursive: true, encoding: "utf8" })
  .filter((path) => /report_\d+\.json$/.test(path))
  .sort()
const files = names.map((name) => ({ name, text: readFileSync(fixture(`goldens/${name}`), "utf8") }))
const rows = pack(files, { cleartext: false })
const rowOf = (name: string) => rows[names.indexOf(name)] as ReportRow
const cleartextOf = (name: string) => {
  const [text] = JSON.parse(
    readFileSync(fixture(`goldens/${name.replace(".json", "_cleartext_payloads.json")}`), "utf8")
  )
  return text as string
}

describe("unseal", () => {
  it("opens what Chrome sealed, except the report whose context had a NUL in it", () => {
    const results = [...unseal(rows, [testKey])]
    expect(results).toHaveLength(11)
    results.forEach((result, i) => {
      const name = names[i] ?? ""
      expect(result.index).toBe(i)
      if (name.startsWith("attribution-no-version"))
        expect(result).toMatchObject({ _tag: "NotOpened", keyId: "example_id" })
      else if (result._tag !== "Opened") expect.unreachable(name)
      else {
        expect(Buffer.from(result.row.payload).toString("base64")).toBe(cleartextOf(name))
        expect(result.row).toMatchObject({ key_id: "example_id", shared_info: rows[i]?.shared_info })
      }
    })
  })

  it("opens nothing that was changed in any byte, and leaves its input as it was", () => {
    const row = rowOf("attribution-debug-1.0/report_1.json")
    const before = Buffer.from(row.payload)
    fc.assert(
      fc.property(
        fc.nat(row.payload.length + row.shared_info.length - 1),
        fc.integer({ min: 1, max: 127 }),
        (at, flip) => {
          const payload = Uint8Array.from(row.payload)
          let { shared_info } = row
          if (at < payload.length) payload[at] = (payload[at] as number) ^ flip
          else {
            const i = at - payload.length
            shared_info =
              shared_info.slice(0, i) + String.fromCharCode(shared_info.charCodeAt(i) ^ flip) + shared_info.slice(i + 1)
          }
          // X25519 masks the last bit of a point (RFC 7748 §5), but the key schedule holds it.
          expect([...unseal([{ ...row, payload, shared_info }], [testKey])]).toMatchObject([{ _tag: "NotOpened" }])
        }
      )
    )
    expect(Buffer.from(row.payload)).toEqual(before)
  })

  it("tells a missing key from one that does not open, and goes on", () => {
    const row = rowOf("attribution-1.0/report_1.json")
    const other = { id: "other", privateKey: Buffer.alloc(32, 7) }
    const mixed = [
      { ...row, key_id: "lost" },
      { ...row, key_id: "other" },
      { ...row, payload: new Uint8Array(47) },
      row
    ]
    expect([...unseal(mixed, [testKey, other])].map(({ _tag }) => _tag)).toEqual([
      "KeyNotFound",
      "NotOpened",
      "NotOpened",
      "Opened"
    ])
  })

  it("refuses a key that is none", () => {
    expect(() => [...unseal(rows, [{ id: "short", privateKey: new Uint8Array(31) }])]).toThrow(
      'The private key "short" has 31 bytes; an X25519 key has 32.'
    )
  })
})

describe("unsealFile", () => {
  const folder = temporaryFolder()
  const sealed = join(folder, "sealed.avro")

  it("writes the rows that open and counts the others", async () => {
    await packFiles(
      names.map((name) => fixture(`goldens/${name}`)),
      sealed,
      { cleartext: false }
    )
    const out = join(folder, "clear.avro")
    expect(await unsealFile(sealed, out, [testKey])).toMatchObject({
      opened: 10,
      refused: 1,
      first: { _tag: "NotOpened" }
    })
    expect([...readReports(out)].map(({ payload }) => Buffer.from(payload).toString("base64"))).toEqual(
      names.filter((name) => !name.startsWith("attribution-no-version")).map(cleartextOf)
    )
  })

  it("writes nothing when no row opens", async () => {
    const out = join(folder, "none.avro")
    await expect(unsealFile(sealed, out, [])).rejects.toThrow(
      /None of the 11 reports of .* opens; the first \(row 0\): no key/
    )
    expect(readdirSync(folder)).not.toContain("none.avro")
  })
})
