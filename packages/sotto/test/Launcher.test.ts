import { execFileSync, spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect } from "vitest"
import { itWith, programs } from "../../../test/support/Program.ts"

const repository = join(import.meta.dirname, "../../..")
const directory = realpathSync(mkdtempSync(join(tmpdir(), "sotto-launcher-")))
afterAll(() => rmSync(directory, { recursive: true }))

const versionOf = (node: string): string => execFileSync(node, ["--version"], { encoding: "utf8" }).trim()

const nodes = {
  "project's node": join(repository, "node_modules/node/bin/node"),
  "node 20": programs("node").find((node) => /^v(20|21)\./.test(versionOf(node)))
}

/** Stands in for the real command line: says what it was given, then does what the first argument says. */
const cli = `
  export const main = async ([action, ...rest]) => {
    if (action === "wait") {
      setInterval(() => {}, 1000)
      if (rest[0] === "politely") process.on("SIGINT", () => { console.log("SIGINT"); setTimeout(() => process.exit(130), 100) })
      console.log("ready")
      return await new Promise(() => {})
    }
    console.log(JSON.stringify({ version: process.versions.node, argv: [action, ...rest], env: Object.keys(process.env).filter((name) => name.startsWith("SOTTO_")) }))
    return Number(action)
  }`

/** A host that has installed the launcher: with or without the npm package \`node\`, with or without a build. */
const host = (name: string, has: { readonly node: boolean; readonly build: boolean }) => {
  const path = join(directory, name)
  const modules = join(path, "node_modules")
  mkdirSync(join(modules, "@sotto/cli/dist"), { recursive: true })
  mkdirSync(join(modules, "sotto"))
  cpSync(join(repository, "packages/sotto/bin"), join(modules, "sotto/bin"), { recursive: true })
  cpSync(join(repository, "packages/sotto/package.json"), join(modules, "sotto/package.json"))
  const manifest = { name: "@sotto/cli", version: "0.1.0", type: "module", exports: "./dist/index.js" }
  writeFileSync(join(modules, "@sotto/cli/package.json"), JSON.stringify(manifest))
  if (has.build) writeFileSync(join(modules, "@sotto/cli/dist/index.js"), cli)
  if (has.node) symlinkSync(join(repository, "node_modules/node"), join(modules, "node"))
  return path
}

const whole = host("whole", { node: true, build: true })
const unbuilt = host("unbuilt", { node: true, build: false })
const nodeless = host("nodeless", { node: false, build: true })

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

const launch = (
  node: string,
  path: string,
  args: ReadonlyArray<string>,
  onReady: (kill: (signal: NodeJS.Signals) => void) => void = () => {}
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(node, [join(path, "node_modules/sotto/bin/sotto.js"), ...args], {
      cwd: path,
      env: { PATH: "/nowhere" },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      if (text === "ready\n") onReady((signal) => child.kill(signal))
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
  })

describe.each(Object.entries(nodes))("the launcher, started by the %s", (name, found) => {
  const itRuns = itWith({ [name]: found })

  itRuns("runs the command line under a new enough Node and passes arguments and exit code", async () => {
    const { code, stdout, stderr } = await launch(found as string, whole, ["7", "--flag", "a b", ""])
    expect(stderr).toBe("")
    const told: { version: string; argv: Array<string>; env: Array<string> } = JSON.parse(stdout)
    expect(Number(told.version.split(".")[0])).toBeGreaterThanOrEqual(22)
    expect(told.argv).toEqual(["7", "--flag", "a b", ""])
    expect(told.env).toEqual([])
    expect(code).toBe(7)
  })

  itRuns("ends by the signal that ended the command line", async () => {
    expect(await launch(found as string, whole, ["wait"], (kill) => kill("SIGTERM"))).toMatchObject({
      code: null,
      signal: "SIGTERM"
    })
  })

  itRuns("passes Ctrl-C on once and lets the command line answer it", async () => {
    expect(await launch(found as string, whole, ["wait", "politely"], (kill) => kill("SIGINT"))).toEqual({
      code: 130,
      signal: null,
      stdout: "ready\nSIGINT\n",
      stderr: ""
    })
  })

  itRuns("says in one sentence that the build is missing", async () => {
    const { code, stdout, stderr } = await launch(found as string, unbuilt, ["--help"])
    expect(stderr).toMatch(/^sotto: .*npm run build.*\n$/)
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
  })
})

describe("the launcher without the npm package node", () => {
  itWith({ "node 20": nodes["node 20"] })("says in one sentence which Node it needs", async ({ "node 20": node }) => {
    const { code, stdout, stderr } = await launch(node, nodeless, ["--help"])
    expect(stderr).toMatch(/^sotto: needs Node 22\.19 or newer and this is 2\d\..*\n$/)
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
  })

  itWith({ "project's node": nodes["project's node"] })("needs none when its own is new enough", async (found) => {
    expect(await launch(found["project's node"], nodeless, ["0"])).toMatchObject({ code: 0 })
  })
})
