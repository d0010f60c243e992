import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { tenantsOf } from "../../src/serve/Compose.ts"
import { loadModels } from "../../src/serve/Models.ts"
import { readConfig, type ServerConfig, type Settings } from "../../src/serve/ServerConfig.ts"

const folder = mkdtempSync(join(tmpdir(), "sotto-models-"))
afterAll(() => rmSync(folder, { recursive: true }))

const configOf = (document: object): ServerConfig => {
  const config = readConfig(document)
  if (!("folder" in config)) throw new Error(config.join("\n"))
  return config
}

let modules = 0

/** Settings with a module of this text. */
const settingsWith = (text: string, more: object = {}): Settings => {
  const module = `module-${modules++}.mjs`
  writeFileSync(join(folder, module), text)
  return { file: undefined, config: configOf({ models: { module }, ...more }), folder }
}

const model = (
  name: string,
  versions = "[{ _tag: 'File', version: '1', active: true, groupSize: 1, groupPrice: 1, accepts: ['text/plain'], run: () => {} }]"
) => `{ name: "${name}", versions: ${versions} }`

describe("models of a server", () => {
  it("are whatever the module exports that is one, by itself or in a list", async () => {
    const text = `export const a = ${model("a")}; export const several = [${model("b")}, ${model("c")}]; export const limit = 7; export default a`
    expect((await loadModels(settingsWith(text))).map(({ name }) => name).toSorted()).toEqual(["a", "b", "c"])
  })

  it("are none without a module", async () => {
    expect(await loadModels({ file: undefined, config: configOf({}), folder })).toEqual([])
  })

  it.each<readonly [what: string, text: string, says: RegExp]>([
    ["that exports none", "export const a = 1", /exports no model/],
    ["that cannot be loaded", "import './nothing.mjs'", /cannot be loaded/],
    ["with two of one name", `export const a = ${model("a")}; export const b = ${model("a")}`, /two models called "a"/],
    ["with one that cannot be offered", `export const a = ${model("a", "[]")}`, /it has no version/]
  ])("refuse a module %s", async (_, text, says) => {
    await expect(loadModels(settingsWith(text))).rejects.toThrow(says)
  })

  it("refuse a module that is not there", async () => {
    const config = configOf({ models: { module: "nowhere.mjs" } })
    await expect(loadModels({ file: undefined, config, folder })).rejects.toThrow(/there is no file .*nowhere\.mjs/)
  })

  it("refuse a key for a model that is not among them", async () => {
    const apiKeys = [{ tenant: "default", name: "ci", model: "z", id: "0".repeat(16), hash: "0".repeat(64) }]
    const settings = settingsWith(`export const a = ${model("a")}`, { apiKeys })
    await expect(loadModels(settings)).rejects.toThrow('The key "ci" of apiKeys is for the model "z"; there are a.')
  })

  it("have their files where no tenant reads or writes unless it is told", () => {
    const buckets = (document: object) => tenantsOf(configOf(document)).map((tenant) => tenant.buckets)
    expect(buckets({})).toEqual(["any"])
    expect(buckets({ models: { module: "m" } })).toEqual([["reports", "domains", "output"]])
    expect(buckets({ models: { module: "m" }, buckets: { models: "m", data: "d" } })).toEqual([["data"]])
    const told = { buckets: { models: "m" }, tenants: { a: { buckets: ["models"] } } }
    expect(buckets({ models: { module: "m" }, ...told })).toEqual([["models"]])
  })
})
