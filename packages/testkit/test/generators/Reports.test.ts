import { createPublicKey, generateKeyPairSync } from "node:crypto"
import {
  Contributions,
  decodePayload,
  PAYLOAD_HISTOGRAM,
  parseSharedInfo,
  filteringIds,
  reportChecker
} from "@sotto/core/aggregation"
import { parseInstant, printInstant } from "@sotto/core/Instant"
import { parseVersion } from "@sotto/core/budget"
import { seal } from "@sotto/client"
import {
  contributions,
  instants,
  origins,
  printPayload,
  reports,
  sealedReports,
  sharedInfos,
  siteOfExample,
  sites,
  versions
} from "@sotto/testkit/generators"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { everything } from "./support.ts"

const unless = (sound: boolean, fault: string): ReadonlyArray<string> => (sound ? [] : [fault])

describe("generated", () => {
  it("origins belong to sites", () => {
    everything(sites, (site) => unless(siteOfExample(site) === site && new URL(site).origin === site, "no site"))
    everything(origins, (origin) =>
      unless(new URL(origin).origin === origin && siteOfExample(origin) !== undefined, "no")
    )
  })

  it("instants and versions read back", () => {
    everything(instants, (at) => unless(JSON.stringify(parseInstant(printInstant(at))) === JSON.stringify(at), "no"))
    everything(versions, (version) => unless(parseVersion(version) !== undefined, "no version"))
  })

  it("contributions are those of an honest report, and payloads hold them", () => {
    everything(contributions, (list) => {
      const sink = new Contributions(1)
      const payload = printPayload(list)
      const outcome = decodePayload(payload, 0, payload.length, sink)
      const sum = list.reduce((total, { value }) => total + value, 0)
      return [
        ...unless(outcome === PAYLOAD_HISTOGRAM && sum <= 65_536, "no histogram"),
        ...unless(
          sink.toArray().every((one, i) => one.id === list[i]?.id && one.bucket === list[i]?.bucket),
          "another"
        )
      ]
    })
  })

  it("reports pass every check of a job that takes their site", () => {
    everything(sharedInfos, (info) => unless(info.reportId !== undefined, "no id"))
    everything(reports, ({ info, sharedInfo }) => {
      const read = parseSharedInfo(sharedInfo)
      if (read === undefined) return ["unreadable"]
      const check = reportChecker({
        reporter: { _tag: "Site", reportingSite: siteOfExample(info.reportingOrigin) ?? "" },
        siteOf: siteOfExample,
        filteringIds: filteringIds([0n]),
        debugRun: false,
        asOf: info.scheduledReportTime.seconds * 1_000,
        checks: "full"
      })
      const faults = check(read, true, new Uint32Array(4))
      return [
        ...unless(faults === 0, `errors ${faults}`),
        ...unless(JSON.stringify(read) === JSON.stringify(info), "other")
      ]
    })
  })

  it("reports are sealed by whoever can", async () => {
    const { publicKey } = generateKeyPairSync("x25519")
    const raw = createPublicKey(publicKey.export({ type: "spki", format: "pem" })).export({
      type: "spki",
      format: "der"
    })
    const key = { id: "first", key: raw.subarray(-32).toString("base64") }
    const makers = fc.sample(
      sealedReports((report) => seal(key, report), 3),
      { numRuns: 5, seed: 2 }
    )
    const sealed = (await Promise.all(makers.map((make) => make()))).flat()
    expect(sealed.length).toBeGreaterThan(0)
    expect(sealed.filter(({ key_id }) => key_id !== "first")).toEqual([])
  })
})
