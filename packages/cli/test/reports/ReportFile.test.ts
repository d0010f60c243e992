import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { AVRO_SCHEMAS } from "@sotto/core/aggregation"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { readReports, rowBlocks, writeAvro, writeWhole } from "../../src/reports/ReportFile.ts"
import { fixture, temporaryFolder } from "./support.ts"

const folder = temporaryFolder()
const path = join(folder, "reports.avro")

describe("ReportFile", () => {
  it("reads back what it wrote, over any number of blocks", async () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            payload: fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constant(new Uint8Array(200_000).fill(7))),
            key_id: fc.string({ unit: "binary", maxLength: 5 }),
            shared_info: fc.string({ unit: "binary", maxLength: 20 })
          }),
          { maxLength: 12 }
        ),
        async (rows) => {
          await writeAvro(path, AVRO_SCHEMAS.reports, "test", (write) => rowBlocks(rows, write))
          const read = [...readReports(path)] as typeof rows
          const printed = (list: typeof rows) =>
            list.map((row) => [Buffer.from(row.payload).toString("base64"), row.key_id, row.shared_info])
          expect(printed(read)).toEqual(printed(rows))
        }
      ),
      { numRuns: 30 }
    ))

  it("reads a file of the original service", () => {
    const rows = [...readReports(fixture("sample/output_debug_reports.avro"))]
    expect(rows).toHaveLength(1)
    expect(JSON.parse(rows[0]?.shared_info ?? "")).toMatchObject({ api: "attribution-reporting", version: "0.1" })
  })

  it("names file and place of what it cannot read", async () => {
    expect(() => [...readReports(join(folder, "nowhere.avro"))]).toThrow(/nowhere\.avro cannot be read/)
    expect(() => [...readReports(fixture("sample/output_domain.avro"))]).toThrow(
      /output_domain\.avro: byte 0: .*payload/
    )
    await writeAvro(path, AVRO_SCHEMAS.reports, "cut", (write) =>
      rowBlocks([{ payload: new Uint8Array(9), key_id: "k", shared_info: "{}" }], write)
    )
    const cut = join(folder, "cut.avro")
    writeFileSync(cut, readFileSync(path).subarray(0, -1))
    expect(() => [...readReports(cut)]).toThrow(/cut\.avro: byte \d+: the file ends/)
  })

  it("keeps the old file and no part of the new one when writing fails", async () => {
    const kept = join(folder, "kept")
    writeFileSync(kept, "old")
    const before = readdirSync(folder)
    await expect(
      writeWhole(kept, (write) => {
        write(Buffer.from("new"))
        throw new Error("disk full")
      })
    ).rejects.toThrow("disk full")
    expect(readFileSync(kept, "utf8")).toBe("old")
    expect(readdirSync(folder)).toEqual(before)
    await expect(writeWhole(join(folder, "no", "where"), () => {})).rejects.toThrow(/cannot be written/)
  })
})
