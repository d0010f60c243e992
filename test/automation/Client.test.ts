import { Client as Official } from "@automationcloud/client"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { paidMenu, schoolMenu, services } from "../../examples/school-menu/services.ts"
import { INGREDIENTS } from "../../examples/school-menu/menu.ts"
import { type House, open } from "./House.ts"

let folder: string
let house: House
let key: string

// Its types ask for members that its methods neither send nor need.
// oxlint-disable-next-line typescript/no-explicit-any
const Client = Official as unknown as new (options: object) => any

const clientOf = (auth: unknown, serviceId = schoolMenu.id) =>
  new Client({
    serviceId,
    auth,
    apiUrl: `${house.url}/automation`,
    vaultUrl: `${house.url}/automation/vault`,
    apiTokenUrl: `${house.url}/automation/oauth2/token`,
    pollInterval: 20,
    requestRetryCount: 1,
    requestRetryDelay: 10
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-automation-"))
  house = await open({ file: join(folder, "sotto.db"), services })
  key = await house.key("acme")
})

afterAll(async () => {
  await house.close()
  await rm(folder, { recursive: true })
})

describe("The official client", () => {
  it("starts a job, answers its question and reads its outputs", async () => {
    const job = await clientOf(key).createJob()
    const states: Array<string> = []
    job.onStateChanged((state: string) => void states.push(state))
    job.onAwaitingInput("ingredientToAvoid", () => "almond")
    const [ingredients, menu] = await job.waitForOutputs("ingredients", "menu")
    await job.waitForCompletion()
    expect(ingredients).toEqual(INGREDIENTS)
    expect(menu.map(({ title }: { title: string }) => title)).toEqual([
      "Bean salad with tahini dressing",
      "Tahini sandwich with onion relish",
      "Cheddar and yeast bread"
    ])
    expect(job.getState()).toBe("success")
    expect(states).toEqual(["awaitingInput", "processing", "success"])
    expect(await job.getOutput("dessert")).toBeUndefined()
    expect((await job.getOutputs()).map((one: { key: string }) => one.key)).toEqual(["ingredients", "menu"])
  })

  it("gives inputs with the job, and by an access token of client credentials", async () => {
    const [, id, secret] = key.split("_")
    const client = clientOf({ clientId: id, clientSecret: secret })
    const job = await client.createJob({ category: "live", input: { ingredientToAvoid: "bean" } })
    await job.waitForCompletion()
    expect(job.getState()).toBe("success")
    expect((await client.queryPreviousOutput("menu", [{ key: "ingredientToAvoid", data: "bean" }])).jobId).toBe(
      job.jobId
    )
    expect((await client.queryPreviousOutput(undefined)).jobId).toBe(job.jobId)
  })

  it("submits an input itself, and is refused the second time", async () => {
    const job = await clientOf(key).createJob()
    await job.submitInput("ingredientToAvoid", "egg")
    await expect(job.submitInput("ingredientToAvoid", "bean")).rejects.toMatchObject({
      name: "RecordNotUniqueError",
      details: { status: 409 }
    })
    await job.waitForCompletion()
  })

  it("cancels a job, which fails for it", async () => {
    const job = await clientOf(key).createJob()
    await job.waitForOutputs("ingredients")
    await job.cancel()
    await expect(job.waitForCompletion()).rejects.toMatchObject({ name: "JobCancelled" })
    expect(job.getErrorInfo()).toMatchObject({ code: "JobCancelled", category: "client" })
  })

  it("follows a job with the job's own token, and sees no other with it", async () => {
    const [job, other] = [await clientOf(key).createJob(), await clientOf(key).createJob()]
    const token = await job.getAccessToken()
    const mine = await clientOf(token).getJob(job.jobId)
    mine.onAwaitingInput("ingredientToAvoid", () => "salt")
    await mine.waitForCompletion()
    expect(mine.getState()).toBe("success")
    await expect(clientOf(token).getJob(other.jobId)).rejects.toMatchObject({ details: { status: 404 } })
    await other.cancel()
    await job.waitForCompletion()
  })

  it("is sent to 3-D Secure, and sees the job fail when the payment is not approved", async () => {
    for (const answer of ["approved", "declined"]) {
      const job = await clientOf(key, paidMenu.id).createJob({ input: { ingredientToAvoid: "almond" } })
      await expect.poll(() => job.getTds().catch(() => undefined)).toMatchObject({ object: "3d-secure" })
      const { id, url } = await job.getTds()
      expect(url).toBe(`https://bank.example/challenge/${job.jobId}`)
      // Who has a token for the job may say that the challenge is over.
      const token = await job.getAccessToken()
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
      const path = `${house.url}/automation/3d-secure/${id}/finish`
      const finished = await fetch(path, { method: "POST", headers, body: JSON.stringify({ data: answer }) })
      expect(finished.status).toBe(200)
      if (answer === "approved") await job.waitForCompletion()
      else await expect(job.waitForCompletion()).rejects.toMatchObject({ name: "PaymentRejected" })
    }
  })

  it("puts cards and secrets into the vault, of which nothing is found anywhere", async () => {
    const client = clientOf(key)
    const otp = await client.vault.createOtp()
    const panToken = await client.vault.createPanToken("4111 1111 1111 1111", otp)
    await expect(client.vault.createPanToken("4111111111111111", otp)).rejects.toMatchObject({
      details: { status: 403 }
    })
    await expect(client.vault.createPanToken("4111111111111112")).rejects.toMatchObject({ details: { status: 400 } })
    const hidden = await client.vault.createDataToken("almond")
    const job = await client.createJob({
      input: { ingredientToAvoid: hidden, payment: { panToken, holder: "Wilhelmina Quax" } }
    })
    await job.waitForCompletion()
    expect(await job.getOutput("menu")).toHaveLength(3)
    const files = await Promise.all(
      ["", "-wal"].map((end) => readFile(join(folder, `sotto.db${end}`)).catch(() => Buffer.alloc(0)))
    )
    const token = await job.getAccessToken()
    const everywhere = Buffer.concat([...files, Buffer.from(house.told.join("\n"))]).toString("latin1")
    expect(everywhere).toContain(job.jobId)
    for (const secret of ["4111111111111111", "Wilhelmina", panToken, hidden.$token, otp, token, "tahini dressing"]) {
      expect(everywhere.includes(secret), secret).toBe(false)
    }
  })
})
