import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { mount } from "@sotto/http"
import { createEngine, type SottoEngine } from "sotto"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { pythagoras } from "../../examples/pythagoras/model.ts"

let folder = ""
let engine: SottoEngine
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-example-"))
  engine = await createEngine({ folder, models: [pythagoras], log: () => undefined })
})
afterEach(async () => {
  await engine.close()
  await rm(folder, { recursive: true })
})

const CSV = "x,y\n3,4\n6,8\n5,12\n"

describe("examples/pythagoras", () => {
  it("works within a program: a file in, a file out, and a bill", async () => {
    const submission = { model: "pythagoras", file: CSV, fileName: "sides.csv", key: "march" }
    expect(await engine.models.quote(submission)).toMatchObject({ recordCount: 3, billedUsage: 20 })
    const { job, created } = await engine.models.submit(submission)
    expect([created, job.name, job.billedUsage]).toEqual([true, "sides.csv", 20])
    const { name, mime, content } = await engine.models.result(job.id)
    expect([name, mime]).toEqual([`data_${job.id.slice(0, 8)}.csv`, "text/csv; header=present"])
    expect(Buffer.from(content).toString()).toBe("z\n5\n10\n13\n")
    expect(await engine.models.submit(submission)).toMatchObject({ created: false, job: { id: job.id } })
    expect(await engine.models.usage()).toMatchObject([{ model: "pythagoras", jobs: 1, billedUsage: 20 }])
  })

  it("names the records for which there is no number", async () => {
    const { job } = await engine.models.submit({
      model: "pythagoras",
      file: "x,y\n3,4\n1.7e308,1.7e308\n",
      fileName: "a.csv"
    })
    expect(Buffer.from((await engine.models.result(job.id)).content).toString()).toBe("z\n5\n")
    const errors = Buffer.from((await engine.models.result(job.id, { which: "errors" })).content).toString()
    expect(errors).toMatch(/^2,3,model,.*too large for a number/m)
  })

  it("maps columns of other names, and fills what is missing", async () => {
    const { job } = await engine.models.submit({
      model: "pythagoras",
      file: "a\n3\n",
      fileName: "a.csv",
      mapping: [
        { source: "a", destination: "x" },
        { destination: "y", defaultValue: 4 }
      ],
      outputMapping: [{ source: "z", destination: "hypotenuse" }]
    })
    expect(Buffer.from((await engine.models.result(job.id)).content).toString()).toBe("hypotenuse\n5\n")
  })

  it("is offered over HTTP where the engine is mounted", async () => {
    const principal = { tenant: "default", name: "test", scope: { _tag: "All" } } as const
    const { handler, dispose } = mount(engine, { authenticate: async () => principal })
    const form = new FormData()
    form.append("data", '{"mimeType": "text/csv; header=present"}')
    form.append("file", new Blob([CSV]), "example.csv")
    const answer = await handler(new Request("https://jobs.test/api/v1/jobs", { method: "POST", body: form }))
    const { data } = (await answer.json()) as { data: { id: string; status: string } }
    expect(data.status).toBe("success")
    const asked = await handler(new Request(`https://jobs.test/api/v1/jobs/result-link/${data.id}`))
    const link = ((await asked.json()) as { data: string }).data
    expect(link).toMatch(/^https:\/\/jobs\.test\/v1\/blobs\//)
    expect(await (await handler(new Request(link))).text()).toBe("z\n5\n10\n13\n")
    await dispose()
  })

  it("is refused in the words of the engine", async () => {
    const refused = engine.models.submit({ model: "thales", file: CSV })
    await expect(refused).rejects.toMatchObject({ code: "UnknownModel", message: expect.stringContaining("thales") })
    const typeless = engine.models.submit({ model: "pythagoras", file: CSV })
    await expect(typeless).rejects.toMatchObject({ code: "OnDemandRefused" })
  })
})
