/** Runs the command `sotto` from the sources, as a process of its own or, for what needs none, in this one. */
import { spawn } from "node:child_process"
import { chmodSync, copyFileSync, createWriteStream, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { finished } from "node:stream/promises"
import { fileURLToPath } from "node:url"
import avro from "avsc"
import { vi } from "vitest"
import { main } from "../../src/Main.ts"

const launcher = fileURLToPath(new URL("../../../sotto/bin/sotto.js", import.meta.url))

export const fixture = (path: string): string =>
  fileURLToPath(new URL(`../../../../test/fixtures/${path}`, import.meta.url))

/** A JSON document; tests compare its members. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Document = Record<string, any>

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly ended: Promise<Ended>
  /** Once standard error has said so; fails when the process ends before. */
  readonly says: (text: string) => Promise<void>
  readonly kill: (signal: NodeJS.Signals) => void
  /** What standard error has said so far. */
  readonly stderr: () => string
}

/** `shell` is a script in which `"$@"` stands for the command, e.g. `ulimit -f 64; exec "$@"`. */
export interface Surroundings {
  readonly cwd?: string
  readonly pauseAt?: string
  readonly env?: Readonly<Record<string, string>>
  readonly shell?: readonly [program: string, script: string]
}

/** Starts `sotto` with standard input at its end. */
export const start = (args: ReadonlyArray<string>, { cwd, pauseAt, env, shell }: Surroundings = {}): Running => {
  const command = [process.execPath, "--conditions=@sotto/source", launcher, ...args]
  const [program = "", ...rest] = shell === undefined ? command : [shell[0], "-c", shell[1], "sh", ...command]
  const child = spawn(program, rest, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", ...env, ...(pauseAt === undefined ? {} : { SOTTO_PAUSE_AT: pauseAt }) }
  })
  let [stdout, stderr] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  const ended = new Promise<Ended>((resolve, reject) =>
    child.on("error", reject).on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
  )
  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => stderr.includes(text) && resolve()
      child.stderr.on("data", look)
      child.on("close", () => reject(new Error(`ended without saying ${JSON.stringify(text)}: ${stderr}`)))
      look()
    })
  return { ended, says, kill: (signal) => void child.kill(signal), stderr: () => stderr }
}

export const sotto = (args: ReadonlyArray<string>, surroundings?: Surroundings): Promise<Ended> =>
  start(args, surroundings).ended

/** `sotto` within this process, which is quicker; one at a time, because it captures the standard streams. */
export const inside = async (...args: ReadonlyArray<string>): Promise<Omit<Ended, "signal">> => {
  const text = { stdout: "", stderr: "" }
  const capture = (stream: "stdout" | "stderr") =>
    vi.spyOn(process[stream], "write").mockImplementation(((chunk: unknown, ...rest: ReadonlyArray<unknown>) => {
      text[stream] += String(chunk)
      for (const then of rest) if (typeof then === "function") then()
      return true
    }) as typeof process.stdout.write)
  const spies = [capture("stdout"), capture("stderr")]
  const before = process.stdout.listeners("error")
  try {
    return { code: await main(args), ...text }
  } finally {
    for (const spy of spies) spy.mockRestore()
    for (const listener of process.stdout.listeners("error"))
      if (!before.includes(listener)) process.stdout.off("error", listener as () => void)
    process.exitCode = undefined
  }
}

/** The one JSON document of a command, run within this process. */
export const json = async (args: ReadonlyArray<string>): Promise<Document> =>
  JSON.parse((await inside(...args, "--json")).stdout)

/** A new folder with the published test key, for the test file that calls; `remove` it at its end. */
export const temporary = (): {
  readonly path: (...names: ReadonlyArray<string>) => string
  readonly remove: () => void
} => {
  const folder = mkdtempSync(join(tmpdir(), "sotto-cli-"))
  copyFileSync(fixture("goldens/keys.json"), join(folder, "keys.json"))
  chmodSync(join(folder, "keys.json"), 0o600)
  return { path: (...names) => join(folder, ...names), remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** What a user sees in a folder that may not be there yet. */
export const visible = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."))
  } catch {
    return []
  }
}

/** A ledger folder of its own with a copy of fresh keys and their memory, so that runs can be compared with runs that never crashed. */
export const ledgerFolder = (folder: string, keys: string): ReadonlyArray<string> => {
  mkdirSync(folder, { recursive: true })
  for (const part of ["", ".heads"]) copyFileSync(`${keys}${part}`, join(folder, `ledger-keys.json${part}`))
  return ["--ledger", join(folder, "ledger.db")]
}

export interface SummaryRow {
  readonly bucket: Buffer
  readonly metric: number
  readonly unnoised_metric: number
}

/** Rows and header of an Avro file as the library avsc reads them, which is not the reader that is tested. */
export const readRows = async (
  file: string
): Promise<{ readonly rows: ReadonlyArray<SummaryRow>; readonly header: Readonly<Record<string, string>> }> => {
  const rows: Array<SummaryRow> = []
  const header: Record<string, string> = {}
  const decoder = avro.createFileDecoder(file)
  decoder.on("metadata", (_type: unknown, _codec: unknown, { meta }: { meta: Record<string, Buffer> }) => {
    for (const [name, value] of Object.entries(meta)) header[name] = value.toString("utf8")
  })
  for await (const row of decoder) rows.push(row as SummaryRow)
  return { rows, header }
}

/** An output domain in Avro, written by the library avsc. */
export const writeDomain = async (file: string, buckets: Iterable<bigint>): Promise<void> => {
  const type = avro.Type.forSchema({
    type: "record",
    name: "AggregationBucket",
    fields: [{ name: "bucket", type: "bytes" }]
  })
  const encoder = new avro.streams.BlockEncoder(type)
  const out = encoder.pipe(createWriteStream(file))
  for (const bucket of buckets) encoder.write({ bucket: Buffer.from(bucket.toString(16).padStart(32, "0"), "hex") })
  encoder.end()
  await finished(out)
}

export const numberOf = (bucket: Uint8Array): bigint => BigInt(`0x${Buffer.from(bucket).toString("hex")}`)
