import { createEngine, defineKind, type SottoEngine } from "sotto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { inside, json, temporary } from "./support/Sotto.ts"

const { path, remove } = temporary()
const STORE = ["--store", path("embedded", "sotto.db")]
let engine: SottoEngine
beforeAll(async () => {
  engine = await createEngine({
    folder: path("embedded"),
    kinds: [
      defineKind({ name: "double", parameters: Number, run: ({ parameters }) => parameters * 2 }),
      defineKind({ name: "question", parameters: () => null, run: ({ ask }) => ask("answer") })
    ]
  })
})
afterAll(async () => {
  await engine.close()
  remove()
})

describe("sotto jobs", () => {
  it("submits a job that a worker elsewhere runs, waits for it and shows it", async () => {
    const submit = ["jobs", "submit", ...STORE, "--kind", "double", "--parameters", "21", "--key", "one"]
    const { id, created } = await json(submit)
    expect(created).toBe(true)
    expect(await json(submit)).toMatchObject({ id, created: false })
    const waited = await inside("jobs", "wait", ...STORE, id)
    expect([waited.code, waited.stdout]).toEqual([0, 'Succeeded {"_tag":"Succeeded","result":42}\n'])
    expect(await json(["jobs", "get", ...STORE, id])).toMatchObject({
      job: { id, state: "Succeeded" },
      word: "Succeeded"
    })
    const { jobs } = await json(["jobs", "list", ...STORE, "--kind", "double", "--state", "succeeded"])
    expect(jobs.map((job: { id: string }) => job.id)).toEqual([id])
    expect((await inside("jobs", "list", ...STORE, "--state", "Failed")).stdout).not.toContain(id)
  })

  it("shows what happened so far, and with --follow to the end", async () => {
    const { job } = await engine.submit("question", null)
    for await (const event of engine.events(job.id)) if (event._tag === "InputAsked") break
    const shown = await inside("jobs", "events", ...STORE, job.id)
    const tags = (text: string) =>
      text
        .trimEnd()
        .split("\n")
        .map((line) => line.trim().split(/ +/)[2])
    expect(tags(shown.stdout)).toEqual(["Submitted", "Claimed", "Started", "InputAsked"])
    const following = inside("jobs", "events", ...STORE, job.id, "--follow", "--after", "4", "--json")
    await engine.giveInput(job.id, "answer", "yes")
    const events = (await following).stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)._tag)
    expect(events).toEqual(["InputGiven", "Claimed", "Started", "Succeeded"])
  })

  it("cancels a job, and a wait for it fails", async () => {
    const { job } = await engine.submit("question", null)
    expect(await json(["jobs", "cancel", ...STORE, job.id, "--reason", "a test"])).toMatchObject({
      state: "Cancelled",
      outcome: { by: "sotto", reason: "a test" }
    })
    expect((await inside("jobs", "wait", ...STORE, job.id)).code).toBe(1)
    expect((await engine.get(job.id)).job.state).toBe("Cancelled")
  })

  it.each([
    [["get", ...STORE, "nobody"], 1, "There is no job nobody"],
    [["get", "--store", path("none.db"), "nobody"], 1, path("none.db")],
    [["list", ...STORE, "--state", "Happy"], 2, "Happy is none of"],
    [["submit", ...STORE, "--parameters", "{"], 2, "is not JSON"],
    [["submit", ...STORE, "--parameters", "{}"], 1, "Correct the parameters"],
    [["submit", ...STORE, "--kind", "No Kind", "--parameters", "{}"], 2, "--kind"],
    [["submit", ...STORE, "--parameters", "@nowhere.json"], 1, "There is no file nowhere.json"]
  ])("refuses %j", async (args, code, sentence) => {
    const refused = await inside("jobs", ...args)
    expect(refused.code).toBe(code)
    expect(refused.stderr).toContain(sentence)
  })

  it("shows nobody the jobs of another tenant", async () => {
    const { job } = await engine.submit("double", 1, { tenant: "other" })
    expect((await inside("jobs", "get", ...STORE, job.id)).code).toBe(1)
    expect((await inside("jobs", "get", ...STORE, "--tenant", "other", job.id)).code).toBe(0)
  })
})
