import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { pack, packFiles } from "../../src/reports/Pack.ts"
import { readReports } from "../../src/reports/ReportFile.ts"
import { fixture, temporaryFolder } from "./support.ts"

const goldens = readdirSync(fixture("goldens"), { recursive: true, encoding: "utf8" })
  .filter((path) => /report_\d+\.json$/.test(path))
  .map((path) => fixture(`goldens/${path}`))
  .sort()

const report = {
  aggregation_service_payloads: [{ payload: "AAEC", key_id: "k", debug_cleartext_payload: "AwQ=" }],
  shared_info: '{"api":"shared-storage"}',
  aggregation_coordinator_origin: "https://coordinator.example"
}
const file = (value: unknown) => [{ name: "a.json", text: JSON.stringify(value) }]

describe("pack", () => {
  it("takes payload, key id and shared_info as they stand, from one report a file or a list of them", () => {
    const row = { payload: Buffer.from([0, 1, 2]), key_id: "k", shared_info: '{"api":"shared-storage"}' }
    expect(pack(file(report), { cleartext: false })).toEqual([row])
    expect(pack(file([report, report]), { cleartext: false })).toEqual([row, row])
    expect(pack(file(report), { cleartext: true })).toEqual([{ ...row, payload: Buffer.from([3, 4]) }])
    expect(pack([], { cleartext: false })).toEqual([])
  })

  it.each([
    [[], "a.json: aggregation_service_payloads has 0 payloads"],
    [[{}, {}], "a.json: aggregation_service_payloads has 2 payloads; a report that can be aggregated has one."],
    ["x", "a.json: aggregation_service_payloads is not a list."],
    [["x"], "a.json: aggregation_service_payloads[0] is not an object."],
    [[{ key_id: "k" }], "a.json: aggregation_service_payloads[0].payload is missing."],
    [[{ payload: 1, key_id: "k" }], "a.json: aggregation_service_payloads[0].payload is not a string."],
    [[{ payload: "A", key_id: "k" }], "a.json: aggregation_service_payloads[0].payload is not base64 of a payload."],
    [[{ payload: "", key_id: "k" }], "a.json: aggregation_service_payloads[0].payload is not base64 of a payload."],
    [[{ payload: "AAEC" }], "a.json: aggregation_service_payloads[0].key_id is missing."]
  ])("names file and member: payloads %j", (aggregation_service_payloads, message) => {
    expect(() => pack(file({ ...report, aggregation_service_payloads }), { cleartext: false })).toThrow(message)
  })

  it.each([
    ["{", "a.json: is not JSON"],
    ["3", "a.json is not a report"],
    ["{}", "a.json: aggregation_service_payloads is missing."],
    [JSON.stringify([report, { ...report, shared_info: {} }]), "a.json: [1]: shared_info is not a string."],
    [JSON.stringify([[report]]), "a.json: [0] is not a report"]
  ])("names the file: %s", (text, message) => {
    expect(() => pack([{ name: "a.json", text }], { cleartext: false })).toThrow(message)
  })

  it("says that only debug reports carry their cleartext", () => {
    const plain = { ...report, aggregation_service_payloads: [{ payload: "AAEC", key_id: "k" }] }
    expect(() => pack(file(plain), { cleartext: true })).toThrow(
      /debug_cleartext_payload is missing: only debug reports/
    )
  })
})

describe("packFiles", () => {
  const folder = temporaryFolder()

  it("packs what Chrome wrote, unchanged", async () => {
    const out = join(folder, "goldens.avro")
    expect(await packFiles(goldens, out, { cleartext: false })).toBe(11)
    const rows = [...readReports(out)]
    expect(rows).toHaveLength(11)
    rows.forEach((row, i) => {
      const browser = JSON.parse(readFileSync(goldens[i] ?? "", "utf8"))
      expect(row.shared_info).toBe(browser.shared_info)
      expect(row.key_id).toBe("example_id")
      expect(Buffer.from(row.payload).toString("base64")).toBe(browser.aggregation_service_payloads[0].payload)
    })
    await packFiles(goldens, join(folder, "again.avro"), { cleartext: false })
    expect(readFileSync(join(folder, "again.avro"))).toEqual(readFileSync(out))
  })

  it("takes the cleartext that Chrome put into debug reports", async () => {
    const out = join(folder, "cleartext.avro")
    await packFiles([fixture("goldens/attribution-1.0/report_1.json")], out, { cleartext: true })
    const [expected] = JSON.parse(
      readFileSync(fixture("goldens/attribution-1.0/report_1_cleartext_payloads.json"), "utf8")
    )
    expect([...readReports(out)].map(({ payload }) => Buffer.from(payload).toString("base64"))).toEqual([expected])
  })

  it("writes no file when one report is wrong or missing", async () => {
    const bad = join(folder, "bad.json")
    writeFileSync(bad, "{}")
    const out = join(folder, "none.avro")
    await expect(packFiles([...goldens, bad], out, { cleartext: false })).rejects.toThrow(`${bad}: aggregation_service`)
    await expect(packFiles([join(folder, "nowhere.json")], out, { cleartext: false })).rejects.toThrow("cannot be read")
    expect(readdirSync(folder)).not.toContain("none.avro")
  })
})
