/**
 * Core builds on the part of effect that its authors call stable.
 *
 * effect marks every export with `@stability stable|unstable|experimental` in its declarations; this reads the exports
 * that core uses and demands the first. TypeScript 7 has no JavaScript API, so swc reads our side and a scan for
 * doc comments reads theirs.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { parseSync } from "@swc/core"
import { root } from "../support/Project.ts"
import { atLeast, type Findings } from "../support/Step.ts"

/** The modules of effect that core may import. */
const modules = ["Context", "Cron", "Effect", "Layer", "Option", "Result", "Schema", "Scope", "Stream"]

/** A use of `symbol` of `effect/<module>`; `*` when all of the module escapes. */
export interface Use {
  readonly module: string
  readonly symbol: string
}

/** What a TypeScript source uses of effect. */
export const usesOf = (source: string): ReadonlyArray<Use> => {
  const program = parseSync(source, { syntax: "typescript", target: "es2024" })
  const namespaces = new Map<string, string>()
  const uses = new Map<string, Use>()
  const add = (module: string, symbol: string) => uses.set(`${module}.${symbol}`, { module, symbol })

  const rest: Array<unknown> = []
  for (const item of program.body) {
    if (item.type === "ExportAllDeclaration" && isEffect(item.source.value)) add(moduleOf(item.source.value), "*")
    if (item.type === "ExportNamedDeclaration" && item.source != null && isEffect(item.source.value)) {
      const module = moduleOf(item.source.value)
      for (const one of item.specifiers) add(module, one.type === "ExportSpecifier" ? one.orig.value : "*")
    }
    if (item.type !== "ImportDeclaration") {
      rest.push(item)
      continue
    }
    if (!isEffect(item.source.value)) continue
    const module = moduleOf(item.source.value)
    for (const one of item.specifiers) {
      if (one.type === "ImportNamespaceSpecifier") namespaces.set(one.local.value, module)
      else if (one.type === "ImportSpecifier") add(module, one.imported?.value ?? one.local.value)
      else add(module, "default")
    }
  }

  const named = (node: unknown): string | undefined => {
    const { type, value } = (node ?? {}) as { readonly type?: unknown; readonly value?: unknown }
    return type === "Identifier" && typeof value === "string" ? value : undefined
  }
  const visit = (node: unknown): void => {
    if (node === null || typeof node !== "object") return
    const { type, object, property, left, right } = node as Readonly<Record<string, unknown>>
    const member = type === "MemberExpression" || type === "TsQualifiedName"
    const module = namespaces.get(named(member ? (object ?? left) : node) ?? "")
    const symbol = member ? named(property ?? right) : undefined
    if (module !== undefined) add(module, symbol ?? "*")
    else Object.values(node).forEach(visit)
  }
  visit(rest)
  return [...uses.values()]
}

/** The stability of each export that a declaration file documents; the strictest one counts for overloads. */
export const stabilities = (declarations: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  const documented =
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export\s+(?:declare\s+)?(?:abstract\s+)?(?:const|let|function|class|interface|type|namespace|import)\s+(\w+)|(?:\w+\s+as\s+)?(\w+)\s*[,}])/g
  for (const [, comment = "", exported, renamed] of declarations.matchAll(documented)) {
    const stability = /@stability\s+(\w+)/.exec(comment)?.[1] ?? "unmarked"
    const name = exported ?? renamed ?? ""
    if (stability !== "stable" || !found.has(name)) found.set(name, stability)
  }
  return found
}

/** One sentence for each use that is not stable. */
export const unstableUses = (uses: ReadonlyArray<Use>, declarationsOf: (module: string) => string) =>
  uses.flatMap(({ module, symbol }) => {
    if (!modules.includes(module)) return [`effect/${module} is not on the list of modules that core may import`]
    if (symbol === "*") return [`effect/${module} is passed on whole, so that nobody can tell what is used of it`]
    const stability = stabilities(declarationsOf(module)).get(symbol)
    return stability === "stable"
      ? []
      : [`effect/${module}.${symbol} is ${stability ?? "not found in its declarations"}`]
  })

export const stability = async (): Promise<Findings> => {
  const source = join(root, "packages/core/src")
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
  const used = files.map((file) => {
    const path = join(source, file)
    return { path: relative(root, path), uses: usesOf(readFileSync(path, "utf8")) }
  })
  const symbols = new Set(used.flatMap(({ uses }) => uses.map(({ module, symbol }) => `${module}.${symbol}`)))
  return {
    read: `${files.length} modules, ${symbols.size} symbols of effect`,
    faults: [
      ...atLeast(10, files.length, "modules of core"),
      ...atLeast(5, symbols.size, "symbols of effect"),
      ...used.flatMap(({ path, uses }) => unstableUses(uses, declarations).map((fault) => `${path}: ${fault}`))
    ]
  }
}

function declarations(module: string): string {
  const path = join(root, "node_modules/effect/dist", `${module}.d.ts`)
  return existsSync(path) ? readFileSync(path, "utf8") : ""
}

function isEffect(specifier: string): boolean {
  return specifier === "effect" || specifier.startsWith("effect/") || specifier.startsWith("@effect/")
}

function moduleOf(specifier: string): string {
  return specifier.replace(/^effect\//, "")
}
