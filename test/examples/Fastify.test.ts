import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createEngine, defineKind } from "sotto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { serviceOf } from "../../examples/fastify/server.ts"

const counting = defineKind({
  name: "counting",
  parameters: Number,
  run: async ({ parameters, progress, ask }) => {
    progress(1, parameters, "counting")
    await ask("go")
    return parameters
  }
})

let folder = ""
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "sotto-example-"))))
afterAll(() => rm(folder, { recursive: true }))

const open = async () => {
  const engine = await createEngine({ folder, kinds: [counting] })
  const service = serviceOf(engine)
  const url = await service.listen({ port: 0, host: "127.0.0.1" })
  const json = async (path: string, options?: RequestInit) => {
    const response = await fetch(`${url}${path}`, options)
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const post = (body: object) =>
    json("/jobs", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
  return { engine, service, url, json, post }
}

describe("examples/fastify", () => {
  it("takes a job, tells its progress and its events, and gives its result", async () => {
    const { engine, service, url, json, post } = await open()
    const submitted = await post({ kind: "counting", parameters: 3, key: "one" })
    expect(submitted.status).toBe(202)
    const id = String(submitted.body["id"])
    expect(await post({ kind: "counting", parameters: 3, key: "one" })).toEqual({ status: 200, body: { id } })
    const stream = fetch(`${url}/jobs/${id}/events`)
    for await (const { key } of engine.questions(id)) {
      expect((await json(`/jobs/${id}`)).body).toMatchObject({
        state: "AwaitingInput",
        progress: { done: 1, total: 3, phase: "counting" }
      })
      await engine.giveInput(id, key, true)
    }
    const response = await stream
    expect(response.headers.get("content-type")).toContain("text/event-stream")
    const told = await response.text()
    expect(told.match(/^event: .*$/gm)).toEqual(
      ["Submitted", "Claimed", "Started", "InputAsked", "InputGiven", "Claimed", "Started", "Succeeded"].map(
        (tag) => `event: ${tag}`
      )
    )
    expect(told.endsWith('id: 8\nevent: Succeeded\ndata: {"state":"Succeeded"}\n\n')).toBe(true)
    const rest = await fetch(`${url}/jobs/${id}/events`, { headers: { "last-event-id": "7" } })
    expect((await rest.text()).match(/^id: .*$/gm)).toEqual(["id: 8"])
    expect((await json(`/jobs/${id}`)).body).toMatchObject({ outcome: { _tag: "Succeeded", result: 3 } })
    await service.close()
  })

  it("refuses with the status of what is wrong", async () => {
    const { service, json, post } = await open()
    expect(await post({ kind: "triple", parameters: 1 })).toMatchObject({ status: 404, body: { code: "UnknownKind" } })
    expect(await post({ kind: "aggregation", parameters: {} })).toMatchObject({
      status: 400,
      body: { code: "InvalidSubmission" }
    })
    expect((await post({ kind: "counting" })).status).toBe(400)
    expect((await json("/jobs/nobody/events")).status).toBe(404)
    const { body } = await post({ kind: "counting", parameters: 5 })
    const cancelled = await json(`/jobs/${String(body["id"])}`, { method: "DELETE" })
    expect(cancelled).toMatchObject({ status: 200, body: { state: "Cancelled" } })
    await service.close()
  })

  it("ends open streams and its engine when it closes", async () => {
    const { engine, service, url, post } = await open()
    const { body } = await post({ kind: "counting", parameters: 7 })
    const response = await fetch(`${url}/jobs/${String(body["id"])}/events`)
    const told = response.text()
    await service.close()
    expect(await told).toContain("event: Submitted")
    await expect(engine.get(String(body["id"]))).rejects.toThrow()
  })
})
