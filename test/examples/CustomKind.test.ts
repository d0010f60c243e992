import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createEngine, type SottoEngine } from "sotto"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { refunds } from "../../examples/custom-kind/refund.ts"

const paid: Array<string> = []
let folder = ""
const opened: Array<SottoEngine> = []
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close()
})
const open = async () => {
  const engine = await createEngine({
    folder,
    kinds: [
      refunds(async ({ order }) => {
        paid.push(order)
        return `receipt for ${order}`
      })
    ]
  })
  opened.push(engine)
  return engine
}
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "sotto-example-"))))
afterAll(() => rm(folder, { recursive: true }))

const until = async (engine: SottoEngine, id: string, tag: string) => {
  for await (const event of engine.events(id)) if (event._tag === tag) return event
  return undefined
}

describe("examples/custom-kind", () => {
  it("pays a small refund at once", async () => {
    const engine = await open()
    const { job } = await engine.submit("refund", { order: "A1", cents: 500 })
    expect((await engine.wait(job.id)).outcome).toEqual({ _tag: "Succeeded", result: { receipt: "receipt for A1" } })
  })

  it("asks before it pays a large one, and goes on in the next process", async () => {
    let id = ""
    {
      const engine = await open()
      id = (await engine.submit("refund", { order: "B2", cents: 20_000 })).job.id
      expect(await until(engine, id, "InputAsked")).toMatchObject({ key: "approval", stage: "a refund of 200 for B2" })
      expect((await engine.get(id)).job.state).toBe("AwaitingInput")
      await engine.close()
    }
    expect(paid).not.toContain("B2")
    const engine = await open()
    await engine.giveInput(id, "approval", "yes")
    expect((await engine.wait(id)).outcome).toEqual({ _tag: "Succeeded", result: { receipt: "receipt for B2" } })
    expect(paid.filter((order) => order === "B2")).toHaveLength(1)
  })

  it("fails when it is declined, once and for all", async () => {
    const engine = await open()
    const { job } = await engine.submit(
      "refund",
      { order: "C3", cents: 20_000 },
      { inputs: [{ key: "approval", data: "no" }] }
    )
    expect((await engine.wait(job.id)).outcome).toMatchObject({
      _tag: "Failed",
      failure: { code: "Declined", category: "client", details: "no", retryable: false }
    })
    expect(paid).not.toContain("C3")
  })

  it("refuses parameters that it cannot read", async () => {
    const engine = await open()
    await expect(engine.submit("refund", { order: 7 })).rejects.toMatchObject({
      code: "InvalidSubmission",
      message: expect.stringContaining("order is a text, cents a number")
    })
  })
})
