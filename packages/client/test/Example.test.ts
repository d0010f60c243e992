import { readFileSync } from "node:fs"
import { createContext, runInContext } from "node:vm"
import { decode } from "cborg"
import { describe, expect, it } from "vitest"
import type { Report } from "../src/index.ts"
import { bundle, open, testKey } from "./support.ts"

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")

const valuesOf = async ({
  aggregation_service_payloads: [sealed],
  shared_info
}: Report): Promise<ReadonlyArray<number>> => {
  if (sealed === undefined) throw new Error("no payload")
  const { data } = decode(await open({ ...sealed, shared_info })) as { data: Array<{ value: Uint8Array }> }
  return data.map(({ value }) => Buffer.from(value).readUInt32BE()).filter((value) => value > 0)
}

describe("the examples", () => {
  it("page.html prints and posts a report with two contributions when its button is pressed", async () => {
    const page = read("examples/page.html")
    expect(page.trimEnd().split("\n").length).toBeLessThanOrEqual(31)
    const script = /<script>([\s\S]*?)<\/script>/.exec(page)?.[1] ?? ""
    const elements = { button: { onclick: async () => {} }, pre: { textContent: "" } }
    const posted: Array<{ url: string; body: string }> = []
    const realm = createContext({
      crypto,
      TextEncoder,
      document: { querySelector: (name: keyof typeof elements) => elements[name] },
      fetch: async (url: string, request?: { body: string }) => {
        if (request !== undefined) posted.push({ url, body: request.body })
        return { json: async () => ({ keys: [{ id: testKey.id, key: testKey.key }] }) }
      }
    })
    runInContext(await bundle(), realm)
    runInContext(script, realm)
    await elements.button.onclick()
    expect(posted).toHaveLength(1)
    expect(posted[0]?.body).toBe(elements.pre.textContent)
    expect(await valuesOf(JSON.parse(posted[0]?.body ?? "") as Report)).toEqual([32_768, 8513])
  })

  it("README.md's first lines of code make a report", async () => {
    const code = /```ts\nimport \* as sotto from "@sotto\/client"\n([\s\S]*?)```/.exec(read("README.md"))?.[1] ?? ""
    const made = new Promise<Report>((resolve) => {
      const send = async (body: string) => resolve(JSON.parse(body) as Report)
      const realm = createContext({ crypto, TextEncoder, send, keys: [testKey], order: { total: 129.9 } })
      void bundle().then((text) => {
        runInContext(text, realm)
        return runInContext(`(async () => {${code}})()`, realm) as Promise<void>
      })
    })
    expect(await valuesOf(await made)).toEqual([32_768, 8513])
  })
})
