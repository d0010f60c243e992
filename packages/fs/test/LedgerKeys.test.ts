import { spawn } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ChainHash, Head } from "@sotto/core/budget"
import { Entropy } from "@sotto/core/ports/Entropy"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { addNoiseKey, generateLedgerKeys, layerFileLedgerKeys } from "@sotto/fs"
import { catches, checkLaw, LEDGER_TEST_KEYS, ledgerKeysLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, expect, it } from "vitest"

const folder = mkdtempSync(join(tmpdir(), "sotto-ledger-keys-"))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const fresh = () => join(folder, `keys-${files++}.json`)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

/** A file with the keys that the laws expect. */
const testKeys = (): string => {
  const file = fresh()
  const ledgerId = hex(LEDGER_TEST_KEYS.ledgerId)
  const noiseKeys = Object.fromEntries([...LEDGER_TEST_KEYS.noiseKeys].map(([id, key]) => [id, hex(key)]))
  const text = JSON.stringify({
    ledgerId,
    fingerprintKey: hex(LEDGER_TEST_KEYS.fingerprintKey),
    noiseKeys,
    activeNoiseKey: LEDGER_TEST_KEYS.activeNoiseKeyId
  })
  writeFileSync(file, text, { mode: 0o600 })
  writeFileSync(`${file}.heads`, `${JSON.stringify({ ledgerId })}\n`, { mode: 0o600 })
  return file
}

const subject = Layer.unwrap(Effect.sync(() => Layer.orDie(layerFileLedgerKeys(testKeys()))))

let draws = 0
const entropy = Layer.succeed(
  Entropy,
  Entropy.of({ bytes: (count) => Effect.sync(() => new Uint8Array(count).fill(++draws)) })
)
const generate = (file: string) => Effect.runPromise(Effect.provide(generateLedgerKeys(file), entropy))
const add = (file: string) => Effect.runPromise(Effect.provide(addNoiseKey(file), entropy))
const using = <A, E>(file: string, body: (keys: LedgerKeys["Service"]) => Effect.Effect<A, E>) =>
  Effect.runPromise(Effect.provide(LedgerKeys.use(body), layerFileLedgerKeys(file)))
const head = (sequence: number, letter = "a"): Head => ({ sequence, hash: letter.repeat(64) as ChainHash })

describe("ledger keys in files", () => {
  it.each(ledgerKeysLaws.map((law) => [law.id, law] as const))("keep %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 25, seed: 4 })
  })

  it.each(ledgerKeysLaws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
    "%s catches: %s",
    async (_, __, law, mutant) => {
      expect(await catches(law, mutant, subject, { runs: 200, seed: 4 })).toBe(true)
    }
  )

  it("are generated once, for their owner only, and never overwritten", async () => {
    const file = fresh()
    const { ledgerId, noiseKeyId } = await generate(file)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(`${file}.heads`).mode & 0o777).toBe(0o600)
    expect(hex(await using(file, (keys) => keys.ledgerId))).toBe(ledgerId)
    expect((await using(file, (keys) => keys.activeNoiseKey)).id).toBe(noiseKeyId)
    const before = readFileSync(file)
    await expect(generate(file)).rejects.toThrow("never overwritten")
    expect(readFileSync(file)).toEqual(before)
  })

  it("get another noise key and keep the old one, seen by who is already running", async () => {
    const file = fresh()
    const first = await generate(file)
    await using(file, (keys) =>
      Effect.gen(function* () {
        const old = (yield* keys.activeNoiseKey).key.reveal()
        const added = yield* Effect.promise(() => add(file))
        expect((yield* keys.activeNoiseKey).id).toBe(added.noiseKeyId)
        expect(added.noiseKeyId).not.toBe(first.noiseKeyId)
        expect((yield* keys.noiseKey(first.noiseKeyId)).key.reveal()).toEqual(old)
      })
    )
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(existsSync(`${file}.lock`)).toBe(false)
  })

  it("say so when another command holds the lock", async () => {
    const file = fresh()
    await generate(file)
    writeFileSync(`${file}.lock`, "")
    await expect(add(file)).rejects.toThrow(`delete ${file}.lock`)
  })

  it.each([0o644, 0o640, 0o602])("refuse mode 0%o, which lets others in", async (mode) => {
    const file = testKeys()
    chmodSync(file, mode)
    await expect(using(file, (keys) => keys.ledgerId)).rejects.toThrow(`Run: chmod 600 '${file}'`)
  })

  it.each<[string, (text: string) => string]>([
    ["cut off", (text) => text.slice(0, 150)],
    ["not an object", () => "[1]"],
    ["a short key", (text) => text.replace(/("fingerprintKey":"..)../, "$1")],
    ["upper case", (text) => text.toUpperCase()],
    ["no noise keys", (text) => text.replace("noiseKeys", "keys")]
  ])("refuse a damaged file (%s) without showing what is in it", async (_, damage) => {
    const file = testKeys()
    const text = readFileSync(file, "utf8")
    writeFileSync(file, damage(text))
    const error = await using(file, (keys) => keys.ledgerId).catch((cause: unknown) => String(cause))
    expect(error).toContain("is not a file of ledger keys")
    expect(String(error).toLowerCase()).not.toContain(hex(LEDGER_TEST_KEYS.fingerprintKey).slice(0, 10))
  })

  it("say what to do when a file is missing", async () => {
    const file = fresh()
    await expect(using(file, (keys) => keys.ledgerId)).rejects.toThrow(`no ledger keys at ${file}`)
    await generate(file)
    rmSync(`${file}.heads`)
    await expect(using(file, (keys) => keys.ledgerId)).rejects.toThrow("heads is missing")
    writeFileSync(`${file}.heads`, `{"ledgerId":"00"}\n`)
    await expect(using(file, (keys) => keys.ledgerId)).rejects.toThrow("belongs to other ledger keys")
  })

  it("remember heads across restarts, and survive a torn last line", async () => {
    const file = testKeys()
    await using(file, (keys) => keys.raiseHead("default", head(3)))
    appendFileSync(`${file}.heads`, `\n{"scope":"default","raise":{"sequence":99,"ha`)
    expect(await using(file, (keys) => keys.head("default"))).toEqual(head(3))
    await using(file, (keys) => keys.raiseHead("default", head(4)))
    expect(await using(file, (keys) => keys.head("default"))).toEqual(head(4))
    await using(file, (keys) => keys.lowerHead("default", head(4), head(1, "b")))
    expect(await using(file, (keys) => keys.head("default"))).toEqual(head(1, "b"))
  })

  it("start again with a file of heads that was restored in place", async () => {
    const file = testKeys()
    const empty = readFileSync(`${file}.heads`)
    await using(file, (keys) =>
      Effect.gen(function* () {
        yield* keys.raiseHead("default", head(3))
        expect(yield* keys.head("default")).toEqual(head(3))
        writeFileSync(`${file}.heads`, empty)
        expect(yield* keys.head("default")).toBeUndefined()
      })
    )
  })

  it("see what was raised elsewhere, also when several ask at once", async () => {
    const file = testKeys()
    await using(file, (keys) =>
      Effect.gen(function* () {
        const elsewhere = (sequence: number) =>
          Effect.promise(() => using(file, (others) => others.raiseHead("default", head(sequence))))
        const asked = Effect.all(
          Array.from({ length: 2 }, () => keys.head("default")),
          { concurrency: "unbounded" }
        )
        for (let sequence = 1; sequence <= 9; sequence++) {
          yield* elsewhere(sequence)
          expect(yield* asked).toEqual([head(sequence), head(sequence)])
        }
      })
    )
  })

  it("see what other processes raise, and lose none of it", async () => {
    const file = testKeys()
    const script = `
      import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
      import { layerFileLedgerKeys } from "@sotto/fs"
      import * as Effect from "effect/Effect"
      const [file, from] = process.argv.slice(1)
      const raise = (keys) => Effect.forEach(Array.from({ length: 20 }, (_, i) => 2 * i + Number(from)), (sequence) =>
        keys.raiseHead("default", { sequence, hash: "a".repeat(64) }))
      await Effect.runPromise(Effect.provide(LedgerKeys.use(raise), layerFileLedgerKeys(file)))`
    const raiser = (from: number) =>
      new Promise((resolve) => {
        const child = spawn(
          process.execPath,
          ["--conditions=@sotto/source", "--input-type=module", "-e", script, file, String(from)],
          { cwd: import.meta.dirname, stdio: "inherit" }
        )
        child.on("exit", resolve)
      })
    await using(file, (keys) =>
      Effect.gen(function* () {
        expect(yield* Effect.promise(() => Promise.all([raiser(1), raiser(2)]))).toEqual([0, 0])
        expect(yield* keys.head("default")).toEqual(head(40))
      })
    )
  })
})
