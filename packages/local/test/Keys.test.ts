import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layerFileLedgerKeys, layerSystemEntropy, readKeys } from "@sotto/fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterEach, beforeEach, expect, it } from "vitest"
import { makeKeys } from "../src/Keys.ts"

let folder = ""
const files = () => ({ keys: join(folder, "keys.json"), ledgerKeys: join(folder, "ledger-keys.json") })
const made = () => Effect.runPromise(Effect.provide(makeKeys(files()), layerSystemEntropy))
const read = () => Object.values(files()).map((file) => readFileSync(file, "utf8"))
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sotto-keys-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

it("makes keys that can be read, once", async () => {
  await made()
  const first = read()
  expect(await Effect.runPromise(readKeys(files().keys))).toHaveLength(1)
  await Effect.runPromise(Effect.scoped(Layer.build(layerFileLedgerKeys(files().ledgerKeys))))
  await made()
  expect(read()).toEqual(first)
})

it("lets several who start at once have the same keys", async () => {
  await Promise.all([made(), made(), made()])
  expect(await Effect.runPromise(readKeys(files().keys))).toHaveLength(1)
  await Effect.runPromise(Effect.scoped(Layer.build(layerFileLedgerKeys(files().ledgerKeys))))
})

it("makes no ledger keys where a ledger had some", async () => {
  writeFileSync(`${files().ledgerKeys}.heads`, "")
  await expect(made()).rejects.toThrow("never overwritten")
})
