import { mkdtemp, rm } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createEngine, defineKind } from "sotto"
import { afterAll, describe, expect, it } from "vitest"
import { serviceOf } from "../../examples/node-http/server.ts"

const folder = await mkdtemp(join(tmpdir(), "sotto-example-"))
const engine = await createEngine({
  folder,
  kinds: [defineKind({ name: "double", parameters: Number, run: ({ parameters }) => parameters * 2 })]
})
const service = serviceOf(engine).listen(0)
const url = () => `http://localhost:${(service.address() as AddressInfo).port}/jobs`
afterAll(async () => {
  service.close()
  service.closeAllConnections()
  await engine.close()
  await rm(folder, { recursive: true })
})

const post = (body: object) => fetch(url(), { method: "POST", body: JSON.stringify(body) })

describe("examples/node-http", () => {
  it("takes a job, tells its events until it ends, and shows it", async () => {
    const submitted = await post({ kind: "double", parameters: 21, key: "one" })
    expect(submitted.status).toBe(202)
    const { id } = (await submitted.json()) as { id: string }
    const lines = (await (await fetch(`${url()}/${id}/events`)).text()).trimEnd().split("\n")
    expect(lines.map((line) => JSON.parse(line)._tag)).toEqual(["Submitted", "Claimed", "Started", "Succeeded"])
    const shown = await (await fetch(`${url()}/${id}`)).json()
    expect(shown).toMatchObject({ job: { id, outcome: { _tag: "Succeeded", result: 42 } } })
    const again = await post({ kind: "double", parameters: 21, key: "one" })
    expect([again.status, await again.json()]).toEqual([200, { id }])
  })

  it.each([
    ["another use of a key", { kind: "double", parameters: 1, key: "one" }, 409, "KeyTaken"],
    ["a kind that is not there", { kind: "triple", parameters: 1 }, 404, "UnknownKind"],
    ["parameters that an aggregation does not take", { kind: "aggregation", parameters: {} }, 400, "InvalidSubmission"]
  ])("refuses %s", async (_, body, status, code) => {
    const refused = await post(body)
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([status, code])
  })

  it("does not know what is not there", async () => {
    expect((await fetch(`${url()}/nobody/events`)).status).toBe(404)
    expect((await fetch(url().replace("jobs", "else"))).status).toBe(404)
  })
})
