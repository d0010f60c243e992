import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { layerPromisedBlobStore } from "@sotto/local"
import { blobStoreLaws, catches } from "@sotto/testkit"
import { afterAll, describe, expect, it } from "vitest"
import { MapBlobStore } from "../../examples/blob-store/MapBlobStore.ts"
import { inside } from "../../packages/cli/test/support/Sotto.ts"
import * as Layer from "effect/Layer"

const adapter = fileURLToPath(new URL("../../examples/blob-store/adapter.ts", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "sotto-verify-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("examples/blob-store", () => {
  it("has fewer than 60 lines", () => {
    const source = readFileSync(new URL("../../examples/blob-store/MapBlobStore.ts", import.meta.url), "utf8")
    expect(source.trimEnd().split("\n").length).toBeLessThan(60)
  })

  it("keeps every law of its port, and says so in a manifest", async () => {
    const file = join(folder, "manifest.json")
    const { code, stdout, stderr } = await inside("verify", adapter, "--runs", "25", "--mutants", "--manifest", file)
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("laws hold") })
    const manifest = JSON.parse(readFileSync(file, "utf8"))
    expect(manifest).toMatchObject({
      port: "BlobStore",
      passed: true,
      counted: { holds: blobStoreLaws.length - 1, degraded: 1, broken: 0 },
      capabilities: { signedLinks: false, localPaths: false },
      versions: { sotto: "0.1.0", node: process.versions.node },
      runs: 25
    })
    expect(manifest.laws.map(({ law }: { law: string }) => law)).toEqual(blobStoreLaws.map(({ id }) => id))
    for (const { id, needs, mutants } of blobStoreLaws) {
      const said = needs?.length === 0 ? `holds +${mutants.length} of ${mutants.length} ` : "degraded +0 of 0 "
      expect(stdout).toMatch(new RegExp(`^${id} +${said}`, "m"))
    }
    expect(stderr).toContain("CAPABILITIES was tried without signedLinks, localPaths")
    expect(manifest).not.toHaveProperty("at")
  })

  it("would be caught if it broke one", async () => {
    const subject = Layer.suspend(() => layerPromisedBlobStore(new MapBlobStore(["in", "out"])))
    for (const law of blobStoreLaws) {
      for (const mutant of law.mutants) {
        expect([law.id, mutant.name, await catches(law, mutant, subject, { runs: 200, seed: 1 })]).toEqual([
          law.id,
          mutant.name,
          true
        ])
      }
    }
  })
})

describe("sotto verify", () => {
  const module = (name: string, source: string): string => {
    const file = join(folder, name)
    writeFileSync(file, source)
    return file
  }

  it("names the law that a wrong adapter breaks, and fails", async () => {
    const file = module(
      "wrong.mjs",
      `export const port = "KeyRing"
       const pair = (id, n) => ({ id, publicKey: new Uint8Array(32).fill(n), privateKey: new Uint8Array(32).fill(n + 100) })
       export const keys = [pair("a", 1), pair("b", 2)]
       export const make = () => ({ privateKey: async () => keys[0] })`
    )
    const { code, stdout } = await inside("verify", file, "--json", "--at", "2026-11-22T02:00:00Z")
    const manifest = JSON.parse(stdout)
    expect([code, manifest.passed, manifest.at]).toEqual([1, false, "2026-11-22T02:00:00Z"])
    const broken = manifest.laws.filter(({ verdict }: { verdict: string }) => verdict === "broken")
    expect(broken.length).toBeGreaterThan(0)
    expect(broken[0].failure).toContain(`KeyRing breaks the law ${broken[0].law}`)
  })

  it.each([
    ["nowhere.mjs", undefined, "There is no file"],
    ["portless.mjs", "export const make = () => ({})", "exports no port"],
    ["other.mjs", `export const port = "toString"; export const make = () => ({})`, "exports no port"],
    ["makeless.mjs", `export const port = "BlobStore"`, "exports no make"],
    ["keyless.mjs", `export const port = "KeyRing"; export const make = () => ({})`, "also exports keys"],
    ["broken.mjs", `export const port =`, "broken.mjs cannot be loaded"],
    ["lacking.mjs", `export const port = "JobQueue"; export const make = () => ({})`, "has no announce(), wakeUps()"],
    [
      "away.mjs",
      `export const port = "Records"; export const make = () => { throw new Error("away") }`,
      "Records: away"
    ],
    ["once.mjs", `export const port = "BudgetLedger"; export const make = () => ({})`, "also has reopen(policy)"]
  ])("says what is wrong with a module: %s", async (name, source, sentence) => {
    const file = source === undefined ? join(folder, name) : module(name, source)
    const { code, stderr } = await inside("verify", file)
    expect(code).toBe(1)
    expect(stderr).toContain(sentence)
  })
})
