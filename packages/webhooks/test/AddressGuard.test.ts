import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { AddressGuard, type AddressPolicy, isPublicAddress, layerAddressGuard } from "../src/index.ts"

const PUBLIC = "93.184.215.14"

const target = (url: string, policy: AddressPolicy = {}) =>
  Effect.runPromise(
    AddressGuard.use((guard) => guard.target(url)).pipe(
      Effect.match({ onFailure: ({ because }) => because, onSuccess: ({ addresses }) => addresses }),
      Effect.provide(layerAddressGuard({ resolve: async () => [PUBLIC], ...policy }))
    )
  )

const PRIVATE = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "100.64.0.1",
  "100.100.100.200",
  "127.0.0.1",
  "127.8.8.8",
  "168.63.129.16",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.192",
  "192.0.2.1",
  "192.168.1.1",
  "198.18.0.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::7f00:1",
  "::ffff:127.0.0.1",
  "::ffff:169.254.169.254",
  "::ffff:0:127.0.0.1",
  "64:ff9b::7f00:1",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::7f00:1",
  "100::1",
  "2001::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "3fff::1",
  "5f00::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fec0::1",
  "ff02::1"
]

const HOSTILE: ReadonlyArray<readonly [string, string]> = [
  ["http://127.0.0.1/", "address"],
  ["http://127.1/", "address"],
  ["http://2130706433/", "address"],
  ["http://0x7f000001/", "address"],
  ["http://0177.0.0.1/", "address"],
  ["http://127.0.0.1./", "address"],
  ["http://１２７.０.０.１/", "address"],
  ["http://[::1]/", "address"],
  ["http://[::ffff:7f00:1]/", "address"],
  ["http://[::ffff:169.254.169.254]/latest/meta-data", "address"],
  ["http://[0:0:0:0:0:ffff:a00:1]/", "address"],
  ["http://169.254.169.254/latest/meta-data", "address"],
  ["https://me:secret@example.com/", "credentials"],
  ["https://me@example.com/", "credentials"],
  ["https://93.184.215.14@127.0.0.1/", "credentials"],
  ["ftp://example.com/", "scheme"],
  ["file:///etc/passwd", "scheme"],
  ["gopher://example.com/", "scheme"],
  ["javascript:alert(1)", "scheme"],
  ["example.com/hook", "url"],
  ["//example.com/hook", "url"],
  ["https://", "url"],
  ["", "url"],
  ["https://example.com:22/", "port"],
  ["https://example.com:6379/", "port"]
]

describe("the address guard", () => {
  it.each(HOSTILE)("refuses %j for its %s", async (url, because) => {
    expect(await target(url)).toBe(because)
  })

  it.each(PRIVATE)("refuses a name that resolves to %s, also beside a public address", async (address) => {
    expect(isPublicAddress(address)).toBe(false)
    expect(await target("https://hooks.example.com/", { resolve: async () => [address] })).toBe("address")
    expect(await target("https://hooks.example.com/", { resolve: async () => [PUBLIC, address] })).toBe("address")
  })

  it.each([
    "https://example.com/hook",
    "http://example.com:8080/",
    "https://93.184.215.14/",
    "https://EXAMPLE.com:443/"
  ])("lets %s through, pinned to what it looked up", async (url) => {
    expect(await target(url)).toEqual([{ address: PUBLIC, family: 4 }])
  })

  it.each(["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])("takes %s for public", (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  it("refuses a name without addresses, or with something else", async () => {
    expect(await target("https://nowhere.example/", { resolve: async () => [] })).toBe("unresolved")
    expect(await target("https://nowhere.example/", { resolve: () => Promise.reject(new Error("no")) })).toBe(
      "unresolved"
    )
    expect(await target("https://nowhere.example/", { resolve: async () => ["localhost"] })).toBe("unresolved")
  })

  it("lets through what the operator allows, on any port, and nothing beside it", async () => {
    const allow = ["127.0.0.1/32", "fd00::/8"]
    expect(await target("http://127.0.0.1:34567/", { allow })).toEqual([{ address: "127.0.0.1", family: 4 }])
    expect(await target("http://[fd00::5]:99/", { allow })).toEqual([{ address: "fd00::5", family: 6 }])
    expect(await target("http://127.0.0.2:34567/", { allow })).toBe("address")
    expect(await target("http://intranet/", { allow, resolve: async () => ["127.0.0.1", "10.0.0.1"] })).toBe("address")
    expect(await target("https://example.com:5000/", { ports: [5000] })).toHaveLength(1)
    await expect(target("https://example.com/", { allow: ["10.0.0.1"] })).rejects.toThrow("is no network")
  })

  it("looks nothing up to check a URL, and refuses private literals without", async () => {
    const check = (url: string) =>
      Effect.runPromise(
        AddressGuard.use((guard) => guard.check(url)).pipe(
          Effect.match({ onFailure: ({ because }) => because, onSuccess: ({ href }) => href }),
          Effect.provide(layerAddressGuard({ resolve: () => Promise.reject(new Error("looked up")) }))
        )
      )
    expect(await check("https://example.com/a")).toBe("https://example.com/a")
    expect(await check("http://[::1]/")).toBe("address")
    expect(await check("https://example.com:22/")).toBe("port")
  })

  it("never takes an address for public that stands for a private one, in any form", () => {
    const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255))
    const privates = fc.oneof(
      octets.map((rest) => [10, ...rest]),
      octets.map((rest) => [127, ...rest]),
      octets.map(([, b, c]) => [192, 168, b, c]),
      octets.map(([, b, c]) => [169, 254, b, c]),
      octets.map(([a, b, c]) => [172, 16 + (a % 16), b, c]),
      octets.map(([a, b, c]) => [100, 64 + (a % 64), b, c])
    )
    fc.assert(
      fc.property(privates, (bytes) => {
        const four = bytes.join(".")
        const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")
        const tail = `${hex.slice(0, 4)}:${hex.slice(4)}`
        for (const form of [
          four,
          `::ffff:${four}`,
          `::ffff:${tail}`,
          `::${tail}`,
          `64:ff9b::${tail}`,
          `2002:${tail}::`
        ]) {
          expect([form, isPublicAddress(form)]).toEqual([form, false])
        }
      }),
      { numRuns: 200 }
    )
  })
})
