import type { DecryptionKey } from "@sotto/core/ports/KeyRing"
import { checkLaw, keyRingLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { afterAll, describe, expect, it } from "vitest"
import { generateKeyPair, layerFsKeyRing, publicKeys, readKeys, writeKeys } from "@sotto/fs"

const home = fs.mkdtempSync(join(tmpdir(), "sotto-keys-"))
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

let files = 0
const place = () => join(home, `keys-${files++}.json`)
const written = (text: string, mode = 0o600) => {
  const path = place()
  fs.writeFileSync(path, text, { mode })
  return path
}
const refusal = (path: string) => Effect.runPromise(Effect.flip(readKeys(path)))

// The published pair of the reports in test/fixtures/goldens.
const PRIVATE = "z5KhjZ8Q71lHD5L7LDDLeOcBgNLX0DXv0RqUT4m/+Jw="
const PUBLIC = "two07NuSOLRSgJSE4mz3kMrmZ/jqLVYKZ2SW/8LDS3Y="
const golden = { id: "example_id", key: PUBLIC, privateKey: PRIVATE }

describe("KeyRing on a file", async () => {
  const keys: ReadonlyArray<DecryptionKey> = await Effect.runPromise(
    Effect.all([generateKeyPair("first"), generateKeyPair("Second"), generateKeyPair()])
  )
  const path = place()
  await Effect.runPromise(writeKeys(path, keys))

  it.each(keyRingLaws(keys))("$id: $rule", (law) => checkLaw(law, Layer.orDie(layerFsKeyRing({ path }))))

  it("reads back what it writes, with mode 0600, and never prints it", async () => {
    const read = await Effect.runPromise(readKeys(path))
    const plain = (key: DecryptionKey) => [key.id, key.publicKey, key.privateKey.reveal()]
    expect(read.map(plain)).toEqual(keys.map(plain))
    expect(fs.statSync(path).mode & 0o777).toBe(0o600)
    for (const key of read) {
      const secret = Buffer.from(key.privateKey.reveal())
      for (const form of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify(key), String(key.privateKey)])
        for (const leak of [secret.toString("base64"), secret.toString("hex"), [...secret.subarray(0, 8)].join(", ")])
          expect(form).not.toContain(leak)
    }
    expect(keys[2]!.id).toMatch(/^[0-9a-f-]{36}$/)
  })

  it("derives the published public key and lists only public halves", async () => {
    const [key] = await Effect.runPromise(
      readKeys(written(JSON.stringify({ note: 1, keys: [{ ...golden, extra: {} }] })))
    )
    expect(publicKeys([key!])).toEqual({ keys: [{ id: "example_id", key: PUBLIC }] })
  })

  it("creates without replacing, replaces when told", async () => {
    const before = fs.readFileSync(path, "utf8")
    expect(await Effect.runPromise(Effect.flip(writeKeys(path, [])))).toMatchObject({
      _tag: "KeyFileRejected",
      message: expect.stringContaining("only copy")
    })
    expect(fs.readFileSync(path, "utf8")).toBe(before)
    const other = place()
    await Effect.runPromise(writeKeys(other, keys))
    await Effect.runPromise(writeKeys(other, [], { mode: "replace" }))
    expect(await Effect.runPromise(readKeys(other))).toEqual([])
    expect(fs.readdirSync(home).filter((name) => name.endsWith(".part"))).toEqual([])
  })

  it.each([0o644, 0o640, 0o604, 0o620])("refuses mode %o like ssh", async (mode) => {
    const open = written(JSON.stringify({ keys: [golden] }))
    fs.chmodSync(open, mode)
    expect((await refusal(open)).message).toBe(`${open}: others may read these private keys; run chmod 600 ${open}`)
  })

  it.each([
    ["not json", "this is not JSON"],
    ["[]", 'there is no list "keys"'],
    ["null", 'there is no list "keys"'],
    ['{"keys":[7]}', "keys[0] is not an object"],
    [JSON.stringify({ keys: [golden, { ...golden, id: "" }] }), "keys[1].id is not a text"],
    [JSON.stringify({ keys: [golden, golden] }), "keys[1].id: the id example_id is there twice"],
    [
      JSON.stringify({ keys: [{ id: "a", key: PUBLIC }] }),
      "keys[0] has no privateKey; this looks like the public list"
    ],
    [JSON.stringify({ keys: [{ ...golden, privateKey: "ab" }] }), "keys[0].privateKey is not base64"],
    [
      JSON.stringify({ keys: [{ ...golden, privateKey: PRIVATE.replace("/", "_") }] }),
      "keys[0].privateKey is not base64"
    ],
    [JSON.stringify({ keys: [{ ...golden, privateKey: "AAAA" }] }), "keys[0].privateKey has 3 bytes, a key has 32"],
    [JSON.stringify({ keys: [{ ...golden, key: 5 }] }), "keys[0].key is not base64"],
    [JSON.stringify({ keys: [{ ...golden, key: PRIVATE }] }), "keys[0].key is not the public key of keys[0].privateKey"]
  ])("names what is wrong with %j", async (text, message) => {
    const path = written(text)
    const refused = await refusal(path)
    expect(refused.message).toContain(`${path}: ${message}`)
    expect(refused.message).not.toContain(PRIVATE)
  })

  it("says that a file is missing", async () => {
    const missing = place()
    expect((await refusal(missing)).message).toContain("there is no such file")
    const exit = await Effect.runPromise(Effect.flip(Effect.provide(Effect.void, layerFsKeyRing({ path: missing }))))
    expect(exit._tag).toBe("KeyFileRejected")
  })
})
