import { readFileSync } from "node:fs"
import { parseEpsilon, EPSILON_DECIMALS } from "@sotto/core/budget"
import { accuracy } from "@sotto/core/noise"
import { type AvroFile, type AvroRow, readAvroFile } from "../AvroFile.ts"
import { CommandError, UsageError } from "../Failure.ts"
import { epsilonOf } from "../Options.ts"
import { bold, dim, grouped, print, printJson, table } from "../Terminal.ts"

export interface ShowOptions {
  readonly json: boolean
  readonly plot: boolean
  readonly epsilon?: string
  readonly truth?: string
  readonly limit: number
  readonly skip: number
  readonly sort: "bucket" | "metric"
}

/** Big-endian bytes as the shortest hexadecimal number, `0x0` for bucket 0. */
const hex = (bucket: Uint8Array): string =>
  `0x${
    Buffer.from(bucket)
      .toString("hex")
      .replace(/^0+(?=.)/, "") || "0"
  }`

const normal = (bucket: string): string =>
  `0x${bucket
    .replace(/^0x/i, "")
    .toLowerCase()
    .replace(/^0+(?=.)/, "")}`

const truthOf = (file: string | undefined): ReadonlyMap<string, bigint> | undefined => {
  if (file === undefined) return undefined
  const text = readFileSync(file, "utf8")
  try {
    const sums = JSON.parse(text) as Record<string, string>
    return new Map(Object.entries(sums).map(([bucket, sum]) => [normal(bucket), BigInt(sum)]))
  } catch {
    throw new CommandError(`${file} does not hold true sums as \`sotto reports generate\` writes them.`)
  }
}

/** Half of the 95 % interval around a metric; unknown when neither the file nor a flag tells ε. */
const halfWidthOf = (file: AvroFile, options: ShowOptions): bigint | undefined => {
  const told = file.metadata.get("sotto.epsilon")
  const parsed = told === undefined ? undefined : parseEpsilon(told, EPSILON_DECIMALS)
  const epsilon =
    options.epsilon !== undefined ? epsilonOf(options.epsilon) : typeof parsed === "number" ? parsed : undefined
  const l1 = Number(file.metadata.get("sotto.l1") ?? 65_536)
  if (epsilon === undefined || !Number.isSafeInteger(l1) || l1 < 1) return undefined
  return accuracy({ epsilon, l1 }).halfWidth.p95
}

const byBucket = (a: AvroRow, b: AvroRow): number => {
  const [x, y] = [hex(a.bucket), hex(b.bucket)]
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0)
}

const sorted = (file: AvroFile, by: ShowOptions["sort"]): ReadonlyArray<AvroRow> => {
  if (file.shape === "reports") return file.rows
  const value = (row: AvroRow) => row.metric ?? row.unnoised_metric ?? 0n
  const largest = (a: AvroRow, b: AvroRow) => (value(a) < value(b) ? 1 : value(a) > value(b) ? -1 : byBucket(a, b))
  return file.rows.toSorted(by === "metric" ? largest : byBucket)
}

const more = (shown: number, all: number): ReadonlyArray<string> =>
  shown < all ? [dim(`… ${grouped(all - shown)} more; --limit 0 shows all`)] : []

/** Facts of the header that a reader of numbers must know. */
const marks = (file: AvroFile): ReadonlyArray<string> => [
  ...(file.metadata.get("sotto.private") === "false"
    ? [bold("This file is not private: it comes from a debug run or has no noise.")]
    : []),
  ...(file.metadata.get("sotto.ledger") === "none" ? ["Made without a ledger: no budget was charged."] : [])
]

export const show = async (path: string, options: ShowOptions): Promise<void> => {
  const file = readAvroFile(path)
  if (options.plot && file.shape !== "summary")
    throw new UsageError(`--plot draws summaries; ${path} holds ${file.shape}.`)
  const rows = sorted(file, options.sort)
  const shown = rows.slice(options.skip, options.limit === 0 ? undefined : options.skip + options.limit)
  const truth = truthOf(options.truth)
  const half = file.shape === "summary" ? halfWidthOf(file, options) : undefined
  if (options.json)
    return printJson({
      file: path,
      shape: file.shape,
      rowCount: rows.length,
      ...Object.fromEntries(file.metadata),
      rows: shown.map((row) => plain(file, row, half, truth))
    })
  if (file.shape === "summary") await (options.plot ? plot(shown, half, truth) : summary(shown, half, truth))
  else if (file.shape === "debugSummary") await print(debugTable(shown))
  else if (file.shape === "domain")
    await print(
      table(
        ["bucket"],
        shown.map((row) => [hex(row.bucket)])
      )
    )
  else await print(reportTable(shown))
  for (const line of [...more(options.skip + shown.length, rows.length), ...marks(file)]) await print(line)
}

const plain = (
  file: AvroFile,
  row: AvroRow,
  half: bigint | undefined,
  truth: ReadonlyMap<string, bigint> | undefined
): object => {
  switch (file.shape) {
    case "reports":
      return { key_id: row.key_id, payloadBytes: row.payload.length, shared_info: row.shared_info }
    case "domain":
      return { bucket: hex(row.bucket) }
    case "debugSummary":
      return {
        bucket: hex(row.bucket),
        unnoised_metric: row.unnoised_metric,
        noise: row.noise,
        annotations: row.annotations
      }
    case "summary":
      return {
        bucket: hex(row.bucket),
        metric: row.metric,
        ...(half === undefined ? {} : { low: row.metric - half, high: row.metric + half }),
        ...(truth === undefined ? {} : { truth: truth.get(hex(row.bucket)) ?? 0n })
      }
  }
}

const summary = async (
  rows: ReadonlyArray<AvroRow>,
  half: bigint | undefined,
  truth: ReadonlyMap<string, bigint> | undefined
): Promise<void> => {
  await print(
    table(
      [
        "bucket",
        "metric",
        ...(half === undefined ? [] : ["95 % from", "to"]),
        ...(truth === undefined ? [] : ["truth", ...(half === undefined ? [] : ["covered"])])
      ],
      rows.map((row) => {
        const real = truth?.get(hex(row.bucket)) ?? 0n
        const covered = half !== undefined && row.metric - half <= real && real <= row.metric + half
        return [
          hex(row.bucket),
          grouped(row.metric),
          ...(half === undefined ? [] : [grouped(row.metric - half), grouped(row.metric + half)]),
          ...(truth === undefined ? [] : [grouped(real), ...(half === undefined ? [] : [covered ? "yes" : "no"])])
        ]
      })
    )
  )
  if (half !== undefined)
    await print(`\nEach true sum lies within ±${grouped(half)} of its metric with 95 % probability.`)
}

const WIDTH = 60

/** A bar from zero to the metric, its interval as a line through the end, the truth as a mark. */
const plot = async (
  rows: ReadonlyArray<AvroRow>,
  half: bigint | undefined,
  truth: ReadonlyMap<string, bigint> | undefined
): Promise<void> => {
  const reach = Number(half ?? 0n)
  const ends = rows.flatMap((row) => [
    Number(row.metric) - reach,
    Number(row.metric) + reach,
    Number(truth?.get(hex(row.bucket)) ?? 0n)
  ])
  const low = ends.reduce((least, end) => Math.min(least, end), 0)
  const high = ends.reduce((most, end) => Math.max(most, end), 1)
  const column = (value: number) => Math.round(((value - low) / (high - low)) * (WIDTH - 1))
  const widest = rows.reduce((most, row) => Math.max(most, hex(row.bucket).length), 0)
  const digits = rows.reduce((most, row) => Math.max(most, grouped(row.metric).length), 0)
  for (const row of rows) {
    const cells = Array.from({ length: WIDTH }, () => " ")
    const metric = Number(row.metric)
    for (let i = Math.min(column(0), column(metric)); i <= Math.max(column(0), column(metric)); i++) cells[i] = "█"
    if (half !== undefined) {
      for (let i = column(metric - reach); i <= column(metric + reach); i++) cells[i] = cells[i] === "█" ? "▓" : "─"
      cells[column(metric - reach)] = "├"
      cells[column(metric + reach)] = "┤"
    }
    const real = truth?.get(hex(row.bucket))
    if (truth !== undefined) cells[column(Number(real ?? 0n))] = "◆"
    await print(`${hex(row.bucket).padStart(widest)}  ${cells.join("")}  ${grouped(row.metric).padStart(digits)}`)
  }
  const legend = [
    "█ metric",
    ...(half === undefined ? [] : [`├─┤ 95 % interval (±${grouped(half)})`]),
    ...(truth === undefined ? [] : ["◆ truth"])
  ]
  await print(`${" ".repeat(widest)}  ${dim(legend.join("   "))}`)
}

const debugTable = (rows: ReadonlyArray<AvroRow>): string =>
  table(
    ["bucket", "unnoised", "noise", "in domain", "in reports"],
    rows.map((row) => [
      hex(row.bucket),
      grouped(row.unnoised_metric),
      grouped(row.noise),
      row.annotations.includes("in_domain") ? "yes" : "no",
      row.annotations.includes("in_reports") ? "yes" : "no"
    ])
  )

const reportTable = (rows: ReadonlyArray<AvroRow>): string =>
  table(
    ["key id", "payload bytes", "shared info"],
    rows.map((row) => [row.key_id, grouped(row.payload.length), row.shared_info])
  )
