import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { createEngine, type LogEntry, type PromisedJobStore } from "sotto"
import { afterAll, describe, expect, it, vi } from "vitest"

const folder = await mkdtemp(join(tmpdir(), "sotto-log-"))
afterAll(() => rm(folder, { recursive: true }))

const METHODS =
  "create read commit commitMany claim renew due events output list tally unpublished published purge".split(" ")

/** A host whose store is gone, which the sweeper says; it closes when its stdin ends. */
const HOST = `
  import { createEngine } from "sotto"
  const gone = () => Promise.reject(new Error("the store is gone"))
  const methods = ${JSON.stringify(METHODS)}
  const store = { capabilities: { durable: true, shared: true }, ...Object.fromEntries(methods.map((name) => [name, gone])) }
  const engine = await createEngine({ folder: ${JSON.stringify(folder)}, concurrency: 0, store })
  process.stdin.resume().on("end", () => engine.close())
`

/** What the host writes until its log says what is wrong, and from then until it ends. */
const outputOf = async () => {
  const child = spawn(process.execPath, ["--conditions=@sotto/source", "--input-type=module", "-e", HOST], {
    cwd: import.meta.dirname
  })
  const stdout = text(child.stdout)
  let stderr = ""
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk
    if (stderr.includes("the store is gone")) child.stdin.end()
  })
  const [code] = await once(child, "close")
  return { code, stdout: await stdout, stderr }
}

const gone = () => Promise.reject(new Error("the store is gone"))
const goneStore = {
  capabilities: { durable: true, shared: true },
  ...Object.fromEntries(METHODS.map((method) => [method, gone]))
} as unknown as PromisedJobStore

/** The first entry that an engine gives its host. */
const firstEntry = async (): Promise<LogEntry> => {
  const { promise, resolve } = Promise.withResolvers<LogEntry>()
  const log = (entry: LogEntry) => {
    resolve(entry)
    throw new Error("the host's log is full")
  }
  const engine = await createEngine({ folder, concurrency: 0, store: goneStore, log })
  try {
    return await promise
  } finally {
    await engine.close()
  }
}

describe("the log of an embedded engine", () => {
  it("goes to stderr in logfmt and leaves stdout alone", async () => {
    const { code, stdout, stderr } = await outputOf()
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" })
    expect(stderr).toMatch(
      /^timestamp=\S+ level=WARN fiber=\S+ message="A sweep failed; the next one follows\." cause=/m
    )
  }, 20_000)

  it.each([
    ["warn", true],
    ["error", false],
    ["none", false]
  ] as const)("holds warnings at the level %s: %s", async (log, told) => {
    const written = vi.spyOn(console, "error").mockReturnValue()
    let sweeps = 0
    const { promise: sweptAgain, resolve } = Promise.withResolvers<void>()
    const due = () => {
      if (++sweeps === 2) resolve()
      return Promise.reject(new Error("the store is gone"))
    }
    const engine = await createEngine({ folder, concurrency: 0, store: { ...goneStore, due }, sweepMs: 50, log })
    await sweptAgain
    await engine.close()
    expect(written.mock.calls.length > 0).toBe(told)
    written.mockRestore()
  })

  it("is given to a host's function as plain entries, whatever that throws", async () => {
    const entry = await firstEntry()
    expect(entry).toMatchObject({
      level: "warn",
      message: "A sweep failed; the next one follows.",
      cause: expect.stringContaining("the store is gone"),
      annotations: {}
    })
    expect(entry.at).toBeInstanceOf(Date)
  })
})
