/**
 * Every sub-path of core and the client is bundled for the browser and runs where there is nothing but the language:
 * a bare `vm` context, without console, timers, Buffer or TextEncoder, without eval, and for core's own areas even
 * without clock and randomness. A small call must answer, so that a bundle which merely loads is not enough.
 */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { createContext, runInContext, Script } from "node:vm"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { packages, root } from "../support/Project.ts"
import { atLeast, type Findings } from "../support/Step.ts"

const bundled = ["core", "client"]

/** What a host hands in: effect's Schema wants text codecs when it loads, the client seals with WebCrypto. */
const handedInTo = (name: string): object =>
  name === "@sotto/client"
    ? { crypto, TextEncoder }
    : name.startsWith("@sotto/core/ports/") ||
        ["@sotto/core/automation", "@sotto/core/job", "@sotto/core/launcher", "@sotto/core/tabular"].includes(name)
      ? { TextEncoder, TextDecoder }
      : {}

/** The most that a bundle may weigh gzipped, in bytes, where somebody was promised a number. */
const limits: Readonly<Record<string, number>> = { "@sotto/client": 12_000 }

/** An expression over `bundle`, its exports, that is `true` when the bundle works. One per sub-path; see `smokeOf`. */
const smokes: Readonly<Record<string, string>> = {
  "@sotto/core/Instant": `bundle.printInstant(bundle.parseInstant("2026-01-02T03:04:05Z")) === "2026-01-02T03:04:05Z"`,
  "@sotto/core/Bytes": `bundle.toHex(bundle.utf8("é")) === "c3a9"`,
  "@sotto/core/budget": `bundle.printEpsilon(bundle.parseEpsilon("0.25", 2)) === "0.25"`,
  "@sotto/core/noise": `bundle.halfWidth(bundle.rateOf(1_000_000, 65536), bundle.ratio(1n, 20n)) > 65536n`,
  "@sotto/core/aggregation": `bundle.printFilteringIds(bundle.parseFilteringIds("3,1")) === "1,3"`,
  "@sotto/core/automation": `bundle.parsePan("4111 1111 1111 1111") === "4111111111111111"`,
  "@sotto/core/launcher": `bundle.compileSql("SELECT split(a, ',') FROM t", { dialect: "duckdb", collections: [] }).includes("REGEXP")`,
  "@sotto/core/machine": `bundle.toMermaid({ start: "a", terminal: ["b"], rows: [{ from: "a", on: "e", to: "b" }] }).length > 20`,
  "@sotto/core/job": `bundle.isTerminal("Failed") && bundle.leased.rows.length > 20`,
  "@sotto/core/tabular": `bundle.printPath(bundle.parsePath("/a[0,3]/b")) === "a[0-2]/b" && bundle.onDemandKind.name === "on-demand"`,
  "@sotto/client": `(async () => {
    const contributions = new bundle.Contributions().add({ bucket: 1n, value: 1 })
    const publicKey = { id: "key", key: "CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
    const report = { sharedInfo: "{}", payload: bundle.encodePayload(contributions) }
    const sealed = await bundle.seal(publicKey, report)
    return sealed.key_id === "key" && sealed.payload.length > report.payload.length
  })()`
}

/** A port's bundle works when its service, its errors or its values are there. */
const smokeOf = (name: string): string | undefined =>
  smokes[name] ??
  (name.startsWith("@sotto/core/ports/")
    ? `Object.values(bundle).length > 0 && Object.values(bundle).every((value) => value !== undefined)`
    : undefined)

/** The sub-paths that a package exports, patterns expanded by what is in the folder. */
export const subPaths = (): ReadonlyArray<string> =>
  packages()
    .filter(({ folder }) => bundled.includes(folder))
    .flatMap(({ name, path, manifest }) =>
      Object.entries(manifest.exports ?? {}).flatMap(([key, target]) => {
        if (typeof target === "string") return []
        const source = target["@sotto/source"] ?? ""
        const sub = name + key.slice(1)
        if (!key.includes("*")) return [sub]
        const [before = "", after = ""] = source.split("*")
        const folder = join(path, before)
        return existsSync(folder)
          ? readdirSync(folder)
              .filter((file) => file.endsWith(after))
              .map((file) => sub.replace("*", file.slice(0, -after.length)))
          : []
      })
    )
    .toSorted()

export interface Bundle {
  readonly code: string
  /** Modules that went in. */
  readonly modules: number
  /** Bytes, minified. */
  readonly size: number
  /** Bytes, minified and gzipped. */
  readonly zipped: number
}

/** Bundles one module, named as an importer would name it or written out, for the browser. */
export const bundleOf = async (source: { readonly name: string } | { readonly text: string }): Promise<Bundle> => {
  const contents = "name" in source ? `export * from ${JSON.stringify(source.name)}` : source.text
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: join(root, "test"), loader: "ts" },
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    platform: "browser",
    format: "iife",
    globalName: "bundle",
    target: "es2024",
    conditions: ["@sotto/source"],
    logLevel: "silent"
  })
  const code = outputFiles[0]?.text ?? ""
  return { code, modules: Object.keys(metafile.inputs).length - 1, size: code.length, zipped: gzipSync(code).length }
}

/** Takes away what `vm` adds to the language, and for a pure module also clock and randomness. */
const bare = `delete globalThis.console; delete globalThis.WebAssembly`
const still = `
  Math.random = () => { throw new Error("Math.random was called") }
  Date = new Proxy(Date, {
    apply() { throw new Error("Date was called") },
    construct(target, args) { if (args.length === 0) throw new Error("the clock was read"); return new target(...args) },
    get(target, key) { if (key === "now") throw new Error("Date.now was used"); return target[key] }
  })`

/** Loads a bundle in a bare context and evaluates `smoke`; rejects with what went wrong. */
export const runBare = async (
  code: string,
  smoke: string,
  options: { readonly handedIn?: object; readonly pure?: boolean } = {}
): Promise<void> => {
  const context = createContext({ ...options.handedIn }, { codeGeneration: { strings: false, wasm: false } })
  runInContext(bare, context)
  if (options.pure === true) runInContext(still, context)
  new Script(code).runInContext(context, { timeout: 10_000 })
  const answer: unknown = await runInContext(smoke, context, { timeout: 10_000 })
  if (answer !== true) throw new Error(`the call answered ${String(answer)}`)
}

export const browserBundles = async (): Promise<Findings> => {
  const names = subPaths()
  const results = await Promise.all(
    names.map(async (name) => {
      const smoke = smokeOf(name)
      if (smoke === undefined)
        return { fault: `${name}: add a call to scripts/check/BrowserBundles.ts that proves it works` }
      try {
        const { code, modules, size, zipped } = await bundleOf({ name })
        const limit = limits[name] ?? Infinity
        if (modules === 0) return { fault: `${name}: the bundle is empty` }
        if (zipped > limit) return { fault: `${name}: ${zipped} bytes gzipped, at most ${limit} were promised` }
        await runBare(code, smoke, { handedIn: handedInTo(name), pure: isPure(name) })
        return { note: `${name}: ${kilo(size)} minified, ${kilo(zipped)} gzipped, ${modules} modules` }
      } catch (error) {
        return { fault: `${name}: ${error instanceof Error ? error.message : String(error)}` }
      }
    })
  )
  return {
    read: `${names.length} bundles`,
    faults: [...atLeast(6, names.length, "sub-paths"), ...results.flatMap(({ fault }) => fault ?? [])],
    notes: results.flatMap(({ note }) => note ?? [])
  }
}

function isPure(name: string): boolean {
  return name.startsWith("@sotto/core/") && !name.startsWith("@sotto/core/ports/")
}

function kilo(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`
}
