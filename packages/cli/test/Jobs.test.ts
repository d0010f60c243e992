import { layerAnonymous, layerHttp, layerTenants, layerTokens } from "@sotto/http"
import { layerListener, Listener, type ListenFailed } from "@sotto/http/node"
import { type HasServices, SERVICES } from "@sotto/engine"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { createEngine, defineKind, type SottoEngine } from "sotto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { inside, json, start, temporary } from "./support/Sotto.ts"

const { path, remove } = temporary()
const store = path("embedded", "sotto.db")
const places: Record<"store" | "url", ReadonlyArray<string>> = { store: ["--store", store], url: [] }
let engine: SottoEngine
let listening: ManagedRuntime.ManagedRuntime<Listener, ListenFailed>
beforeAll(async () => {
  engine = await createEngine({
    folder: path("embedded"),
    kinds: [
      defineKind({ name: "double", parameters: Number, run: ({ parameters }) => parameters * 2 }),
      defineKind({ name: "question", parameters: () => null, run: ({ ask }) => ask("answer") })
    ]
  })
  const access = layerAnonymous.pipe(Layer.provideMerge(Layer.merge(layerTenants(), layerTokens)))
  listening = ManagedRuntime.make(
    layerListener({ port: 0 }).pipe(
      Layer.provide(layerHttp()),
      Layer.provide(access),
      Layer.provide(Layer.succeedContext((engine as unknown as HasServices)[SERVICES]))
    )
  )
  places.url = ["--url", (await listening.runPromise(Listener)).url]
})
afterAll(async () => {
  await listening.dispose()
  await engine.close()
  remove()
})

describe.each(["store", "url"] as const)("sotto jobs over a %s", (place) => {
  const jobs = (command: string, ...args: ReadonlyArray<string>) => ["jobs", command, ...places[place], ...args]

  it("submits a job that a worker elsewhere runs, waits for it and shows it", async () => {
    const submit = jobs("submit", "--kind", "double", "--parameters", "21", "--key", `${place} one`)
    const { id, created } = await json(submit)
    expect(created).toBe(true)
    expect(await json(submit)).toMatchObject({ id, created: false })
    const waited = await inside(...jobs("wait", id))
    expect([waited.code, waited.stdout]).toEqual([0, "Succeeded 42\n"])
    expect(await json(jobs("get", id))).toMatchObject({ id, state: "Succeeded", word: "Succeeded", result: 42 })
    expect((await inside(...jobs("get", id))).stdout).toMatch(/^double .*\nstate {5}Succeeded.*outcome {3}42\n$/s)
    const listed = await json(jobs("list", "--kind", "double", "--state", "succeeded", "--limit", "1"))
    expect(listed["jobs"].map((job: { id: string }) => job.id)).toEqual([id])
    expect((await inside(...jobs("list", "--state", "Failed"))).stdout).not.toContain(id)
  })

  it("cancels a job, and a wait for it fails", async () => {
    const { job } = await engine.submit("question", null)
    const cancelled = { state: "Cancelled", reason: "a test" }
    expect(await json(jobs("cancel", job.id, "--reason", "a test"))).toMatchObject(cancelled)
    const waited = await inside(...jobs("wait", job.id))
    expect([waited.code, waited.stdout]).toEqual([1, "Cancelled a test\n"])
    expect((await engine.get(job.id)).job.state).toBe("Cancelled")
  })

  it("tells in a pipe what a job that is waited for is doing", async () => {
    const { job } = await engine.submit("question", null)
    for await (const event of engine.events(job.id)) if (event._tag === "InputAsked") break
    const waiting = start(jobs("wait", job.id))
    await waiting.says("AwaitingInput\n")
    await engine.giveInput(job.id, "answer", "yes")
    expect(await waiting.ended).toMatchObject({ code: 0, stdout: 'Succeeded "yes"\n' })
  })

  it.each([
    [["get", "nobody"], 1, "job"],
    [["list", "--state", "Happy"], 2, "Happy is none of"],
    [["submit", "--parameters", "{"], 2, "is not JSON"],
    [["submit", "--parameters", "{}"], 1, "Correct the parameters"],
    [["submit", "--kind", "No Kind", "--parameters", "{}"], 2, "--kind"],
    [["submit", "--parameters", "@nowhere.json"], 1, "There is no file nowhere.json"]
  ] as const)("refuses %j", async ([command, ...args], code, sentence) => {
    const refused = await inside(...jobs(command, ...args))
    expect(refused.code).toBe(code)
    expect(refused.stderr).toContain(sentence)
  })

  it("shows nobody the jobs of another tenant", async () => {
    const { job } = await engine.submit("double", 1, { tenant: "other" })
    expect((await inside(...jobs("get", job.id))).code).toBe(1)
  })
})

describe("sotto jobs", () => {
  const eventsOf = async (...args: ReadonlyArray<string>) => (await inside("jobs", "events", ...args)).stdout
  const names = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => line.trim().split(/ +/)[2])

  it("shows the log of a store so far, and with --follow to the end", async () => {
    const { job } = await engine.submit("question", null)
    for await (const event of engine.events(job.id)) if (event._tag === "InputAsked") break
    expect(names(await eventsOf(...places.store, job.id))).toEqual(["Submitted", "Claimed", "Started", "InputAsked"])
    const following = eventsOf(...places.store, job.id, "--follow", "--after", "4", "--json")
    await engine.giveInput(job.id, "answer", "yes")
    const tags = (await following)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)._tag)
    expect(tags).toEqual(["InputGiven", "Claimed", "Started", "Succeeded"])
  })

  it("shows the outward events of a server so far, and with --follow to the end", async () => {
    const { job } = await engine.submit("question", null)
    for await (const event of engine.events(job.id)) if (event._tag === "InputAsked") break
    const before = names(await eventsOf(...places.url, job.id))
    const following = eventsOf(...places.url, job.id, "--follow")
    await engine.giveInput(job.id, "answer", "yes")
    const all = names(await following)
    expect(all.slice(0, before.length)).toEqual(before)
    expect(all.length).toBeGreaterThan(before.length)
    expect(await eventsOf(...places.url, job.id, "--after", "1")).toBe(
      (await following).slice((await following).indexOf("\n") + 1)
    )
    const pages = (await eventsOf(...places.url, job.id, "--json")).trimEnd().split("\n")
    expect(pages.map((line) => JSON.parse(line).number)).toEqual(all.map((_, i) => i + 1))
  })

  it.each<readonly [args: ReadonlyArray<string>, code: number, sentence: string]>([
    [["list"], 2, "one of --store and --url"],
    [["list", "--store", store, "--url", "http://127.0.0.1:1"], 2, "one of --store and --url"],
    [["list", "--url", "127.0.0.1:8787"], 2, "--url: write where the server is"],
    [["list", "--url", "http://127.0.0.1:1", "--tenant", "north"], 2, "--tenant goes with --store"],
    [["list", "--store", store, "--api-key-file", "key"], 2, "--api-key-file goes with --url"],
    [["list", "--url", "http://127.0.0.1:1", "--api-key-file", "nowhere"], 1, "There is no file nowhere"],
    [["list", "--url", "http://127.0.0.1:1"], 1, "does not answer"],
    [["get", "--store", path("none.db"), "nobody"], 1, path("none.db")]
  ])("refuses %j", async (args, code, sentence) => {
    const refused = await inside("jobs", ...args)
    expect(refused.code).toBe(code)
    expect(refused.stderr).toContain(sentence)
  })

  it("shows the jobs of the tenant that is named, in a store", async () => {
    const { job } = await engine.submit("double", 1, { tenant: "other" })
    expect((await inside("jobs", "get", ...places.store, "--tenant", "other", job.id)).code).toBe(0)
  })
})
