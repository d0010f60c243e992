import { readdirSync, readFileSync, statSync } from "node:fs"
import { decode } from "cborg"
import { afterAll, describe, expect, it } from "vitest"
import { fixture, inside, json, numberOf, readRows, temporary, writeDomain } from "./support/Sotto.ts"

const { path, remove } = temporary()
afterAll(remove)

/** Reports that Chrome encrypted, as `set/report_N`. */
const goldens = readdirSync(fixture("goldens"))
  .filter((set) => statSync(fixture(`goldens/${set}`)).isDirectory())
  .flatMap((set) =>
    readdirSync(fixture(`goldens/${set}`))
      .filter((name) => /^report_\d+\.json$/.test(name))
      .map((name) => `${set}/${name.replace(".json", "")}`)
  )

interface Payload {
  readonly data: ReadonlyArray<{ readonly bucket: Uint8Array; readonly value: Uint8Array; readonly id?: Uint8Array }>
}

/** Sums by bucket of the cleartext that Chrome published beside a report, by another CBOR library than ours. */
const sumsOf = (golden: string): ReadonlyMap<bigint, number> => {
  const payloads: ReadonlyArray<string> = JSON.parse(
    readFileSync(fixture(`goldens/${golden}_cleartext_payloads.json`), "utf8")
  )
  const sums = new Map<bigint, number>()
  for (const payload of payloads) {
    const { data } = decode(Buffer.from(payload, "base64")) as Payload
    for (const { bucket, value, id } of data) {
      if (id !== undefined && id.some((byte) => byte !== 0)) continue
      const amount = Number(numberOf(value))
      if (amount > 0) sums.set(numberOf(bucket), (sums.get(numberOf(bucket)) ?? 0) + amount)
    }
  }
  return sums
}

/** Packs one report and aggregates it in a run of its own. At ε = 64 and L1 = 1 the noise is 0, but for 3·10⁻²⁸. */
const run = async (golden: string, buckets: Iterable<bigint>, ...more: ReadonlyArray<string>) => {
  const name = golden.replace("/", "-")
  const packed = await inside("reports", "pack", "--out", path(`${name}.avro`), fixture(`goldens/${golden}.json`))
  expect(packed.code).toBe(0)
  await writeDomain(path(`${name}-domain.avro`), buckets)
  return json([
    "aggregate",
    "--keys",
    path("keys.json"),
    "--no-ledger",
    "--epsilon",
    "64",
    "--l1-sensitivity",
    "1",
    "--attribution-report-to",
    "https://report.test",
    "--as-of",
    "2009-02-14T00:00:00Z",
    "--input-data-avro-file",
    path(`${name}.avro`),
    "--domain-avro-file",
    path(`${name}-domain.avro`),
    "--output-directory",
    path(name),
    ...more
  ])
}

describe("the reports that Chrome encrypted", () => {
  it("are all here", () => expect(goldens).toHaveLength(11))

  it.each(goldens.filter((golden) => !golden.includes("no-version")))(
    "sum up to their cleartext: %s",
    async (golden) => {
      const sums = sumsOf(golden)
      const absent = 0xab5e27n
      const result = await run(golden, [...sums.keys(), absent])
      expect(result).toMatchObject({ returnCode: "SUCCESS", unprotected: { reports: 1, counted: 1, withErrors: 0 } })
      const { rows, header } = await readRows(path(golden.replace("/", "-"), "output.avro"))
      expect(new Map(rows.map(({ bucket, metric }) => [numberOf(bucket), metric]))).toEqual(
        new Map([...sums, [absent, 0]])
      )
      expect(header["sotto.ledger"]).toBe("none")
    }
  )

  it("do not open without a version, which counts as DECRYPTION_ERROR", async () => {
    const golden = "attribution-no-version/report_1"
    const counts = [
      { category: "DECRYPTION_ERROR", count: 1 },
      { category: "NUM_REPORTS_WITH_ERRORS", count: 1 }
    ]
    const tolerant = await run(golden, [1n], "--error-threshold", "100")
    expect(tolerant).toMatchObject({ returnCode: "SUCCESS_WITH_ERRORS", unprotected: { counted: 0 } })
    expect(tolerant["errorSummary"].errorCounts).toMatchObject(counts)
    const strict = await run(golden, [1n])
    expect(strict).toMatchObject({ returnCode: "REPORTS_WITH_ERRORS_EXCEEDED_THRESHOLD", files: [] })
    expect(strict["errorSummary"].errorCounts).toMatchObject(counts)
  })

  it("are too old by today's clock, and the command says what to do", async () => {
    const { code, stderr } = await inside(
      "aggregate",
      "--keys",
      path("keys.json"),
      "--no-ledger",
      "--attribution-report-to",
      "https://report.test",
      "--input-data-avro-file",
      path("attribution-1.0-report_1.avro"),
      "--output-directory",
      path("old"),
      "--domain-avro-file",
      path("attribution-1.0-report_1-domain.avro")
    )
    expect([code, stderr]).toEqual([1, expect.stringContaining("--as-of names the time to judge by")])
  })
})
