import { describe, expect, it } from "vitest"
import { browserBundles, bundleOf, runBare, subPaths } from "../scripts/check/BrowserBundles.ts"

const works = async (text: string, options: Parameters<typeof runBare>[2] = {}) =>
  runBare((await bundleOf({ text })).code, "bundle.call() === 1", options)

describe("browser bundles", () => {
  it("of every sub-path of core and the client load and answer in a bare context", async () => {
    const { faults, notes } = await browserBundles()
    expect(faults).toEqual([])
    expect(notes).toHaveLength(subPaths().length)
  })

  it("cover the areas, the ports and the client", () => {
    expect(subPaths()).toEqual(
      expect.arrayContaining([
        "@sotto/client",
        "@sotto/core/aggregation",
        "@sotto/core/budget",
        "@sotto/core/noise",
        "@sotto/core/ports/BlobStore"
      ])
    )
  })
})

describe("the bare context", () => {
  it("runs what needs only the language", async () => {
    await works(`export const call = () => new Date(1).getTime()`, { pure: true })
  })

  it.each([
    "console",
    "process",
    "setTimeout",
    "TextEncoder",
    "Buffer",
    "crypto",
    "performance",
    "URL",
    "structuredClone"
  ])("has no %s", async (name) => {
    await expect(works(`export const call = () => { void ${name}.name; return 1 }`)).rejects.toThrow(name)
  })

  it.each(["Date.now()", "new Date()", "Date()", "Math.random()", "new Function('return 1')()"])(
    "does not answer %s in a pure module",
    async (expression) => {
      await expect(
        works(`export const call = () => { globalThis.kept = ${expression}; return 1 }`, { pure: true })
      ).rejects.toThrow()
    }
  )

  it("tells a wrong answer from a right one", async () => {
    await expect(works(`export const call = () => 2`)).rejects.toThrow("answered false")
  })

  it("takes no module of Node", async () => {
    await expect(bundleOf({ text: `import "node:fs"` })).rejects.toThrow("node:fs")
  })
})
