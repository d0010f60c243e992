/** What a command writes: documents on stdout, everything for the eyes of a person on stderr. */
import { styleText } from "node:util"

/** Whether a person watches: progress lines and colours appear only then. */
export const interactive = (): boolean => process.stderr.isTTY === true && process.env["CI"] === undefined

const style =
  (format: Parameters<typeof styleText>[0], stream: NodeJS.WriteStream) =>
  (text: string): string =>
    stream.isTTY === true ? styleText(format, text) : text

export const bold = (text: string): string => style("bold", process.stdout)(text)
export const dim = (text: string): string => style("dim", process.stdout)(text)

/** Resolves once the line is handed over, so that a slow or closed reader is noticed before the process ends. */
export const print = (text: string): Promise<void> =>
  new Promise((resolve, reject) => process.stdout.write(`${text}\n`, (error) => (error ? reject(error) : resolve())))

export const note = (text: string): void => void process.stderr.write(`${text}\n`)

/** One JSON document; bigints become strings, because a double would round them. */
export const printJson = (value: unknown): Promise<void> =>
  print(JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? v.toString() : v), 2))

/** Columns padded to their widest cell; numbers right-aligned when every cell of the column looks like one. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = head.map((title, i) => rows.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), title.length))
  const numeric = head.map(
    (_, i) => rows.length > 0 && rows.every((row) => /^[-+±]?[\d,.\u202f]+%?$/.test(row[i] ?? ""))
  )
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
      .join("  ")
      .trimEnd()
  return [bold(line(head)), ...rows.map(line)].join("\n")
}

/** `1234567` as `1,234,567`. */
export const grouped = (value: number | bigint): string => value.toLocaleString("en-US")

export const seconds = (millis: number): string =>
  millis < 1000
    ? `${Math.round(millis)} ms`
    : millis < 90_000
      ? `${(millis / 1000).toFixed(1)} s`
      : `${Math.round(millis / 60_000)} min`

/** A progress line that redraws itself at most ten times a second on a terminal and is silent in a pipe. */
export interface Progress {
  readonly update: (done: number, total: number | undefined, unit: string) => void
  readonly end: () => void
}

export const progress = (title: string): Progress => {
  if (!interactive()) return { update: () => {}, end: () => {} }
  const started = performance.now()
  let drawn = 0
  return {
    update: (done, total, unit) => {
      const now = performance.now()
      if (now - drawn < 100 && done !== total) return
      drawn = now
      const rate = done / Math.max(0.001, (now - started) / 1000)
      const share =
        total === undefined || total === 0 ? "" : ` of ${grouped(total)} (${Math.floor((100 * done) / total)} %)`
      const left = total === undefined || rate === 0 ? "" : `, ${seconds(((total - done) / rate) * 1000)} left`
      process.stderr.write(
        `\r\u001b[K${title}: ${grouped(done)}${share} ${unit}, ${grouped(Math.round(rate))}/s${left}`
      )
    },
    end: () => void process.stderr.write("\r\u001b[K")
  }
}
