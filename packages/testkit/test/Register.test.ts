import { spawn } from "node:child_process"
import { join } from "node:path"
import process from "node:process"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { layerMemoryBlobStore, layerMemoryLedgerKeys, layerMemoryRecords } from "@sotto/memory"
import {
  blobStoreLaws,
  capabilitiesOf,
  LAW_BUCKETS,
  layerLawClock,
  LEDGER_TEST_KEYS,
  ledgerKeysLaws,
  recordsLaws,
  registerLaws,
  verdictOn
} from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"

const records = Layer.unwrap(Effect.sync(() => Layer.merge(layerMemoryRecords(), layerLawClock)))

/** A secret of the environment remembers no heads. */
const headless = Layer.effect(
  LedgerKeys,
  Effect.map(LedgerKeys, (keys) =>
    LedgerKeys.of({
      ...keys,
      capabilities: { head: false },
      head: () => Effect.undefined,
      raiseHead: () => Effect.void,
      lowerHead: () => Effect.void
    })
  )
).pipe(Layer.provide(layerMemoryLedgerKeys(LEDGER_TEST_KEYS)))

await registerLaws({ describe, it }, recordsLaws, records, { runs: 20, mutants: true })

/** A runner of a host: it lists suites and runs tests one after the other. */
const hostRunner = () => {
  const suites: Array<string> = []
  const tests: Array<readonly [name: string, run: () => Promise<void>]> = []
  return {
    suites,
    tests,
    suite: (name: string, body: () => void) => {
      suites.push(name)
      body()
    },
    test: (name: string, run: () => Promise<void>) => void tests.push([name, run])
  }
}

const nodeTest = (
  more: Readonly<Record<string, string>> = {}
): Promise<{ readonly code: number | null; readonly out: string }> =>
  new Promise((resolve) => {
    const file = join(import.meta.dirname, "fixtures/node.ts")
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const started = spawn(process.execPath, ["--conditions=@sotto/source", "--test", file], {
      env: { ...env, ...more }
    })
    let out = ""
    started.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString()
    })
    started.on("close", (code) => resolve({ code, out }))
  })

describe("laws as tests", () => {
  it("are tests of node:test", async () => {
    const { code, out } = await nodeTest()
    expect(out).toContain(`Records: ${recordsLaws.length} laws, 0 degraded`)
    for (const { id } of recordsLaws) expect(out).toContain(id)
    expect(out).toMatch(new RegExp(`pass ${recordsLaws.length}\\n`))
    expect(code).toBe(0)
  })

  it("fail there with law, rule, counterexample, seed and causes", async () => {
    const { code, out } = await nodeTest({ LAWS: "broken" })
    expect(code).toBe(1)
    expect(out).toMatch(
      /Records breaks the law CAS: A write is taken[\s\S]*seed: 1,[\s\S]*Counterexample: [\s\S]*Usual causes:/
    )
  })

  it("are counted and tried also where a capability is missing", async () => {
    const runner = hostRunner()
    const counted = await registerLaws(runner, ledgerKeysLaws, headless, { runs: 20, seed: 1 })
    expect(counted).toEqual({ laws: ledgerKeysLaws.length, degraded: 2 })
    expect(runner.suites).toEqual([`LedgerKeys: ${ledgerKeysLaws.length} laws, 2 degraded`])
    expect(runner.tests.map(([name]) => name)).toEqual(
      ledgerKeysLaws.map(({ id, needs }) => (needs === undefined ? id : `${id}, degraded without head`))
    )
    for (const [, run] of runner.tests) await run()
  })

  it("fail where a missing capability answers as if it were there", async () => {
    const keys = layerMemoryLedgerKeys(LEDGER_TEST_KEYS)
    const lying = Layer.effect(
      LedgerKeys,
      Effect.map(LedgerKeys, (one) => LedgerKeys.of({ ...one, capabilities: { head: false } }))
    ).pipe(Layer.provide(keys))
    const runner = hostRunner()
    await registerLaws(runner, ledgerKeysLaws, lying, { runs: 20, seed: 1 })
    const failed = await Promise.all(
      runner.tests.map(([name, run]) =>
        run().then(
          () => [],
          () => [name]
        )
      )
    )
    expect(failed.flat()).toEqual(["HEAD-MAX, degraded without head", "HEAD-LOWER, degraded without head"])
  })
})

describe("a verdict", () => {
  const blobs = layerMemoryBlobStore({ buckets: LAW_BUCKETS })
  const law = blobStoreLaws.find(({ id }) => id === "CREATE-ONLY")
  const capabilities = blobStoreLaws.find(({ id }) => id === "CAPABILITIES")
  if (law === undefined || capabilities === undefined) throw new Error("no such law")

  it("says what holds, and how many mutants were caught", async () => {
    expect(await verdictOn(law, blobs, {}, { mutants: true, seed: 1 })).toEqual({
      law: "CREATE-ONLY",
      rule: law.rule,
      verdict: "holds",
      lacks: [],
      mutants: { tried: law.mutants.length, caught: law.mutants.length }
    })
  })

  it("says what is lacking for the whole of a law", async () => {
    const found = await capabilitiesOf("BlobStore", blobs)
    const lacks = Object.keys(found).filter((name) => found[name] !== true)
    expect(lacks.length).toBeGreaterThan(0)
    expect(await verdictOn(capabilities, blobs, found, { seed: 1 })).toMatchObject({ verdict: "degraded", lacks })
  })

  it("says what is broken, and why", async () => {
    const broken = law.mutants[0]?.apply(blobs) ?? blobs
    expect(await verdictOn(law, broken, {}, { runs: 200, seed: 1, mutants: true })).toMatchObject({
      verdict: "broken",
      mutants: { tried: 0, caught: 0 },
      failure: expect.stringContaining("BlobStore breaks the law CREATE-ONLY")
    })
  })
})
