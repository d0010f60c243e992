/**
 * What a lane does with a stretch of one file: decompress, find the rows, open, check, decode (spec: aggregation §3, §4).
 *
 * The result is flat arrays in row order; whether a report counts (its id may have been seen before) is decided where
 * all results meet. Effect-free, clock-free and independent of threads.
 */
import {
  type AvroRejected,
  type Codec,
  decompress,
  isRejected,
  REPORT_COLUMNS,
  reportScanner,
  type ReportScanner
} from "@sotto/avro"
import {
  Contributions,
  decodePayload,
  errorBit,
  filteringIds,
  parseSharedInfo,
  PAYLOAD_HISTOGRAM,
  PAYLOAD_MALFORMED,
  reportChecker,
  type Reporter,
  type SharedInfo,
  UNSUPPORTED_MAJOR_VERSION
} from "@sotto/core/aggregation"
import { budgetUnit, MAC_BYTES, reportMacs, type UnitId, type UnitSource } from "@sotto/core/budget"
import { hourOf } from "@sotto/core/Instant"
import { DESCRIPTOR, ENC_BYTES, open, OPENED, type Recipient, recipient, SEALED, TAG_BYTES } from "../hpke/index.ts"

/** `SumRules` as they travel to a lane. */
export interface BatchRules {
  readonly input: "encrypted" | "cleartext"
  readonly checks: "full" | "reduced"
  readonly reporter: Reporter
  readonly filteringIds: ReadonlyArray<bigint>
  readonly debugRun: boolean
  readonly asOf: number
  readonly fingerprintKey: Uint8Array | undefined
}

/** Whole blocks of one file, as they are stored, one after another in `data`. */
export interface Batch {
  /** Position of the file among the inputs. */
  readonly file: number
  /** For messages. */
  readonly name: string
  readonly schema: string
  readonly codec: Codec
  readonly data: Uint8Array<ArrayBuffer>
  readonly blocks: ReadonlyArray<{
    /** Byte of the file where the block begins. */
    readonly offset: number
    readonly rows: number
    readonly length: number
  }>
}

/** A private key, or what its absence means: for the reports that name it, or for the whole job. */
export type KeyAnswer =
  | { readonly _tag: "Key"; readonly privateKey: Uint8Array }
  | { readonly _tag: "NoKey"; readonly mask: number }
  | {
      readonly _tag: "JobFails"
      readonly tag: "KeyDenied" | "KeyUnavailable"
      readonly keyId: string
      readonly message: string
    }

/** What a lane must be told by the thread of the engine. */
export interface Questions {
  readonly keyIds: ReadonlyArray<string>
  readonly origins: ReadonlyArray<string>
}
export interface Answers {
  readonly keys: ReadonlyArray<KeyAnswer>
  readonly sites: ReadonlyArray<string | undefined>
}

/** What ends the job at a row. */
export type Fatal =
  | { readonly _tag: "Input"; readonly offset: number | undefined; readonly reason: string }
  | { readonly _tag: "Version"; readonly version: string }
  | {
      readonly _tag: "Key"
      readonly tag: "KeyDenied" | "KeyUnavailable"
      readonly keyId: string
      readonly message: string
    }

/** Reports of one batch that share their budget units. */
export interface UnitGroup {
  /** The source but for the time of the report, of which only the hour matters. */
  readonly source: Omit<UnitSource, "scheduledReportTime">
  readonly hour: number
  /** One for each requested filtering id, in their order. */
  readonly ids: ReadonlyArray<UnitId>
}

/** Row `i` of the first `rows` rows: its entries in arrays of that length, its contributions `ends[i − 1] … ends[i] − 1`. */
export interface BatchResult {
  readonly rows: number
  /** Failures of each report; of a failed one the other entries are meaningless and there are no contributions. */
  readonly masks: Uint32Array<ArrayBuffer>
  /** Four words each. */
  readonly reportIds: Uint32Array<ArrayBuffer>
  readonly ends: Uint32Array<ArrayBuffer>
  readonly buckets: Uint32Array<ArrayBuffer>
  readonly values: Uint32Array<ArrayBuffer>
  readonly contributionIds: Uint32Array<ArrayBuffer>
  /** 32 bytes each; empty without a fingerprint key. */
  readonly macs: Uint8Array<ArrayBuffer>
  /** Which of `groups`. */
  readonly group: Uint32Array<ArrayBuffer>
  readonly groups: ReadonlyArray<UnitGroup>
  readonly seconds: Float64Array<ArrayBuffer>
  readonly nanos: Uint32Array<ArrayBuffer>
  /** Met behind the last of the rows. */
  readonly fatal: Fatal | undefined
}

const DECRYPTION_ERROR = errorBit("DECRYPTION_ERROR")
const REPORT_PARSING_ERROR = errorBit("REPORT_PARSING_ERROR")
const REQUIRED_FIELD = errorBit("REQUIRED_SHAREDINFO_FIELD_INVALID")
const KEY_FETCH_ERROR = errorBit("DECRYPTION_KEY_FETCH_ERROR")

/** Not to be opened, in the statuses that `open` looks at. */
const NOT_MINE = 255

/** What a lane remembers is dropped beyond this, because whoever writes reports chooses key ids, origins and shared infos. */
const MAX_REMEMBERED = 10_000

type HeldKey = Recipient | Exclude<KeyAnswer, { _tag: "Key" }>

interface Rows {
  readonly data: Buffer
  readonly table: Uint32Array
  readonly count: number
  readonly infos: ReadonlyArray<SharedInfo | undefined>
  /** Index into the key ids of the batch, one per row; empty for cleartext. */
  readonly keys: Uint32Array
}

/** A function for the batches of one job; call it for one batch at a time. */
export const batchReader = (
  rules: BatchRules,
  ask: (questions: Questions) => Promise<Answers>
): ((batch: Batch) => Promise<BatchResult>) => {
  const ids = filteringIds(rules.filteringIds)
  const macs = rules.fingerprintKey === undefined ? undefined : reportMacs(rules.fingerprintKey)
  const held = new Map<string, HeldKey>()
  const sites = new Map<string, string | undefined>()
  const unitIds = new Map<string, ReadonlyArray<UnitId> | undefined>()
  const contributions = new Contributions(1 << 16)
  const idWords = new Uint32Array(4)
  const check = reportChecker({
    reporter: rules.reporter,
    siteOf: (origin) => sites.get(origin),
    filteringIds: ids,
    debugRun: rules.debugRun,
    asOf: rules.asOf,
    checks: rules.checks
  })
  const needsSites = rules.reporter._tag === "Site" && rules.checks === "full"
  let scanner: { readonly file: number; readonly scanner: ReportScanner | AvroRejected } | undefined

  const scannerOf = (batch: Batch): ReportScanner | AvroRejected => {
    if (scanner?.file !== batch.file) scanner = { file: batch.file, scanner: reportScanner(batch.name, batch) }
    return scanner.scanner
  }

  /** Everything that needs no answer from another thread. */
  const findRows = (batch: Batch, keyIds: Map<string, number>, origins: Set<string>) => {
    const found: Array<Rows> = []
    const rowScanner = scannerOf(batch)
    if (isRejected(rowScanner)) return { found, fatal: unreadable(rowScanner) }
    let at = 0
    for (const { offset, rows, length } of batch.blocks) {
      const bytes = decompress(batch.name, batch.codec, { offset, rows, bytes: batch.data.subarray(at, at + length) })
      at += length
      if (isRejected(bytes)) return { found, fatal: unreadable(bytes) }
      const table = rowScanner.scan({ offset, rows }, bytes)
      if (isRejected(table)) return { found, fatal: unreadable(table) }
      found.push(describe(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), table, keyIds, origins))
    }
    return { found, fatal: undefined }
  }

  const describe = (data: Buffer, table: Uint32Array, keyIds: Map<string, number>, origins: Set<string>): Rows => {
    const count = table.length / REPORT_COLUMNS
    const infos: Array<SharedInfo | undefined> = []
    const keys = new Uint32Array(rules.input === "encrypted" ? count : 0)
    let last = ""
    let lastAt = 0
    let lastLength = -1
    let lastKey = 0
    for (let row = 0; row < count; row++) {
      const at = row * REPORT_COLUMNS
      const infoAt = table[at + 4]!
      const info = parseSharedInfo(data.toString("utf8", infoAt, infoAt + table[at + 5]!))
      infos.push(info)
      if (needsSites && info !== undefined) origins.add(info.reportingOrigin)
      if (rules.input === "cleartext") continue
      // Reports of one file nearly always name one key.
      const keyAt = table[at + 2]!
      const length = table[at + 3]!
      if (length !== lastLength || data.compare(data, lastAt, lastAt + length, keyAt, keyAt + length) !== 0) {
        last = data.toString("utf8", keyAt, keyAt + length)
        lastAt = keyAt
        lastLength = length
        lastKey = keyIds.get(last) ?? keyIds.size
        keyIds.set(last, lastKey)
      }
      keys[row] = lastKey
    }
    return { data, table, count, infos, keys }
  }

  const learn = async (
    keyIds: ReadonlyArray<string>,
    origins: ReadonlyArray<string>
  ): Promise<ReadonlyArray<HeldKey>> => {
    // Dropped before anything of this batch is looked up, so that what it needs is there until it is done.
    if (held.size > MAX_REMEMBERED) held.clear()
    if (sites.size > MAX_REMEMBERED) sites.clear()
    const newKeys = keyIds.filter((id) => !held.has(id))
    const newOrigins = origins.filter((origin) => !sites.has(origin))
    if (newKeys.length > 0 || newOrigins.length > 0) {
      const answers = await ask({ keyIds: newKeys, origins: newOrigins })
      newKeys.forEach((id, i) => held.set(id, heldKey(answers.keys[i]!)))
      newOrigins.forEach((origin, i) => sites.set(origin, answers.sites[i]))
    }
    return keyIds.map((id) => held.get(id)!)
  }

  /** Opens the reports of one block in place. */
  const openRows = ({ data, table, count, keys }: Rows, recipients: ReadonlyArray<HeldKey>): Uint8Array => {
    const statuses = new Uint8Array(count)
    if (rules.input === "cleartext") return statuses.fill(OPENED)
    const descriptors = new Uint32Array(DESCRIPTOR * count)
    for (let row = 0; row < count; row++) {
      const [from, to] = [row * REPORT_COLUMNS, row * DESCRIPTOR]
      descriptors[to] = table[from]!
      descriptors[to + 1] = table[from + 1]!
      descriptors[to + 2] = table[from + 4]!
      descriptors[to + 3] = table[from + 5]!
    }
    statuses.fill(NOT_MINE)
    for (const key of new Set(keys)) {
      const to = recipients[key]!
      if ("_tag" in to) continue
      for (let row = 0; row < count; row++) if (keys[row] === key) statuses[row] = SEALED
      open(to, data, descriptors, count, statuses)
    }
    return statuses
  }

  const unitsOf = (info: SharedInfo, hour: number): ReadonlyArray<UnitId> | undefined => {
    const name = JSON.stringify([
      info.api,
      info.version,
      info.reportingOrigin,
      info.attributionDestination,
      info.sourceRegistrationTime?.seconds,
      info.sourceRegistrationTime?.nanos,
      hour
    ])
    const known = unitIds.get(name)
    if (known !== undefined || unitIds.has(name)) return known
    if (unitIds.size * ids.ids.length > MAX_REMEMBERED) unitIds.clear()
    const units = ids.ids.map((id) => budgetUnit(info, id))
    const found = units.some((unit) => "_tag" in unit) ? undefined : units.map((unit) => (unit as { id: UnitId }).id)
    unitIds.set(name, found)
    return found
  }

  return async (batch) => {
    const keyIds = new Map<string, number>()
    const origins = new Set<string>()
    const { found, fatal: cut } = findRows(batch, keyIds, origins)
    const recipients = await learn([...keyIds.keys()], [...origins])

    const total = found.reduce((sum, rows) => sum + rows.count, 0)
    const masks = new Uint32Array(total)
    const reportIds = new Uint32Array(4 * total)
    const ends = new Uint32Array(total)
    const macBytes = new Uint8Array(macs === undefined ? 0 : MAC_BYTES * total)
    const group = new Uint32Array(total)
    const seconds = new Float64Array(total)
    const nanos = new Uint32Array(total)
    const groups: Array<UnitGroup> = []
    const groupOf = new Map<ReadonlyArray<UnitId>, number>()
    contributions.clear()
    let n = 0
    let fatal: Fatal | undefined = cut

    /** The failures of one report, or what ends the job. */
    const examine = (rows: Rows, row: number, status: number): number | Fatal => {
      const { data, table } = rows
      const at = row * REPORT_COLUMNS
      const payloadAt = table[at]!
      const payloadEnd = payloadAt + table[at + 1]!
      const encrypted = rules.input === "encrypted"
      if (encrypted) {
        const key = recipients[rows.keys[row]!]!
        if ("_tag" in key) {
          if (key._tag === "NoKey") return key.mask
          return { _tag: "Key", tag: key.tag, keyId: key.keyId, message: key.message }
        }
      }
      const info = rows.infos[row]
      if (status !== OPENED || info === undefined) return DECRYPTION_ERROR
      const [from, to] = encrypted ? [payloadAt + ENC_BYTES, payloadEnd - TAG_BYTES] : [payloadAt, payloadEnd]
      const outcome = decodePayload(data, from, to, contributions)
      if (outcome === PAYLOAD_MALFORMED) return REPORT_PARSING_ERROR
      const mask = check(info, outcome === PAYLOAD_HISTOGRAM, idWords)
      if (mask === UNSUPPORTED_MAJOR_VERSION) return { _tag: "Version", version: info.version }
      if (mask !== 0) return mask
      const { seconds: second, nanos: nano } = info.scheduledReportTime
      const hour = hourOf(info.scheduledReportTime)
      const units = unitsOf(info, hour)
      // A report without units could not be paid for.
      if (units === undefined) return REQUIRED_FIELD
      let index = groupOf.get(units)
      if (index === undefined) {
        index = groups.length
        groupOf.set(units, index)
        groups.push({ source: sourceOf(info), hour, ids: units })
      }
      group[n] = index
      seconds[n] = second
      nanos[n] = nano
      reportIds.set(idWords, 4 * n)
      if (macs === undefined) return 0
      const infoAt = table[at + 4]!
      const sharedInfo = data.subarray(infoAt, infoAt + table[at + 5]!)
      const mac = macBytes.subarray(MAC_BYTES * n, MAC_BYTES * n + MAC_BYTES)
      if (encrypted) {
        const enc = data.subarray(payloadAt, payloadAt + ENC_BYTES)
        macs.encrypted(enc, data.subarray(payloadEnd - TAG_BYTES, payloadEnd), sharedInfo, mac)
      } else macs.cleartext(data.subarray(payloadAt, payloadEnd), sharedInfo, mac)
      return 0
    }

    read: for (const rows of found) {
      const statuses = openRows(rows, recipients)
      for (let row = 0; row < rows.count; row++) {
        const before = contributions.length
        const verdict = examine(rows, row, statuses[row]!)
        if (verdict !== 0) contributions.length = before
        if (typeof verdict !== "number") {
          fatal = verdict
          break read
        }
        masks[n] = verdict
        ends[n] = contributions.length
        n++
      }
    }
    const { length, buckets, values, ids: contributionIds } = contributions
    return {
      rows: n,
      masks,
      reportIds,
      ends,
      buckets: buckets.slice(0, 4 * length),
      values: values.slice(0, length),
      contributionIds: contributionIds.slice(0, 2 * length),
      macs: macBytes,
      group,
      groups,
      seconds,
      nanos,
      fatal
    } as BatchResult
  }
}

const unreadable = ({ offset, reason }: AvroRejected): Fatal => ({ _tag: "Input", offset, reason })

const heldKey = (answer: KeyAnswer): HeldKey =>
  answer._tag === "Key" ? (recipient(answer.privateKey) ?? { _tag: "NoKey", mask: KEY_FETCH_ERROR }) : answer

const sourceOf = (info: SharedInfo): UnitGroup["source"] => ({
  api: info.api,
  version: info.version,
  reportingOrigin: info.reportingOrigin,
  attributionDestination: info.attributionDestination,
  sourceRegistrationTime: info.sourceRegistrationTime
})

/** The buffers of a result, to be moved. */
export const buffersOf = (result: BatchResult): ReadonlyArray<ArrayBuffer> => [
  result.masks.buffer,
  result.reportIds.buffer,
  result.ends.buffer,
  result.buckets.buffer,
  result.values.buffer,
  result.contributionIds.buffer,
  result.macs.buffer,
  result.group.buffer,
  result.seconds.buffer,
  result.nanos.buffer
]
