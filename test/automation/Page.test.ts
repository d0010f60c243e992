import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"

/** A page shows a part of a function from its own left edge. */
const flush = (code: string) => code.replaceAll(/^ +/gm, "").trim()

const root = join(import.meta.dirname, "../..")

it("docs/automations.md shows only code of the example", () => {
  const sources = globSync("examples/school-menu/*.ts", { cwd: root }).map((file) =>
    flush(readFileSync(join(root, file), "utf8"))
  )
  const page = readFileSync(join(root, "docs/automations.md"), "utf8")
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => flush(code))
  expect(blocks.length).toBe(2)
  for (const block of blocks)
    expect(
      sources.some((source) => source.includes(block)),
      block
    ).toBe(true)
})
