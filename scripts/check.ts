/**
 * `npm run check [-- step…]`: everything that can be said about the project without running its tests.
 *
 * Each step prints one line with what it read and how long it took, and its faults below. Ends with a closing line that
 * counts steps, and fails when one failed. No step passes by reading nothing.
 */
import { browserBundles } from "./check/BrowserBundles.ts"
import { citations } from "./check/Citations.ts"
import { dependencies } from "./check/Dependencies.ts"
import { stability } from "./check/Stability.ts"
import { format, lint, published, types, unused } from "./check/Tools.ts"
import { generated } from "./generate.ts"
import { closingLine, secondsSince } from "./support/Project.ts"
import { atLeast, type Findings, type Step } from "./support/Step.ts"

const upToDate = async (): Promise<Findings> => {
  const files = await generated()
  return {
    read: `${files.length} files`,
    faults: [
      ...atLeast(1, files.length, "generated files"),
      ...files.filter(({ current }) => !current).map(({ file }) => `${file} is out of date: npm run generate`)
    ]
  }
}

const steps: ReadonlyArray<Step> = [
  { name: "types", check: types },
  { name: "lint", check: lint },
  { name: "format", check: format },
  { name: "dependencies", check: dependencies },
  { name: "stability", check: stability },
  { name: "bundles", check: browserBundles },
  { name: "citations", check: citations },
  { name: "unused", check: unused },
  { name: "published", check: published },
  { name: "generated", check: upToDate }
]

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => steps.every((step) => step.name !== name))
if (unknown.length > 0) {
  process.stderr.write(`No step ${unknown.join(", ")}. Steps: ${steps.map(({ name }) => name).join(", ")}\n`)
  process.exit(2)
}

const begin = performance.now()
let failed = 0
const chosen = steps.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
for (const { name, check } of chosen) {
  const start = performance.now()
  const {
    read,
    faults,
    notes = []
  } = await check().catch((error: unknown): Findings => ({
    read: "stopped",
    faults: [error instanceof Error ? (error.stack ?? error.message) : String(error)]
  }))
  if (faults.length > 0) failed++
  process.stdout.write(`${faults.length === 0 ? "ok  " : "FAIL"} ${name} (${read}) ${secondsSince(start)}\n`)
  for (const line of [...faults, ...notes]) process.stdout.write(`       ${line}\n`)
}
process.stdout.write(`Time of the check: ${secondsSince(begin)}\n`)
process.stdout.write(`${closingLine({ passed: chosen.length - failed, failed })}\n`)
process.exitCode = failed > 0 ? 1 : 0
