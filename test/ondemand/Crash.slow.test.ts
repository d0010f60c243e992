/** A server that is killed in the middle of an on-demand job, for real. */
import { rmSync } from "node:fs"
import { afterEach, describe, expect, it } from "vitest"
import type { Server } from "../../packages/cli/test/serve/Server.ts"
import { slow } from "./SlowModel.ts"
import { ask, folderWith, resultOf, serveModels, submission } from "./Server.ts"

const folder = folderWith("test/ondemand/SlowModel.ts")
const servers: Array<Server> = []
const start = async (): Promise<Server> => {
  const server = await serveModels(folder)
  servers.push(server)
  return server
}
afterEach(async () => {
  for (const { kill, ended } of servers.splice(0)) {
    kill("SIGKILL")
    await ended
  }
  rmSync(folder, { recursive: true })
})

const COUNT = 4_000
const [{ groupSize, groupPrice } = { groupSize: 0, groupPrice: 0 }] = slow.versions
const BILL = Math.ceil(COUNT / groupSize) * groupPrice
const CSV = `n\n${Array.from({ length: COUNT }, (_, n) => `${n}\n`).join("")}`
const HEADERS = { "idempotency-key": '"squares"' }

const submit = ({ url }: Server) =>
  ask(url, "POST jobs", { body: submission({}, CSV, "squares.csv"), headers: HEADERS })

const doneOf = async ({ url }: Server, id: string): Promise<number> => {
  const { progress } = (await (await fetch(`${url}/v1/jobs/${id}`)).json()) as { progress: { done: number } | null }
  return progress?.done ?? 0
}

describe("A killed server", () => {
  it("ends the job after its restart with the same bytes and one bill", async () => {
    const first = await start()
    const submitting = submit(first).catch((error: unknown) => error)
    let id: string | undefined
    while (id === undefined) id = (await ask(first.url, "GET jobs/latest")).body.data[0]?.id
    while ((await doneOf(first, id)) < COUNT / 4) await ask(first.url, "GET jobs/latest")
    first.kill("SIGKILL")
    expect((await first.ended).signal).toBe("SIGKILL")
    expect(await submitting).toBeInstanceOf(Error)

    const second = await start()
    // The client does not know what became of it and sends it again.
    const { status, body } = await submit(second)
    expect([status, body.data.id]).toEqual([200, id])
    const expected = `square\n${Array.from({ length: COUNT }, (_, n) => `${n * n}\n`).join("")}`
    expect(await resultOf(second.url, id)).toBe(expected)
    const ended = await ask(second.url, `GET jobs/${id}`)
    expect(ended.body.data).toMatchObject({ status: "success", recordCount: COUNT, billedUsage: BILL })
    const usage = await ask(second.url, "GET usage")
    expect(usage.body.data).toMatchObject([{ jobs: 1, records: COUNT, billedUsage: BILL }])
  }, 90_000)
})
