/** Reports as browsers send them: what they say in clear text, what they hide, and how it is written down. */
import type { Contribution, SharedInfo } from "@sotto/core/aggregation"
import { SUPPORTED_APIS, type SupportedApi } from "@sotto/core/budget"
import { type Instant, instant } from "@sotto/core/Instant"
import * as fc from "fast-check"

const labels = fc
  .array(fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789"), { minLength: 1, maxLength: 8 })
  .map((letters) => letters.join(""))

/** Sites under `example`: `https://shop.example`. */
export const sites: fc.Arbitrary<string> = labels.map((label) => `https://${label}.example`)

/** Origins of those sites, with and without a subdomain or a port. */
export const origins: fc.Arbitrary<string> = fc
  .record({
    sub: fc.option(labels),
    label: labels,
    port: fc.option(fc.integer({ min: 1_024, max: 65_535 }))
  })
  .map(
    ({ sub, label, port }) =>
      `https://${sub === null ? "" : `${sub}.`}${label}.example${port === null ? "" : `:${port}`}`
  )

/** The site of such an origin, where no list of public suffixes is at hand. */
export const siteOfExample = (origin: string): string | undefined => {
  const match = /^https:\/\/(?:[^/]*\.)?([a-z0-9]+)\.example(?::\d+)?$/.exec(origin)
  return match === null ? undefined : `https://${match[1]}.example`
}

export const apis: fc.Arbitrary<SupportedApi> = fc.constantFrom(...SUPPORTED_APIS)

/** Versions that are aggregated today. */
export const versions: fc.Arbitrary<string> = fc.constantFrom("0.1", "1.0")

/** From 2001 to 2033, mostly whole seconds, some with nanoseconds. */
export const instants: fc.Arbitrary<Instant> = fc
  .tuple(fc.integer({ min: 1_000_000_000, max: 2_000_000_000 }), fc.oneof(fc.constant(0), fc.nat({ max: 999_999_999 })))
  .map(([seconds, nanos]) => instant(seconds, nanos) as Instant)

/** 0 … 2¹²⁸ − 1, the edges of its words often. */
export const buckets: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 32n, 2n ** 64n, 2n ** 96n, 2n ** 128n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n })
)

const ids = fc.oneof(fc.nat({ max: 255 }).map(BigInt), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))

/** What one honest report carries: at most 20 contributions whose values add up to at most 65 536. */
export const contributions: fc.Arbitrary<ReadonlyArray<Contribution>> = fc.array(
  fc.record({ bucket: buckets, value: fc.nat({ max: 3_276 }), id: ids }),
  { maxLength: 20 }
)

/** What a report says of itself; with a destination exactly if its API has one. */
export const sharedInfos: fc.Arbitrary<SharedInfo> = apis.chain((api) =>
  fc.record(
    {
      version: versions,
      scheduledReportTime: instants,
      reportingOrigin: origins,
      api: fc.constant(api),
      reportId: fc.uuid(),
      ...(api.startsWith("attribution") ? { attributionDestination: sites, sourceRegistrationTime: instants } : {}),
      debugMode: fc.constant("enabled")
    },
    {
      requiredKeys: [
        "version",
        "scheduledReportTime",
        "reportingOrigin",
        "api",
        "reportId",
        ...(api.startsWith("attribution") ? (["attributionDestination"] as const) : [])
      ]
    }
  )
) as fc.Arbitrary<SharedInfo>

/** The JSON text that a browser writes of it. */
export const printSharedInfo = (info: SharedInfo): string =>
  JSON.stringify({
    api: info.api,
    attribution_destination: info.attributionDestination,
    debug_mode: info.debugMode,
    report_id: info.reportId,
    reporting_origin: info.reportingOrigin,
    scheduled_report_time: printSeconds(info.scheduledReportTime),
    source_registration_time: info.sourceRegistrationTime && printSeconds(info.sourceRegistrationTime),
    version: info.version
  })

const printSeconds = ({ seconds, nanos }: Instant): string =>
  nanos === 0 ? `${seconds}` : `${seconds}.${String(nanos).padStart(9, "0")}`

/** The CBOR of a payload as Chrome writes it; at most 255 contributions (spec: aggregation §3.6). */
export const printPayload = (list: ReadonlyArray<Contribution>): Uint8Array =>
  Uint8Array.from([
    0xa2,
    ...text("data"),
    ...(list.length < 24 ? [0x80 + list.length] : [0x98, list.length]),
    ...list.flatMap(({ bucket, value, id }) => [
      0xa3,
      ...text("id"),
      ...bytes(id, id < 256n ? 1 : 8),
      ...text("value"),
      ...bytes(BigInt(value), 4),
      ...text("bucket"),
      ...bytes(bucket, 16)
    ]),
    ...text("operation"),
    ...text("histogram")
  ])

const text = (word: string): ReadonlyArray<number> => [0x60 + word.length, ...Array.from(word, (c) => c.charCodeAt(0))]

/** Big-endian, `size` bytes, at most 23. */
const bytes = (value: bigint, size: number): ReadonlyArray<number> => [
  0x40 + size,
  ...Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn))
]

/** A report before it is sealed, with what is in it. */
export interface OpenReport {
  readonly info: SharedInfo
  readonly contributions: ReadonlyArray<Contribution>
  /** `info` as it is sent. */
  readonly sharedInfo: string
  /** `contributions` as they are encrypted. */
  readonly payload: Uint8Array
}

export const reports: fc.Arbitrary<OpenReport> = fc
  .record({ info: sharedInfos, contributions })
  .map(({ info, contributions: list }) => ({
    info,
    contributions: list,
    sharedInfo: printSharedInfo(info),
    payload: printPayload(list)
  }))

/** Some reports, each with an id of its own, sealed by `seal`: `(report) => seal(publicKey, report)` of `@sotto/client`. */
export const sealedReports = <Sealed>(
  seal: (report: Pick<OpenReport, "sharedInfo" | "payload">) => Promise<Sealed>,
  maxLength = 10
): fc.Arbitrary<() => Promise<ReadonlyArray<Sealed>>> =>
  fc
    .uniqueArray(reports, { selector: ({ info }) => info.reportId ?? "", maxLength })
    .map((list) => () => Promise.all(list.map(seal)))
