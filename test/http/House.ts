/** The server of `Server.ts`, started by a test file and counted between its tests. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"
import type { Held, Told } from "./Server.ts"

const MODULE = fileURLToPath(new URL("./Server.ts", import.meta.url))

export interface House {
  readonly port: number
  readonly url: string
  readonly held: () => Promise<Held>
  /** Asks as a tenant. */
  readonly ask: (path: string, init?: RequestInit, tenant?: string) => Promise<Response>
  /** Submits a job of a kind and gives its id. */
  readonly submit: (kind: string, tenant?: string) => Promise<string>
  readonly stop: () => Promise<void>
}

export const open = async (): Promise<House> => {
  const child: ChildProcess = fork(MODULE, {
    execArgv: ["--conditions=@sotto/source", "--expose-gc"],
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  const [{ port }] = (await once(child, "message")) as [Told]
  const url = `http://127.0.0.1:${port}`
  const ask: House["ask"] = (path, init = {}, tenant = "acme") =>
    fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${tenant}`, ...init.headers } })
  return {
    port,
    url,
    ask,
    held: async () => {
      child.send("count")
      const [held] = (await once(child, "message")) as [Held]
      return held
    },
    submit: async (kind, tenant) => {
      const headers = { "content-type": "application/json" }
      const body = JSON.stringify({ kind, parameters: null })
      return ((await (await ask("/v1/jobs", { method: "POST", headers, body }, tenant)).json()) as { id: string }).id
    },
    stop: async () => {
      const ended = once(child, "exit")
      child.kill()
      await ended
    }
  }
}

/** Memory that a server may hold more of than before, in bytes: what Node and Effect keep for the next time. */
const SLACK = 8 * 1024 * 1024

/** Once the server holds what it held before, apart from connections that `fetch` keeps for the next request. */
export const expectSame = async ({ held }: House, before: Held, kept = 0): Promise<void> => {
  await expect.poll(async () => (await held()).fibers, { timeout: 10_000 }).toBe(before.fibers)
  await expect
    .poll(async () => (await held()).connections, { timeout: 10_000 })
    .toBeLessThanOrEqual(before.connections + kept)
  const { memory, faults, handles } = await held()
  expect(faults).toEqual([])
  const others = ({ TCPSocketWrap: _, Timeout: __, Immediate: ___, ...rest }: Held["handles"]) => rest
  expect(others(handles)).toEqual(others(before.handles))
  expect(memory - before.memory).toBeLessThan(SLACK)
}
