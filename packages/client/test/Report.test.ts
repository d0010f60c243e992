import { runInNewContext } from "node:vm"
import { gzipSync } from "node:zlib"
import { decode } from "cborg"
import { describe, expect, it } from "vitest"
import * as client from "../src/index.ts"
import { bundle, open, tagOf, testKey } from "./support.ts"

const options = (contributions: client.Contributions) => ({
  publicKey: testKey,
  contributions,
  api: "shared-storage" as const,
  reportingOrigin: "https://reports.example.com",
  scheduledReportTime: 1_700_000_000
})

const openReport = ({ aggregation_service_payloads: [sealed], shared_info }: client.Report) => {
  if (sealed === undefined) throw new Error("no payload")
  return open({ ...sealed, shared_info })
}

describe("report", () => {
  it("is a browser's report: a payload, its key and the shared_info it is bound to", async () => {
    const contributions = new client.Contributions().add({ bucket: 5n, value: 7 })
    const made = await client.report(options(contributions))
    expect(Object.keys(made)).toEqual(["aggregation_service_payloads", "shared_info"])
    expect(made.aggregation_service_payloads.map(Object.keys)).toEqual([["payload", "key_id"]])
    expect(JSON.parse(made.shared_info)).toMatchObject({ api: "shared-storage", version: "1.0" })
    expect(Buffer.from(await openReport(made))).toEqual(Buffer.from(client.encodePayload(contributions)))
  })

  it("has version 0.1 exactly when it carries no filtering ids", async () => {
    const made = await client.report(options(new client.Contributions({ filteringIdBytes: 0 })))
    expect(JSON.parse(made.shared_info).version).toBe("0.1")
  })

  it("shows the cleartext only when asked to, in debug mode", async () => {
    const contributions = new client.Contributions().add({ bucket: 5n, value: 7 })
    const shown = { ...options(contributions), debugCleartext: true }
    expect(await tagOf(() => client.report(shown))).toBe("OptionRejected")
    const made = await client.report({ ...shown, debugMode: true })
    const cleartext = made.aggregation_service_payloads[0]?.debug_cleartext_payload ?? ""
    expect(Buffer.from(cleartext, "base64")).toEqual(Buffer.from(client.encodePayload(contributions)))
    const silent = await client.report({ ...options(contributions), debugMode: true })
    expect(silent.aggregation_service_payloads[0]).not.toHaveProperty("debug_cleartext_payload")
  })
})

describe("the bundle", () => {
  it("is at most 12 kB, gzipped", async () => {
    const size = gzipSync(await bundle()).length
    expect(size).toBeGreaterThan(1000)
    expect(size).toBeLessThanOrEqual(12_000)
  })

  it("seals in a bare realm that has only what it is handed", async () => {
    const realm = { handed: { crypto, TextEncoder }, testKey }
    const made = (await runInNewContext(
      `${await bundle()}
      if (typeof crypto !== "undefined" || typeof TextEncoder !== "undefined") throw new Error("not a bare realm")
      const contributions = new sotto.Contributions(handed)
        .add({ key: "campaign=12", value: sotto.scale({ max: 10, share: 0.5 }).toValue(5) })
        .add({ bucket: 9n, value: 4 })
      sotto.report({ ...handed, publicKey: testKey, contributions, api: "shared-storage",
        reportingOrigin: "https://reports.example.com", scheduledReportTime: new Date(1.7e12) })`,
      realm
    )) as client.Report
    const { data } = decode(await openReport(made)) as { data: Array<{ bucket: Uint8Array; value: Uint8Array }> }
    expect(data).toHaveLength(20)
    expect(data.slice(0, 3).map(({ value }) => Buffer.from(value).readUInt32BE())).toEqual([16_384, 4, 0])
    expect(Buffer.from(data[0]?.bucket ?? []).toString("hex")).toBe(
      client.bucketOf("campaign=12").toString(16).padStart(32, "0")
    )
  })

  it("says what a bare realm lacks when it is handed nothing", async () => {
    const script = `${await bundle()}; sotto.seal(testKey, { sharedInfo: "", payload: new Uint8Array(1) })`
    await expect(runInNewContext(script, { testKey })).rejects.toMatchObject({ _tag: "CryptoUnavailable" })
  })
})
