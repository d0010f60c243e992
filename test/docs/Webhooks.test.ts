/** The page about webhooks shows code that runs, and what it says of times and ids is so. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { layerMemoryJobStore, layerMemoryRecords, layerSeededEntropy } from "@sotto/memory"
import { Message, RETRY_AFTER_MS, Webhooks } from "@sotto/webhooks"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Webhook } from "standardwebhooks"
import { describe, expect, it } from "vitest"
import { verify } from "./WebhookReceiver.ts"
import { layerHooks } from "./Webhooks.ts"

const folder = import.meta.dirname
const page = readFileSync(join(folder, "../../docs/webhooks.md"), "utf8")
const sources = ["WebhookReceiver.ts", "Webhooks.ts"].map((file) => readFileSync(join(folder, file), "utf8"))

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
const BODY = JSON.stringify({ type: "job.succeeded", data: { text: "ü" } })

const sent = (at: number, body = BODY) => ({
  "webhook-id": "msg_1",
  "webhook-timestamp": String(Math.floor(at / 1000)),
  "webhook-signature": `v1,AAAA ${new Webhook(SECRET).sign("msg_1", new Date(at), body)}`
})

describe("the page about webhooks", () => {
  it("shows only code that is run here", () => {
    const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code.trim())
    expect(blocks).toHaveLength(2)
    for (const block of blocks) {
      const lines = block.split("\n\n")
      expect(sources.some((source) => lines.every((part) => source.includes(part)))).toBe(true)
    }
  })

  it("shows a message as it is", () => {
    const [, body = ""] = /\n\n(\{"type".*\})\n```/.exec(page) ?? []
    expect(Schema.decodeUnknownSync(Message)(JSON.parse(body))).toEqual(JSON.parse(body))
  })

  it("verifies what the official library signed", () => {
    expect(verify(SECRET, sent(Date.now()), BODY)).toEqual(JSON.parse(BODY))
  })

  it("refuses what was changed, is old, or says no time", () => {
    const now = Date.now()
    expect(() => verify(SECRET, sent(now), `${BODY} `)).toThrow("not ours")
    expect(() => verify("whsec_AAAA", sent(now), BODY)).toThrow("not ours")
    expect(() => verify(SECRET, sent(now - 310_000), BODY)).toThrow("too old")
    expect(() => verify(SECRET, { ...sent(now), "webhook-timestamp": "soon" }, BODY)).toThrow("too old")
    expect(() => verify(SECRET, {}, BODY)).toThrow("too old")
  })

  it("names the waits of the schedule", () => {
    const printed = RETRY_AFTER_MS.map((ms) =>
      ms < 60_000 ? `${ms / 1_000} s` : ms < 3_600_000 ? `${ms / 60_000} min` : `${ms / 3_600_000} h`
    )
    expect(page.replaceAll("\n", " ")).toContain(`${printed.slice(0, -1).join(", ")} and ${printed.at(-1)}`)
  })

  it("shows layers that fit together", async () => {
    const stores = Layer.mergeAll(layerMemoryJobStore(), layerMemoryRecords(), layerSeededEntropy(1))
    const listed = await Effect.runPromise(
      Webhooks.use((webhooks) => webhooks.list("north")).pipe(Effect.provide(Layer.provide(layerHooks, stores)))
    )
    expect(listed).toEqual([])
  })
})
