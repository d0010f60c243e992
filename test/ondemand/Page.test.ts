/** What docs/models.md shows is run against a served model. */
import { spawn, spawnSync } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { readConfig } from "../../packages/cli/src/serve/ServerConfig.ts"
import type { Server } from "../../packages/cli/test/serve/Server.ts"
import { itWith, program } from "../support/Program.ts"
import { folderWith, serveModels } from "./Server.ts"

const root = join(import.meta.dirname, "../..")
const page = readFileSync(join(root, "docs/models.md"), "utf8")
const blocks = (language: string): ReadonlyArray<string> =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text.trim())

const folder = folderWith("examples/pythagoras/model.ts")
let server: Server
beforeAll(async () => void (server = await serveModels(folder)), 30_000)
afterAll(async () => {
  server.kill("SIGTERM")
  await server.ended
  rmSync(folder, { recursive: true })
})

const run = (command: string, args: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: folder, env: { ...process.env, KEY: "none-is-asked-for" } })
    let [said, wrong] = ["", ""]
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (wrong += chunk.toString()))
    child.on("close", (code) => (code === 0 ? resolve(said) : reject(new Error(`${said}\n${wrong}`))))
  })

/** A line of shell without tools but `printf`, so that the file is there for Python too. */
const example = () => run("sh", ["-c", "printf 'x,y\\n3,4\\n6,8\\n5,12\\n' > example.csv"])

/** Python with the library that the page's program uses. */
const python = program("python3")
const pythonWithRequests =
  python !== undefined && spawnSync(python, ["-c", "import requests"]).status === 0 ? python : undefined

describe("the page on models", () => {
  it("shows the model that is shipped as an example", () => {
    const shipped = readFileSync(join(root, "examples/pythagoras/model.ts"), "utf8")
    const [model = "", ...more] = blocks("ts")
    expect(more).toEqual([])
    expect(shipped).toContain(model)
  })

  it("shows a configuration that is right", () => {
    const [config = ""] = blocks("json")
    expect(readConfig(JSON.parse(config))).toMatchObject({ models: { bucket: "models", waitMs: 25_000 } })
  })

  itWith({ bash: program("bash"), curl: program("curl"), sed: program("sed") })(
    "shows commands that work, and what they answer",
    async ({ bash }) => {
      const script = blocks("sh").join("\n").replaceAll("http://127.0.0.1:8787", server.url)
      const said = await run(bash, ["--norc", "-euo", "pipefail", "-c", script])
      const answer = said.slice(0, said.lastIndexOf("}") + 1)
      const [, shown = ""] = blocks("json")
      const shape = (text: string) => {
        const { data, ...rest } = JSON.parse(text)
        const { id: _, processingTimeMS: __, createdDateUtc: ___, lastUpdatedUtc: ____, ...job } = data
        return { ...rest, job }
      }
      expect(shape(answer)).toEqual(shape(shown))
      expect(said.endsWith("z\n5\n10\n13\n")).toBe(true)
    }
  )

  itWith({ "python3 with requests": pythonWithRequests })("shows a program that works", async (found) => {
    await example()
    const [text = ""] = blocks("python")
    const said = await run(found["python3 with requests"], ["-c", text, server.url, "none-is-asked-for"])
    expect(said).toBe("z\n5\n10\n13\n\n")
  })

  it("names every request that the interface has", async () => {
    const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>
    }
    const offered = Object.entries(paths).flatMap(([path, methods]) =>
      path.startsWith("/api/v1/")
        ? Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace("{job}", "ID")}`)
        : []
    )
    const named = [...page.matchAll(/^\| `([A-Z]+ \/api\/v1\/[^`]+)`/gm)].map(([, request = ""]) => request)
    expect(named.toSorted()).toEqual(offered.toSorted())
  })
})
