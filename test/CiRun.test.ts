import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect } from "vitest"
import { root, run } from "../scripts/support/Project.ts"
import { itWith, program } from "./support/Program.ts"

const directory = realpathSync(mkdtempSync(join(tmpdir(), "sotto-ci-")))
afterAll(() => rmSync(directory, { recursive: true }))

/** What a stage prints and how it exits. */
type Stage = readonly [output: string, code: number]

/** Runs `.ci/run` in a project whose npm only says what it is told to. */
const ci = async (
  name: string,
  stages: { readonly ci?: Stage; readonly test: Stage; readonly slow?: Stage; readonly check?: Stage },
  expectedSkips = ""
) => {
  const project = join(directory, name)
  mkdirSync(join(project, "bin"), { recursive: true })
  cpSync(join(root, ".ci/run"), join(project, ".ci/run"), { recursive: true })
  writeFileSync(join(project, ".ci/expected-skips"), `# a comment\n\n${expectedSkips}\n`)
  const {
    ci: install = ["installed", 0],
    test,
    slow = ["2 passed, 0 failed", 0],
    check = ["9 passed, 0 failed", 0]
  } = stages
  const answers: ReadonlyArray<readonly [command: string, stage: Stage]> = [
    ["ci", install],
    ["test", test],
    ["run test:slow", slow],
    ["run check", check]
  ]
  const cases = answers.map(([command, [output, code]]) => `"${command}") echo '${output}'; exit ${code};;`)
  writeFileSync(join(project, "bin/npm"), `#!/usr/bin/env bash\ncase "$*" in\n${cases.join("\n")}\nesac\nexit 9\n`)
  chmodSync(join(project, "bin/npm"), 0o755)
  const env = { ...process.env, CI: "true", PATH: `${join(project, "bin")}:${process.env["PATH"]}` }
  const { code, output } = await run("bash", [join(project, ".ci/run")], { cwd: project, env })
  const lines = output.trimEnd().split("\n")
  return { code, last: lines.at(-1), closings: lines.filter((line) => /^\d+ passed/.test(line)), output }
}

const itRuns = itWith({ bash: program("bash"), timeout: program("timeout") })

describe(".ci/run", () => {
  itRuns("adds up the suites and the check in one closing line", async () => {
    const { code, closings, last } = await ci("green", { test: ["noise\n40 passed, 0 failed", 0] })
    expect(closings).toEqual(["51 passed, 0 failed"])
    expect({ code, last }).toEqual({ code: 0, last: "51 passed, 0 failed" })
  })

  itRuns("stops at the first failure", async () => {
    const { code, last, output } = await ci("red", { test: ["39 passed, 1 failed", 1] })
    expect({ code, last }).toEqual({ code: 1, last: "39 passed, 1 failed" })
    expect(output).not.toContain("== slow")
  })

  itRuns("fails when the install fails", async () => {
    const { code, last } = await ci("uninstalled", { ci: ["no network", 1], test: ["1 passed, 0 failed", 0] })
    expect({ code, last }).toEqual({ code: 1, last: "0 passed, 1 failed" })
  })

  itRuns("counts a stage that dies without a closing line, and one that ran nothing, as a failure", async () => {
    expect(await ci("dead", { test: ["Killed", 137] })).toMatchObject({ code: 1, last: "0 passed, 1 failed" })
    expect(await ci("idle", { test: ["0 passed, 0 failed", 0] })).toMatchObject({ code: 1, last: "0 passed, 1 failed" })
    expect(await ci("lying", { test: ["5 passed, 0 failed", 0], check: ["9 passed, 0 failed", 3] })).toMatchObject({
      code: 1,
      last: "16 passed, 1 failed"
    })
  })

  itRuns("fails on a skip that is not expected and accepts one that is", async () => {
    const test: Stage = [
      "SKIPPED (no node 20): a.test.ts > b\nSKIPPED (no node 20): a.test.ts > b\n3 passed, 0 failed, 1 skipped",
      0
    ]
    expect(await ci("surprised", { test }, "SKIPPED (no openssl): *")).toMatchObject({
      code: 1,
      last: "3 passed, 1 failed, 1 skipped"
    })
    expect(await ci("prepared", { test }, "SKIPPED (no node 20): a.test.ts > *")).toMatchObject({
      code: 0,
      last: "14 passed, 0 failed, 1 skipped"
    })
  })
})
