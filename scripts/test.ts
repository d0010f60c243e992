/**
 * `npm test` and `npm run test:slow`: runs one of the two suites under the project's Node.
 *
 * Further arguments go to vitest: `npm test -- packages/core`. Ends with the time, the skips and a closing line, and
 * fails when a test failed or none ran.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Counts } from "../test/support/CountsReporter.ts"
import { closingLine, environment, projectNode, root, run, secondsSince } from "./support/Project.ts"

/** How long a suite may take on two cores, in seconds. */
const budgets = { fast: 480, slow: 540 } as const

const [suite, ...rest] = process.argv.slice(2)
if (suite !== "fast" && suite !== "slow") {
  process.stderr.write("Say which suite to run: scripts/test.ts fast|slow [arguments of vitest]\n")
  process.exit(2)
}

const start = performance.now()
const directory = mkdtempSync(join(tmpdir(), "sotto-test-"))
const file = join(directory, "counts.json")
const { code } = await run(
  projectNode,
  [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--passWithNoTests=false",
    ...(suite === "slow" ? ["--mode", "slow"] : []),
    ...rest
  ],
  {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...environment,
      SOTTO_TEST_COUNTS: file,
      // Threads and processes of the tests load the same sources over and over: compiled once, they start three times faster.
      NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compile")
    }
  }
)
const reported: Counts = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : { passed: 0, failed: 0, skipped: 0, skips: [] }
rmSync(directory, { recursive: true })

// vitest also fails for reasons that belong to no test (a worker that died, a threshold): never report those as green.
const ran = reported.passed + reported.failed > 0
const failed = code !== 0 && ran && reported.failed === 0 ? 1 : reported.failed
const seconds = (performance.now() - start) / 1000

const lines = [
  ...(ran ? [] : ["No test ran."]),
  ...reported.skips,
  `Time of the ${suite} suite: ${secondsSince(start)}`,
  ...(seconds > budgets[suite] ? [`WARNING: the ${suite} suite may take ${budgets[suite]} s on two cores.`] : []),
  closingLine({ ...reported, failed })
]
process.stdout.write(`${lines.join("\n")}\n`)
process.exitCode = failed > 0 || !ran ? 1 : 0
