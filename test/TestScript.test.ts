import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { projectNode, root, run } from "../scripts/support/Project.ts"

const directory = mkdtempSync(join(tmpdir(), "sotto-suite-"))
afterAll(() => rmSync(directory, { recursive: true }))

/** Runs `npm test` on a project of its own that holds just these test files. */
const suiteOf = async (name: string, files: Record<string, string>, suite = "fast") => {
  const project = join(directory, name)
  mkdirSync(join(project, "test/support"), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"))
  for (const support of ["Program.ts", "CountsReporter.ts"]) {
    symlinkSync(join(root, "test/support", support), join(project, "test/support", support))
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(join(project, "test", file), text)
  const { code, output } = await run(projectNode, [
    join(root, "node_modules/tsx/dist/cli.mjs"),
    join(root, "scripts/test.ts"),
    suite,
    "--root",
    project,
    "--config",
    join(root, "vitest.config.ts")
  ])
  const lines = output.trimEnd().split("\n")
  return { code, last: lines.at(-1), lines }
}

const passing = `import { it } from "vitest"\nit("passes", () => {})\n`

describe("scripts/test.ts", () => {
  it.concurrent("counts, prints each skip with its reason and ends with a closing line", async ({ expect }) => {
    const { code, last, lines } = await suiteOf("mixed", {
      "Passing.test.ts": passing,
      "Skipping.test.ts": `
        import { it } from "vitest"
        import { itWith } from "./support/Program.ts"
        itWith({ "no-such-program": undefined })("needs it", () => { throw new Error("ran") })
        it.skip("was switched off", () => {})`
    })
    expect(last).toBe("1 passed, 0 failed, 2 skipped")
    expect(lines).toContain("SKIPPED (no no-such-program): test/Skipping.test.ts > needs it")
    expect(lines).toContain("SKIPPED (no reason given): test/Skipping.test.ts > was switched off")
    expect(code).toBe(0)
  })

  it.concurrent(
    "fails when a test fails, when a file does not load and on an error outside any test",
    async ({ expect }) => {
      const { code, last } = await suiteOf("failing", {
        "Passing.test.ts": passing,
        "Failing.test.ts": `import { it } from "vitest"\nit("fails", () => { throw new Error("no") })`,
        "Broken.test.ts": `import "./nowhere.ts"`,
        "Loose.test.ts": `import { it } from "vitest"\nit("looks fine", () => { void Promise.reject(new Error("loose")) })`
      })
      expect(last).toBe("2 passed, 3 failed")
      expect(code).toBe(1)
    }
  )

  it.concurrent("fails when no test ran", async ({ expect }) => {
    const { code, last, lines } = await suiteOf("empty", {})
    expect(last).toBe("0 passed, 0 failed")
    expect(lines).toContain("No test ran.")
    expect(code).toBe(1)
  })

  it.concurrent("keeps the suites apart", async ({ expect }) => {
    const { last } = await suiteOf("slow", { "Passing.test.ts": passing, "Long.slow.test.ts": passing }, "slow")
    expect(last).toBe("1 passed, 0 failed")
  })

  it("refuses an unknown suite", async () => {
    const { code, output } = await run(projectNode, [
      join(root, "node_modules/tsx/dist/cli.mjs"),
      join(root, "scripts/test.ts"),
      "all"
    ])
    expect({ code, output }).toMatchObject({ code: 2, output: expect.stringContaining("fast|slow") })
  })
})
