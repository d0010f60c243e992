/**
 * Who may import whom: dependency-cruiser over the sources with `.dependency-cruiser.cjs`, and bundles of the files
 * that run as threads of the data plane.
 */
import { createRequire } from "node:module"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { cruise, type ICruiseResult } from "dependency-cruiser"
import { build } from "esbuild"
import { packages, root } from "../support/Project.ts"
import { atLeast, type Findings } from "../support/Step.ts"

const require = createRequire(import.meta.url)

/** What each package may import; one entry per folder of `packages`. */
export const imports: Readonly<
  Record<
    string,
    { readonly workspace: ReadonlyArray<string>; readonly npm: ReadonlyArray<string>; readonly node: boolean }
  >
> = require("../imports.json")

interface Cruised {
  /** Modules of the tree itself, relative to its root. */
  readonly modules: ReadonlyArray<string>
  /** `rule: from → to` for each forbidden import. */
  readonly violations: ReadonlyArray<{ readonly rule: string; readonly from: string; readonly to: string }>
}

/** Applies the rules to the folder `packages` below `directory`. */
export const cruiseTree = async (directory: string): Promise<Cruised> => {
  const { options, ...ruleSet } = require("../../.dependency-cruiser.cjs")
  const { enhancedResolveOptions, ...rest } = options
  const { output } = await cruise(
    ["packages"],
    { ...rest, ruleSet, validate: true, baseDir: directory },
    enhancedResolveOptions
  )
  const result = output as ICruiseResult
  return {
    modules: result.modules.map((module) => module.source).filter((source) => /^packages\/[^/]+\/src\//.test(source)),
    violations: result.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }))
  }
}

/** The files that Node starts as threads: the ones that use the thread's side of node:worker_threads. */
const threadEntries = (): ReadonlyArray<string> => {
  const source = join(root, "packages/aggregator/src")
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(source, file))
    .filter((file) => /\b(parentPort|workerData)\b/.test(readFileSync(file, "utf8")))
}

/** Everything that this file loads when it runs, type imports left out, relative to the root. */
export const loadedBy = async (entry: string): Promise<ReadonlyArray<string>> => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    conditions: ["@sotto/source"],
    logLevel: "silent"
  })
  return Object.keys(metafile.inputs)
}

export const dependencies = async (): Promise<Findings> => {
  const { modules, violations } = await cruiseTree(root)
  const all = packages()
  const entries = threadEntries()
  const threads = await Promise.all(
    entries.map(async (entry) => ({ entry: relative(root, entry), loaded: await loadedBy(entry) }))
  )
  return {
    read: `${modules.length} modules, ${entries.length} threads`,
    faults: [
      ...violations.map(({ rule, from, to }) => `${rule}: ${from} → ${to}`),
      ...atLeast(50, modules.length, "modules"),
      ...all.flatMap(({ folder, manifest }) => [
        ...(imports[folder] === undefined ? [`scripts/imports.json has no entry for packages/${folder}`] : []),
        ...(modules.some((module) => module.startsWith(`packages/${folder}/src/`))
          ? []
          : [`no module of packages/${folder} was read`]),
        ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
          .filter((name) => !allowedNames(folder).has(name))
          .map(
            (name) => `packages/${folder}/package.json depends on ${name}, which scripts/imports.json does not allow`
          )
      ]),
      ...Object.keys(imports)
        .filter((folder) => all.every((one) => one.folder !== folder))
        .map((folder) => `scripts/imports.json names packages/${folder}, which does not exist`),
      ...atLeast(1, entries.length, "threads of the data plane"),
      ...threads.flatMap(({ entry, loaded }) => [
        ...atLeast(2, loaded.length, `modules loaded by ${entry}`),
        ...loaded
          .filter((file) => file.includes("node_modules/effect/"))
          .slice(0, 1)
          .map((file) => `the thread ${entry} loads effect (${file})`)
      ])
    ]
  }
}

function allowedNames(folder: string): ReadonlySet<string> {
  const names = packages()
    .filter((one) => imports[folder]?.workspace.includes(one.folder))
    .map((one) => one.name)
  return new Set([...names, ...(imports[folder]?.npm ?? [])])
}
