import { writeFileSync } from "node:fs"
import { relative } from "node:path"
import type { Reporter, TestCase, TestModule, Vitest } from "vitest/node"

/** What a run of a suite came to; `scripts/test.ts` reads it from the file named by `SOTTO_TEST_COUNTS`. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** One line `SKIPPED (<reason>): <file> > <test>` for each skipped test. */
  readonly skips: ReadonlyArray<string>
}

/**
 * Prints why each skipped test was skipped and counts the run.
 *
 * A file that cannot be read as tests and an error outside any test count as one failure each, so that a run cannot
 * look green because a part of it never started. Tests that only a name filter (`-t`) left out are not skips.
 */
export default class CountsReporter implements Reporter {
  #root = process.cwd()
  #filtered = false

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root
    this.#filtered = vitest.config.testNamePattern !== undefined
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const broken = modules.reduce(
      (count, module) => count + module.errors().length + failedSuites(module),
      unhandledErrors.length
    )
    const skips = tests.flatMap((test) => this.#skip(test))
    const counts: Counts = {
      passed: tests.filter((test) => test.result().state === "passed").length,
      failed: tests.filter((test) => test.result().state === "failed").length + broken,
      skipped: skips.length,
      skips
    }
    for (const line of skips) process.stdout.write(`${line}\n`)
    const file = process.env["SOTTO_TEST_COUNTS"]
    if (file !== undefined) writeFileSync(file, JSON.stringify(counts))
  }

  #skip(test: TestCase): ReadonlyArray<string> {
    const result = test.result()
    if (result.state !== "skipped" && result.state !== "pending") return []
    const note = result.state === "skipped" ? result.note : undefined
    if (note === undefined && this.#filtered) return []
    return [`SKIPPED (${note ?? "no reason given"}): ${relative(this.#root, test.module.moduleId)} > ${test.fullName}`]
  }
}

function failedSuites(module: TestModule): number {
  return [...module.children.allSuites()].reduce((count, suite) => count + suite.errors().length, 0)
}
