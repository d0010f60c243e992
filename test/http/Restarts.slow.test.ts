/** A page that follows a job misses nothing and hears nothing twice, though the server dies and is started again. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { createJob, furnish, serve, type Server } from "../../packages/cli/test/serve/Server.ts"
import { inside, temporary } from "../../packages/cli/test/support/Sotto.ts"
import type { Heard } from "./Follower.ts"

const FOLLOWER = fileURLToPath(new URL("./Follower.ts", import.meta.url))

const { path, remove } = temporary()
const ends: Array<() => unknown> = []
beforeAll(() => inside("reports", "generate", "--keys", path("keys.json"), "--count", "20", "--out", path("made")))
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})
afterAll(remove)

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** Follows an address until it is told to stop. */
const follow = (url: string) => {
  const child = fork(FOLLOWER, [url], {
    execArgv: ["--experimental-eventsource", "--disable-warning=UNDICI-ES"],
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  ends.push(() => child.kill())
  const heard: Array<Heard> = []
  child.on("message", (one: Heard) => heard.push(one))
  return heard
}

const count = (heard: ReadonlyArray<Heard>, tag: Heard["_tag"]) => heard.filter(({ _tag }) => _tag === tag).length

describe("An EventSource", () => {
  it("hears every event of a job once and in order over kill -9, SIGTERM and two starts", async () => {
    const folder = path("house")
    furnish(folder, path("made"), path("keys.json"))
    const port = await freePort()
    const start = async (pauseAt?: string): Promise<Server> => {
      const server = await serve(["--folder", folder, "--port", String(port)], pauseAt === undefined ? {} : { pauseAt })
      ends.push(async () => {
        server.kill("SIGKILL")
        await server.ended
      })
      return server
    }
    const first = await start("summed")
    await createJob(first.url, "one")
    const { jobs } = (await (await fetch(`${first.url}/v1/jobs`)).json()) as { jobs: ReadonlyArray<{ id: string }> }
    const job = `${first.url}/v1/jobs/${jobs[0]?.id}`
    const rename = async (name: string) => {
      const { status } = await fetch(job, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name })
      })
      expect(status).toBe(200)
    }
    const heard = follow(`${job}/events`)
    await first.says("paused at summed")
    for (const name of ["a", "b", "c"]) await rename(name)
    await expect.poll(() => count(heard, "Event"), { timeout: 5_000 }).toBeGreaterThanOrEqual(5)

    // Said and at once dead: what the page did not hear is in the store.
    await rename("d")
    first.kill("SIGKILL")
    await first.ended
    const second = await start("paid")
    // The page comes back when it has waited for as long as it was told.
    for (const name of ["e", "f"]) await rename(name)
    await second.says("paused at paid")
    await expect.poll(() => count(heard, "Event"), { timeout: 20_000 }).toBeGreaterThanOrEqual(10)
    await rename("g")
    second.kill("SIGTERM")
    expect((await second.ended).code).toBe(0)

    await start()
    await rename("h")
    await expect.poll(() => count(heard, "Over"), { timeout: 60_000 }).toBe(1)
    const { events, complete } = (await (await fetch(`${job}/events`)).json()) as {
      readonly events: ReadonlyArray<{ readonly number: number; readonly name: string }>
      readonly complete: boolean
    }
    expect([complete, events.at(-1)?.name]).toEqual([true, "succeeded"])
    expect(events.map(({ number }) => number)).toEqual(events.map((_, n) => n + 1))
    expect(heard.filter(({ _tag }) => _tag === "Event")).toEqual(
      events.map(({ number, name }): Heard => ({ _tag: "Event", id: String(number), name, number }))
    )
    expect(count(heard, "Lost")).toBeGreaterThanOrEqual(2)
  })
})
