import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { stabilities, unstableUses, usesOf } from "../scripts/check/Stability.ts"
import { root } from "../scripts/support/Project.ts"

const names = (source: string) =>
  usesOf(source)
    .map(({ module, symbol }) => `${module}.${symbol}`)
    .toSorted()

describe("what a module uses of effect", () => {
  it("is every member of a namespace, in values and in types", () => {
    expect(
      names(`
        import * as Effect from "effect/Effect"
        import type * as Stream from "effect/Stream"
        export class Key extends Schema.Class<Key>("Key")({}) {}
        import * as Schema from "effect/Schema"
        export const one = (s: Stream.Stream<number>): Effect.Effect<number> => Effect.succeed(1)
        export type Two = Effect.Success<typeof one>`)
    ).toEqual(["Effect.Effect", "Effect.Success", "Effect.succeed", "Schema.Class", "Stream.Stream"])
  })

  it("is every named import and every re-export, under its own name", () => {
    expect(
      names(`
        import { pipe as flow, type Pipeable } from "effect/Function"
        export { none as nothing } from "effect/Option"
        export * from "effect/Result"
        import { sha256 } from "@noble/hashes/sha2.js"
        export const x = flow(sha256)`)
    ).toEqual(["Function.Pipeable", "Function.pipe", "Option.none", "Result.*"])
  })

  it("is all of a namespace that is passed on", () => {
    expect(names(`import * as Effect from "effect/Effect"\nexport const all = { Effect }`)).toEqual(["Effect.*"])
  })
})

describe("the stability of an export", () => {
  const declarations = `
    /** A module. @stability stable */
    import type { Other } from "./Other.ts"
    /** One. @stability stable */
    export declare const one: number
    /** Two. @stability unstable */
    export declare function two(): void
    /** Three, first form. @stability stable */
    export declare function three(a: number): void
    /** Three, second form. @stability experimental */
    export declare function three(a: string): void
    declare const void_: number
    export {
    /** Void. @stability stable */
    void_ as void }
    /** Unmarked. */
    export interface Four {}`

  it("is read from its own comment", () => {
    expect(Object.fromEntries(stabilities(declarations))).toEqual({
      one: "stable",
      two: "unstable",
      three: "experimental",
      void: "stable",
      Four: "unmarked"
    })
  })

  it("must be stable, in a listed module, and known", () => {
    const of = (module: string, symbol: string) => unstableUses([{ module, symbol }], () => declarations)
    expect(of("Effect", "one")).toEqual([])
    expect(of("Effect", "two")).toEqual(["effect/Effect.two is unstable"])
    expect(of("Effect", "Four")).toEqual(["effect/Effect.Four is unmarked"])
    expect(of("Effect", "five")).toEqual(["effect/Effect.five is not found in its declarations"])
    expect(of("Effect", "*")).toHaveLength(1)
    expect(of("Clock", "one")).toHaveLength(1)
    expect(of("effect", "one")).toHaveLength(1)
  })

  it("is found in the real declarations", () => {
    const found = stabilities(readFileSync(join(root, "node_modules/effect/dist/Effect.d.ts"), "utf8"))
    expect(found.size).toBeGreaterThan(200)
    expect([found.get("succeed"), found.get("Effect"), found.get("void"), found.get("gen")]).toEqual([
      "stable",
      "stable",
      "stable",
      "stable"
    ])
    expect([...found.values()]).toContain("unstable")
  })
})
