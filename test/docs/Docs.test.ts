/** What the pages about jobs show is what is type-checked and run here, and the laws that they name exist. */
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { JobKind } from "@sotto/core/job"
import {
  blobStoreLaws,
  jobQueueLaws,
  jobStoreLaws,
  jobStoreParallelLaws,
  kindLaws,
  ledgerKeysLaws,
  ledgerLaws,
  questionLaws,
  recordsLaws
} from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { weekly } from "./Aggregate.ts"
import { translate } from "./Client.ts"
import { layerService } from "./Embedded.ts"
import { packOne } from "./Promises.ts"
import { translationKind } from "./Translation.ts"

const root = join(import.meta.dirname, "../..")
const page = (name: string): string => readFileSync(join(root, "docs", name), "utf8")

const blocksOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code.trim())

const known = [
  ["BlobStore", blobStoreLaws],
  ["BudgetLedger", ledgerLaws],
  ["JobQueue", jobQueueLaws],
  ["JobKind", kindLaws(translationKind)],
  ["JobStore", [...jobStoreLaws, ...jobStoreParallelLaws]],
  ["LedgerKeys", ledgerKeysLaws],
  ["Question", questionLaws],
  ["Records", recordsLaws]
] as const

describe("the pages about jobs", () => {
  const sources = globSync(["test/docs/*.ts", "packages/sotto/examples/*.ts", "examples/**/*.ts"], {
    cwd: root,
    exclude: ["**/node_modules/**", "test/docs/Docs.test.ts"]
  }).map((file) => readFileSync(join(root, file), "utf8"))

  it.each(["embedding.md", "kinds.md", "adapters.md"])("show in %s only code that is tested", (name) => {
    const blocks = blocksOf(page(name))
    expect(blocks.length).toBeGreaterThan(0)
    expect(blocks.filter((block) => !sources.some((source) => source.includes(block)))).toEqual([])
  })

  it("name laws that exist, by port", () => {
    const laws = new Set(known.flatMap(([port, list]) => [...list].map(({ id }) => `${port} ${id}`)))
    const cited = [...page("guarantees.md").matchAll(/`((?:[A-Z][a-z]+)+) ([A-Z]+(?:-[A-Z]+)*)`/g)].map(
      ([, port = "", id = ""]) => `${port} ${id}`
    )
    expect(cited.length).toBeGreaterThan(30)
    expect(cited.filter((one) => !laws.has(one))).toEqual([])
  })

  it("name tests that exist", () => {
    const cited = [...page("guarantees.md").matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, file = ""]) => file)
    expect(cited.length).toBeGreaterThan(3)
    expect(cited.filter((file) => globSync([`packages/${file}`, file], { cwd: root }).length === 0)).toEqual([])
  })

  it("are right about the words of a kind and about what is refused", () => {
    expect(translationKind.outward.words).toEqual(["waiting", "working", "review", "done", "failed", "withdrawn"])
    const refused = (options: object) =>
      JobKind.check({
        name: "any",
        relation: "leased",
        parameters: Schema.Json,
        result: Schema.Json,
        failure: Schema.Json,
        ...options
      }).map(({ option }) => option)
    expect(refused({})).toEqual([])
    expect(refused({ lease: { leaseMs: 7_999 } })).toEqual(["lease"])
    expect(refused({ without: { events: ["InputTimedOut"] } })).toContain("without.events")
    expect(refused({ without: { events: ["LeaseExpired"] } })).toContain("without.events")
    expect(refused({ outward: { states: { Queued: "waiting" } } })).toContain("outward.states")
    expect(refused({ perTenant: 0 })).toEqual(["perTenant"])
    expect(refused({ retentionMs: 1 })).toEqual(["retentionMs"])
  })

  it("lead only to pages and headings that are there", () => {
    const slug = (heading: string) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-")
    const broken = [
      "http",
      "jobs",
      "jobs-diagrams",
      "guarantees",
      "embedding",
      "kinds",
      "adapters",
      "README",
      "architecture"
    ]
      .flatMap((name) =>
        [...page(`${name}.md`).matchAll(/\]\(([^)#:]*)(?:#([^)]*))?\)/g)].map(
          ([, file, anchor]) => [file || `${name}.md`, anchor] as const
        )
      )
      .filter(([file, anchor]) => {
        const path = join(root, "docs", file)
        if (!existsSync(path)) return true
        return (
          anchor !== undefined &&
          ![...readFileSync(path, "utf8").matchAll(/^#+ (.*)$/gm)].some(([, heading = ""]) => slug(heading) === anchor)
        )
      })
    expect(broken).toEqual([])
  })

  it("show an aggregation that says what it lacks", async () => {
    await expect(weekly(new AbortController().signal)).rejects.toMatchObject({ code: "InvalidArgument" })
  })

  it("show a service that works", async () => {
    const twice = Effect.all([translate("north", "Good morning"), translate("north", "Good morning")])
    const outcome = { _tag: "Succeeded", result: { text: "Good morning (de)", approvedBy: "Ada" } }
    expect(await inFolder((folder) => Effect.runPromise(Effect.provide(twice, layerService(folder))))).toEqual([
      { created: true, word: "done", outcome },
      { created: false, word: "done", outcome }
    ])
  })

  it("show a service with Promises that works", async () => {
    expect(await inFolder(packOne)).toEqual({
      _tag: "Succeeded",
      result: { box: { label: "3 × cup" }, address: "Lisbon" }
    })
  })
})

const inFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "sotto-docs-"))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
