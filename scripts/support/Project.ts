import { type SpawnOptions, spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { delimiter, join, resolve } from "node:path"

/** The root of the checkout. */
export const root = resolve(import.meta.dirname, "../..")

const bin = join(root, "node_modules/.bin")

/** The Node that the project brings along; scripts may have been started by an older one. */
export const projectNode = join(root, "node_modules/node/bin/node")

/** What scripts and the processes they start see: the project's programs first, no telemetry, no colours in pipes. */
export const environment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}`,
  TURBO_TELEMETRY_DISABLED: "1",
  DO_NOT_TRACK: "1"
}

/** A workspace package, as its package.json says. */
export interface Package {
  readonly name: string
  /** Its folder below `packages`, which is also how the import rules call it. */
  readonly folder: string
  readonly path: string
  readonly manifest: {
    readonly name: string
    readonly description?: string
    readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
    readonly dependencies?: Readonly<Record<string, string>>
    readonly peerDependencies?: Readonly<Record<string, string>>
  }
}

/** All workspace packages, sorted by folder. */
export const packages = (): ReadonlyArray<Package> =>
  readdirSync(join(root, "packages"))
    .filter((folder) => existsSync(join(root, "packages", folder, "package.json")))
    .toSorted()
    .map((folder) => {
      const path = join(root, "packages", folder)
      const manifest: Package["manifest"] = JSON.parse(readFileSync(join(path, "package.json"), "utf8"))
      return { name: manifest.name, folder, path, manifest }
    })

export interface Ended {
  readonly code: number
  /** Standard output and standard error as they came; empty when they were inherited. */
  readonly output: string
}

/** Runs a program of the project (`tsc`, `oxlint`, …) from the root. A signal counts as exit code 1. */
export const run = (
  program: string,
  args: ReadonlyArray<string>,
  options: Pick<SpawnOptions, "stdio" | "env" | "cwd"> = {}
): Promise<Ended> =>
  new Promise((ended, failed) => {
    const child = spawn(program, args, {
      cwd: root,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      ...options
    })
    const chunks: Array<Buffer> = []
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk))
    child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk))
    child.on("error", failed)
    child.on("close", (code) => ended({ code: code ?? 1, output: Buffer.concat(chunks).toString("utf8") }))
  })

/** `N passed, N failed`, and `, N skipped` when any were: the last line of every suite and of the check. */
export const closingLine = (counts: { passed: number; failed: number; skipped?: number }): string =>
  `${counts.passed} passed, ${counts.failed} failed${counts.skipped ? `, ${counts.skipped} skipped` : ""}`

/** Seconds with one decimal since `start`, a value of `performance.now()`. */
export const secondsSince = (start: number): string => `${((performance.now() - start) / 1000).toFixed(1)} s`
