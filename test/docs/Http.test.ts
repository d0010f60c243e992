/** What docs/http.md shows is run, against a server behind a socket, and what it lists is what there is. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { handle, layerJobs } from "@sotto/engine"
import { Api, PROBLEMS } from "@sotto/http"
import { layerAddressGuard, layerWebhooks } from "@sotto/webhooks"
import * as Effect from "effect/Effect"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { createEngine } from "sotto"
import { afterAll, describe, expect, it } from "vitest"
import { kindOf } from "../../packages/http/test/support/Rig.ts"
import { keyOf, memory, scripted, serve, tenant } from "../conformance/Server.ts"
import { itWith, program } from "../support/Program.ts"
import { listenerOf, mounted, serviceOf } from "./Mounted.ts"

const page = readFileSync(join(import.meta.dirname, "../../docs/http.md"), "utf8")
const blocks = (language: string): ReadonlyArray<string> =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text.trim())

const folder = mkdtempSync(join(tmpdir(), "sotto-http-page-"))
afterAll(() => rmSync(folder, { recursive: true }))

const RECEIPT = { bucket: "data", key: "receipt.txt" }

/** Asks for an address, makes an offer, waits until it is paid elsewhere. */
const parcel = handle(kindOf("parcel", { files: () => [{ name: "receipt.txt", ...RECEIPT }] }), (job) =>
  Effect.gen(function* () {
    const blobs = yield* BlobStore
    const address = yield* job.input("address", { stage: "delivery" })
    yield* job.emit("offer", { price: 12 })
    const payment = yield* job.external("payment", { data: { cents: 1200 } })
    yield* Effect.orDie(
      blobs.write(RECEIPT, Stream.make(new TextEncoder().encode("Paid, thank you.")), { mode: "replace" })
    )
    return { address, payment }
  })
)

const services = layerWebhooks.pipe(
  Layer.provide(layerAddressGuard({ allow: ["127.0.0.0/8"] })),
  Layer.provideMerge(layerJobs({ handlers: [parcel, scripted] })),
  Layer.provideMerge(Layer.fresh(memory()))
)

/** What the lines of a block are answered, by their comments. */
const promised = (block: string): ReadonlyArray<string> =>
  block
    .split("\n")
    .filter((line) => /\bcurl /.test(line))
    .map((line) => / # (\d{3})/.exec(line)?.[1] ?? "200")

describe("the page on asking a server", () => {
  itWith({ curl: program("curl"), bash: program("bash") })(
    "shows lines that are answered as it says, in order",
    async ({ bash }) => {
      const server = await serve(services as never, { tenants: [tenant("acme", { operator: true })] })
      const headers = { "x-api-key": keyOf("acme") }
      const quiet = async () => {
        const query = ["Queued", "Starting", "Running"].map((state) => `state=${state}`).join("&")
        const { jobs } = (await (await fetch(`${server.url}/v1/jobs?${query}`, { headers })).json()) as {
          jobs: ReadonlyArray<unknown>
        }
        return jobs.length
      }
      try {
        const shell = spawn(bash, ["--norc", "-uo", "pipefail"], {
          cwd: folder,
          env: { ...process.env, SOTTO: server.url, KEY: keyOf("acme") },
          stdio: ["pipe", "ignore", "pipe"]
        })
        const ended = once(shell, "close")
        let said = ""
        shell.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
        // An answer's status is in its head; of those that lead elsewhere the last counts.
        shell.stdin.write(
          `curl() { command curl -sS -D head "$@"; sed -n 's/^HTTP[^ ]* \\([0-9]*\\).*/<\\1>/p' head | tail -1 >&2; }\n`
        )
        const [variables = "", ...lines] = blocks("sh")
        expect(variables).toMatch(/^export SOTTO=.*\nexport KEY=.*$/)
        for (const [n, block] of lines.entries()) {
          said = ""
          shell.stdin.write(`${block}\necho "[${n} is done]" >&2\n`)
          await expect.poll(() => said, { timeout: 20_000 }).toContain(`[${n} is done]`)
          const codes = [...said.matchAll(/<(\d{3})>/g)].map(([, code]) => code)
          expect([codes, said.replaceAll(/<\d{3}>/g, "").trim()]).toEqual([promised(block), `[${n} is done]`])
          await expect.poll(quiet).toBe(0)
        }
        shell.stdin.end()
        await ended
        expect(readFileSync(join(folder, "receipt.txt"), "utf8")).toBe("Paid, thank you.")
      } finally {
        await server.stop()
      }
    },
    60_000
  )

  // oxlint-disable-next-line typescript/no-explicit-any
  const document = OpenApi.fromApi(Api) as any

  it("lists every route, and no other", () => {
    const listed = [...page.matchAll(/^\| `([A-Z]+ \/[^`]*)`\s*\| (.*?)\s*\|$/gm)].map(([, route, what]) => [
      route,
      what
    ])
    const there = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations as Record<string, { summary: string }>).map(([method, { summary }]) => [
        `${method.toUpperCase()} ${path}`,
        summary
      ])
    )
    expect(listed).toEqual(there)
  })

  it("shows a line for every route", () => {
    const shown = blocks("sh").join("\n")
    const paths = Object.keys(document.paths).map((path) =>
      path
        .replace(/^\/v1\/jobs\/\{job\}/, "$JOB")
        .replace(/^\/v1\/webhooks\/\{endpoint\}/, "$HOOK")
        .replace("{delivery}", "$SENT")
        .replace(/^\/v1\/blobs\/\{name\}$/, "$LINK")
        .replace(/^(?=\/)/, "$SOTTO")
    )
    const unseen = paths.filter((path) => {
      const pattern = path.replaceAll(/[$.]/g, "\\$&").replaceAll(/\\?\{\w+\}/g, '[^/" ?]+')
      return !new RegExp(`"${pattern}["?]`).test(shown)
    })
    // A stage may stand before both calls of the aggregation API; the page shows it before one.
    expect(unseen).toEqual(["$SOTTO/{stage}/v1alpha/createJob"])
  })

  it("lists every type of problem, and no other", () => {
    const listed = [...page.matchAll(/^\| (\d{3})\s+\| `([a-z-]+)`\s*\| (.*?)\s*\|$/gm)].map(
      ([, status, code, title]) => [code, [Number(status), title]]
    )
    expect(listed).toEqual(Object.entries(PROBLEMS))
  })

  it("shows only code that is run here", () => {
    const source = readFileSync(join(import.meta.dirname, "Mounted.ts"), "utf8")
    const shown = blocks("ts")
    expect(shown).toHaveLength(3)
    expect(shown.filter((block) => !source.includes(block))).toEqual([])
  })

  it.each(["node:http", "Fastify"])("shows how the interface is mounted in %s", async (host) => {
    const engine = await createEngine({ folder: join(folder, host.replace(":", "-")), log: "none" })
    const { handler, dispose } = mounted(engine)
    const plain = createServer((incoming, outgoing) => void listenerOf(handler)(incoming, outgoing))
    const fastify = serviceOf(handler)
    try {
      if (host === "Fastify") await fastify.listen({ port: 0, host: "127.0.0.1" })
      else await once(plain.listen(0, "127.0.0.1"), "listening")
      const { port } = (host === "Fastify" ? fastify.server : plain).address() as AddressInfo
      const ask = (path: string, init: RequestInit = {}) =>
        fetch(`http://127.0.0.1:${port}${path}`, {
          ...init,
          headers: { authorization: "Bearer north's own", ...init.headers }
        })
      expect((await ask("/healthz")).status).toBe(200)
      expect((await ask("/v1/jobs", { headers: { authorization: "somebody" } })).status).toBe(401)
      const answer = await ask("/v1/jobs", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ kind: "nothing", parameters: null })
      })
      expect([answer.status, await answer.json()]).toEqual([
        422,
        expect.objectContaining({ type: "urn:sotto:problem:invalid-submission" })
      ])
      expect((await ask("/v1/jobs", { method: "HEAD" })).status).toBe(200)
    } finally {
      await dispose()
      await fastify.close()
      plain.close()
      plain.closeAllConnections()
      await engine.close()
    }
  })
})
