/** The steps that ask a tool: types, lint, format, unused code, published shape. Each proves that it read something. */
import { existsSync, globSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join, relative } from "node:path"
import * as prettier from "prettier"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { packages, root, run } from "../support/Project.ts"
import { atLeast, type Findings } from "../support/Step.ts"

/** The output of a tool that failed, line by line; what it printed is its own explanation. */
const linesOf = (ended: { readonly code: number; readonly output: string }): ReadonlyArray<string> =>
  ended.code === 0
    ? []
    : ended.output
        .trimEnd()
        .split("\n")
        .filter((line) => line.trim() !== "")

/** Compiles every package and checks tests and scripts. A package without an up-to-date `dist` was not compiled. */
export const types = async (): Promise<Findings> => {
  const built = await run("tsc", ["-b", ...packages().map(({ path }) => path)])
  const tests = await run("tsc", ["-p", "tsconfig.test.json", "--noEmit", "--listFiles"])
  const listed = tests.output.split("\n").filter((line) => line.startsWith(root) && !line.includes("node_modules"))
  const faults = tests.output.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("/"))
  const sources = packages().flatMap(({ path }) =>
    globSync("src/**/*.ts", { cwd: path }).map((file) => ({
      source: join(path, file),
      compiled: join(path, "dist", relative("src", file).replace(/\.ts$/, ".js"))
    }))
  )
  return {
    read: `${sources.length} sources, ${listed.length} files for the tests`,
    faults: [
      ...linesOf(built),
      ...(tests.code === 0 ? [] : faults),
      ...atLeast(50, sources.length, "sources"),
      ...atLeast(20, listed.length, "files for the tests"),
      ...(built.code === 0
        ? sources
            .filter(({ compiled }) => !existsSync(compiled))
            .map(({ source }) => `${relative(root, source)} was not compiled`)
        : [])
    ]
  }
}

export const lint = async (): Promise<Findings> => {
  const { code, output } = await run("oxlint", ["--deny-warnings", "--format", "json", "."])
  const report: {
    readonly number_of_files: number
    readonly diagnostics: ReadonlyArray<{
      readonly message: string
      readonly code: string
      readonly filename: string
      readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
    }>
  } = JSON.parse(output)
  const faults = report.diagnostics.map(
    ({ message, code: rule, filename, labels }) => `${filename}:${labels[0]?.span.line ?? 1} ${rule}: ${message}`
  )
  return {
    read: `${report.number_of_files} files`,
    faults: [
      ...faults,
      ...(code !== 0 && faults.length === 0 ? ["oxlint failed without saying why"] : []),
      ...atLeast(50, report.number_of_files, "files")
    ]
  }
}

export const format = async (): Promise<Findings> => {
  const files = globSync("{*,.*,{.ci,bench,docs,examples,packages,scripts,test}/**/*}", {
    cwd: root,
    exclude: ["**/node_modules/**", "**/dist/**", "**/.turbo/**", ".git/**"]
  }).filter((file) => statSync(join(root, file)).isFile())
  const verdicts = await Promise.all(
    files.map(async (file) => {
      const path = join(root, file)
      const { ignored, inferredParser } = await prettier.getFileInfo(path, {
        ignorePath: join(root, ".prettierignore")
      })
      if (ignored || inferredParser === null) return undefined
      const options = await prettier.resolveConfig(path)
      try {
        return (await prettier.check(readFileSync(path, "utf8"), { ...options, filepath: path }))
          ? ""
          : `${file} is not formatted: npm run format`
      } catch (error) {
        return `${file} cannot be read: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`
      }
    })
  )
  const read = verdicts.filter((verdict) => verdict !== undefined)
  return {
    read: `${read.length} files`,
    faults: [...read.filter((verdict) => verdict !== ""), ...atLeast(80, read.length, "files")]
  }
}

/** knip counts nothing when it is content, so a file that nobody uses has to be found by it in the same run. */
export const unused = async (): Promise<Findings> => {
  const { code, output } = await run("knip", ["--reporter", "json", "--no-progress"])
  const start = output.indexOf("{")
  if (code > 1 || start < 0) return { read: "nothing", faults: output.trimEnd().split("\n") }
  const { issues }: { readonly issues: ReadonlyArray<Record<string, unknown>> } = JSON.parse(output.slice(start))
  // Tests of one package may use another; as development dependencies these would run in circles, which turbo refuses.
  const ours = new Set(packages().map(({ name }) => name))
  const isTestOfOurs = (file: string, kind: string, name: string): boolean =>
    kind === "unlisted" && /^packages\/[^/]+\/test\//.test(file) && ours.has(name)
  const faults = issues.flatMap((issue) => {
    const file = String(issue["file"])
    return Object.entries(issue).flatMap(([kind, found]) =>
      kind !== "owners" && Array.isArray(found)
        ? found
            .filter(({ name }: { readonly name: string }) => !isTestOfOurs(file, kind, name))
            .map(({ name }: { readonly name: string }) => `${file}: ${unusedKinds[kind] ?? kind}: ${name}`)
        : []
    )
  })
  const canary = faults.filter((fault) => fault.startsWith(canaryFile))
  return {
    read: "every workspace",
    faults: [
      ...faults.filter((fault) => !fault.startsWith(canaryFile)),
      ...(canary.length > 0 ? [] : [`knip did not find ${canaryFile}, which nobody uses: does it read the project?`])
    ]
  }
}

const canaryFile = "scripts/support/Unused.ts"

const unusedKinds: Readonly<Record<string, string>> = {
  files: "unused file",
  dependencies: "unused dependency",
  devDependencies: "unused development dependency",
  unlisted: "not listed in package.json",
  unresolved: "unresolved import",
  exports: "unused export",
  types: "unused exported type",
  binaries: "unlisted binary"
}

export const published = async (): Promise<Findings> => {
  const all = packages()
  const results = await Promise.all(
    all.map(async ({ folder, path, manifest }) => {
      const { messages } = await publint({ pkgDir: path, strict: true, pack: "npm" })
      const entries = Object.values(manifest.exports ?? {}).flatMap((target) =>
        typeof target === "string" ? [] : Object.values(target)
      )
      return [
        ...messages.map((message) => `packages/${folder}: ${formatMessage(message, manifest) ?? message.code}`),
        ...atLeast(1, entries.length, `exports of packages/${folder}`),
        ...entries
          .filter((entry) => !entry.includes("*") && !existsSync(join(path, entry)))
          .map((entry) => `packages/${folder} exports ${entry}, which does not exist`),
        ...(existsSync(join(path, "dist")) && readdirSync(join(path, "dist")).length > 0
          ? []
          : [`packages/${folder} is not built: npm run build`])
      ]
    })
  )
  return { read: `${all.length} packages`, faults: [...results.flat(), ...atLeast(5, all.length, "packages")] }
}
