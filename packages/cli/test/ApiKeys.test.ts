import { existsSync, readFileSync } from "node:fs"
import { layerSqliteRecords } from "@sotto/store-sqlite"
import { Authentication, layerApiKeys, layerTenants, layerTokens, Tokens } from "@sotto/http"
import { layerSystemEntropy } from "@sotto/fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { afterAll, describe, expect, it } from "vitest"
import { inside, json, temporary } from "./support/Sotto.ts"

const { path, remove } = temporary()
afterAll(remove)

let files = 0
const fresh = () => path(`store-${files++}.db`)

const DAY = 86_400_000

/** What a server over this store says. */
const server = <A, E>(file: string, program: Effect.Effect<A, E, Authentication | Tokens>) =>
  Effect.runPromise(
    Effect.result(program).pipe(
      Effect.provide(layerApiKeys().pipe(Layer.provideMerge(Layer.merge(layerTenants(), layerTokens)))),
      Effect.provide(Layer.merge(layerSqliteRecords({ file, mustExist: true }), layerSystemEntropy))
    )
  )

const knows = (file: string, key: string) =>
  server(
    file,
    Authentication.use((one) =>
      one.authenticate({ apiKey: Redacted.make(key), authorization: undefined, link: undefined }, Date.now())
    )
  )

describe("sotto apikeys", () => {
  it("makes a key that a server over the store knows, until it is revoked", async () => {
    const file = fresh()
    const made = await inside("apikeys", "create", "--store", file, "--name", "ci")
    expect(made.stdout).toMatch(/^sotto_[0-9a-f]{16}_[0-9a-f]{64}\n$/)
    const key = made.stdout.trim()
    expect(made.stderr).toContain(`Key ${key.slice(6, 22)} of the tenant default.`)
    expect(await knows(file, key)).toMatchObject({ success: { tenant: "default", name: "ci" } })
    const revoked = await inside("apikeys", "revoke", "--store", file, key.slice(6, 22))
    expect([revoked.code, revoked.stderr]).toEqual([
      0,
      `Key ${key.slice(6, 22)} of the tenant default is refused from now on.\n`
    ])
    expect(await knows(file, key)).toMatchObject({ failure: { _tag: "Unauthenticated" } })
  })

  it("prints a key once: it is in no list, no later sentence and no file", async () => {
    const file = fresh()
    const { key, id, last4 } = await json(["apikeys", "create", "--store", file, "--tenant", "acme"])
    const secret = key.slice(23)
    const listed = [
      await inside("apikeys", "list", "--store", file),
      await inside("apikeys", "list", "--store", file, "--json"),
      await inside("apikeys", "revoke", "--store", file, id, "--json"),
      await inside("apikeys", "revoke", "--store", file, key)
    ]
    const said = listed.map(({ stdout, stderr }) => stdout + stderr).join()
    expect(said).toContain(last4)
    expect(said).not.toContain(secret.slice(0, 16))
    for (const suffix of ["", "-wal"].filter((one) => existsSync(file + one))) {
      expect(readFileSync(file + suffix).includes(secret)).toBe(false)
    }
  })

  it("lists keys with their states, of one tenant or all", async () => {
    const file = fresh()
    const make = (...more: ReadonlyArray<string>) => json(["apikeys", "create", "--store", file, ...more])
    const a = await make("--tenant", "a", "--name", "one")
    const b = await make("--tenant", "b", "--expires", "90d")
    await inside("apikeys", "revoke", "--store", file, a.id)
    const { keys } = await json(["apikeys", "list", "--store", file])
    expect(new Map(keys.map(({ id, state }: { id: string; state: string }) => [id, state]))).toEqual(
      new Map([
        [a.id, "revoked"],
        [b.id, "active"]
      ])
    )
    expect(Math.abs(b.expires - b.created - 90 * DAY)).toBeLessThan(10_000)
    const { stdout } = await inside("apikeys", "list", "--store", file, "--tenant", "a")
    expect(stdout).toContain(a.id)
    expect(stdout).toMatch(/^id +tenant +name +ends with +created +expires +state$/m)
    expect(stdout).not.toContain(b.id)
  })

  it.each([
    ["12h", 12 * 3_600_000],
    ["2w", 14 * DAY]
  ])("understands --expires %s", async (text, ms) => {
    const { created, expires } = await json(["apikeys", "create", "--store", fresh(), "--expires", text])
    expect(Math.abs(expires - created - ms)).toBeLessThan(10_000)
  })

  it("understands a time as --expires", async () => {
    const made = await json(["apikeys", "create", "--store", fresh(), "--expires", "2999-01-31T10:00:00Z"])
    expect(made.expires).toBe(Date.UTC(2999, 0, 31, 10))
  })

  it("rotates the key that signs, at once or with time for what was signed before", async () => {
    const file = fresh()
    await inside("apikeys", "create", "--store", file)
    const sign = server(
      file,
      Tokens.use((tokens) => tokens.jobToken({ tenant: "default", id: "j1", until: Date.now() + DAY }))
    )
    const signed = await sign
    if (signed._tag === "Failure") throw signed.failure
    const token = Redacted.value(signed.success)
    const kept = await inside("apikeys", "rotate-signing-key", "--store", file, "--keep", "1h")
    expect(kept.stderr).toBe(
      "A new key signs from now on. Job tokens and links that were signed before count for 1h more.\n"
    )
    expect(await knows(file, token)).toMatchObject({ success: { scope: { _tag: "Job", id: "j1" } } })
    await inside("apikeys", "rotate-signing-key", "--store", file, "--keep", "0")
    expect(await knows(file, token)).toMatchObject({ failure: { _tag: "Unauthenticated" } })
  })

  it.each([
    [["create", "--store", path("x.db"), "--expires", "soon"], 2, "--expires soon: write for how long"],
    [["create", "--store", path("x.db"), "--expires", "2020-01-01T00:00:00Z"], 1, "in the future"],
    [["create", "--store", path("x.db"), "--expires", "0d"], 1, "in the future"],
    [["create", "--store", path("x.db"), "--tenant", ""], 1, "The tenant is a text of 1 to 200 characters"],
    [["create", "--store", path("no", "x.db")], 1, path("no")],
    [["list", "--store", path("none.db")], 1, path("none.db")],
    [["revoke", "--store", path("none.db"), "0".repeat(16)], 1, path("none.db")],
    [["revoke", "--store", path("x.db"), "ci"], 2, "Write the id of a key"],
    [["rotate-signing-key", "--store", path("x.db"), "--keep", "long"], 2, "--keep long: write for how long"],
    [["rotate-signing-key", "--store", path("none.db")], 1, path("none.db")]
  ])("refuses %j", async (args, code, sentence) => {
    const refused = await inside("apikeys", ...args)
    expect(refused.stderr).toContain(sentence)
    expect(refused.code).toBe(code)
  })

  it("revokes no key that there is not", async () => {
    const file = fresh()
    await inside("apikeys", "create", "--store", file)
    const refused = await inside("apikeys", "revoke", "--store", file, "0".repeat(16))
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining(`There is no API key ${"0".repeat(16)}.`)
    ])
  })
})
