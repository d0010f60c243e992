import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { cruiseTree, imports, loadedBy } from "../scripts/check/Dependencies.ts"
import { packages, root } from "../scripts/support/Project.ts"

/** A forbidden import each: the file that has it, what it imports, and the rule that must object. */
const forbidden: ReadonlyArray<readonly [file: string, specifier: string, rule: string]> = [
  ["core/src/budget/Node.ts", "node:fs", "core-runs-anywhere"],
  ["core/src/budget/Clock.ts", "effect/Clock", "core-areas-are-light"],
  ["core/src/noise/Effect.ts", "effect/Effect", "core-areas-are-light"],
  ["core/src/aggregation/Port.ts", "../ports/Port.ts", "core-areas-are-light"],
  ["core/src/internal/Effect.ts", "effect/Option", "core-areas-are-light"],
  ["core/src/Top.ts", "effect/Option", "core-areas-are-light"],
  ["core/src/ports/Clock.ts", "effect/Clock", "core-ports-effect-modules"],
  ["core/src/ports/Root.ts", "effect", "core-ports-effect-modules"],
  ["core/src/ports/Layers.ts", "effect/Layer", "core-ports-effect-modules"],
  ["core/src/kinds/Http.ts", "effect/http", "core-effect-modules"],
  ["core/src/machine/Bytes.ts", "../internal/Bytes.ts", "core-machine-is-alone"],
  ["core/src/ports/Upwards.ts", "@sotto/engine", "core-imports"],
  ["core/src/ports/Library.ts", "avsc", "core-imports"],
  ["fs/src/Other.ts", "@sotto/memory", "fs-imports"],
  ["store-sqlite/src/Engine.ts", "@sotto/engine", "store-sqlite-imports"],
  ["memory/src/Node.ts", "node:crypto", "memory-runs-anywhere"],
  ["engine/src/Adapter.ts", "@sotto/store-sqlite", "engine-imports"],
  ["engine/src/Node.ts", "node:timers", "engine-runs-anywhere"],
  ["client/src/Effect.ts", "effect/Effect", "client-imports"],
  ["avro/src/Core.ts", "@sotto/core/budget", "avro-imports"],
  ["aggregator/src/Adapter.ts", "@sotto/fs", "aggregator-imports"],
  ["testkit/src/Adapter.ts", "@sotto/memory", "testkit-imports"],
  ["cli/src/Facade.ts", "sotto", "cli-imports"],
  ["cli/src/Relative.ts", "../../core/src/budget/index.ts", "across-packages-by-name"],
  ["cli/src/Inside.ts", "../../core/src/internal/Bytes.ts", "core-is-sealed"],
  ["cli/src/Test.ts", "../test/Help.ts", "no-tests-in-sources"],
  ["cli/src/Nowhere.ts", "./Missing.ts", "no-unresolved"],
  ["fs/src/Self.ts", "./Circle.ts", "no-cycles"]
]

/** What the rules must let pass. */
const allowed: ReadonlyArray<readonly [file: string, specifier: string]> = [
  ["core/src/budget/index.ts", "@noble/hashes/sha2.js"],
  ["core/src/noise/index.ts", "../internal/Bytes.ts"],
  ["core/src/aggregation/index.ts", "../budget/index.ts"],
  ["core/src/ports/Port.ts", "effect/Context"],
  ["core/src/ports/Typed.ts", "../budget/index.ts"],
  ["core/src/kinds/Layered.ts", "effect/Layer"],
  ["core/src/internal/Bytes.ts", "../budget/Leaf.ts"],
  ["fs/src/Store.ts", "node:fs"],
  ["fs/src/Port.ts", "@sotto/core/ports/Port"],
  ["fs/src/Circle.ts", "./Self.ts"],
  ["engine/src/Run.ts", "@sotto/core/ports/Port"],
  ["aggregator/src/Files.ts", "@sotto/avro"],
  ["cli/src/All.ts", "@sotto/store-sqlite"],
  ["cli/test/Help.ts", "node:fs"],
  ["testkit/src/Laws.ts", "fast-check"],
  ["sotto/src/Facade.ts", "@sotto/cli"]
]

const directory = realpathSync(mkdtempSync(join(tmpdir(), "sotto-rules-")))
let cruised: Awaited<ReturnType<typeof cruiseTree>>

const write = (file: string, text: string): void => {
  const path = join(directory, "packages", file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

beforeAll(async () => {
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (["@sotto", "sotto", ".bin"].includes(name)) continue
    mkdirSync(join(directory, "node_modules"), { recursive: true })
    symlinkSync(join(root, "node_modules", name), join(directory, "node_modules", name))
  }
  mkdirSync(join(directory, "node_modules/@sotto"))
  for (const { folder, name } of packages()) {
    write(
      `${folder}/package.json`,
      JSON.stringify({ name, exports: { ".": "./src/index.ts", "./*": ["./src/*.ts", "./src/*/index.ts"] } })
    )
    write(`${folder}/src/index.ts`, "export const here = 1\n")
    symlinkSync(join(directory, "packages", folder), join(directory, "node_modules", name))
  }
  write(
    "core/package.json",
    JSON.stringify({ name: "@sotto/core", exports: { "./ports/*": "./src/ports/*.ts", "./*": "./src/*/index.ts" } })
  )
  write("core/src/budget/Leaf.ts", "export const leaf = 1\n")
  for (const [file, specifier] of [...allowed, ...forbidden]) {
    write(file, `import * as it from "${specifier}"\nexport const used: unknown = it satisfies unknown\n`)
  }
  cruised = await cruiseTree(directory)
}, 60_000)

afterAll(() => rmSync(directory, { recursive: true }))

/** A cycle is reported once, at either end. */
const rulesAgainst = (file: string) =>
  cruised.violations
    .filter(({ rule, from, to }) => from === `packages/${file}` || (rule === "no-cycles" && to === `packages/${file}`))
    .map(({ rule }) => rule)

describe("the rules of imports", () => {
  it.each(forbidden)("%s may not import %s", (file, _specifier, rule) => {
    expect(cruised.modules).toContain(`packages/${file}`)
    expect(rulesAgainst(file)).toContain(rule)
  })

  it.each(allowed.filter(([file]) => file !== "fs/src/Circle.ts"))("%s may import %s", (file) => {
    expect(rulesAgainst(file)).toEqual([])
  })

  it("see a type-only import too", async () => {
    write("fs/src/Typed.ts", `import type { here } from "@sotto/memory"\nexport type Here = typeof here\n`)
    const { violations } = await cruiseTree(directory)
    expect(violations).toContainEqual({
      rule: "fs-imports",
      from: "packages/fs/src/Typed.ts",
      to: "packages/memory/src/index.ts"
    })
  })

  it("name every package", () => {
    expect(Object.keys(imports).toSorted()).toEqual(packages().map(({ folder }) => folder))
  })
})

describe("what a thread loads", () => {
  it("includes effect when a port is imported, and nothing for a type", async () => {
    const load = async (text: string) => {
      const entry = join(directory, "Entry.ts")
      writeFileSync(entry, text)
      return (await loadedBy(entry)).some((file) => file.includes("node_modules/effect/"))
    }
    expect(await load(`import * as Context from "effect/Context"\nconsole.log(Context)\n`)).toBe(true)
    expect(await load(`import type * as Context from "effect/Context"\nexport type C = Context.Context<never>\n`)).toBe(
      false
    )
  })
})
