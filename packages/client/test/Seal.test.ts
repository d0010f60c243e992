import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Contributions, encodePayload, seal } from "../src/index.ts"
import { goldenSharedInfo, open, tagOf, testKey } from "./support.ts"

const payload = encodePayload(new Contributions().add({ bucket: 1n, value: 2 }))
const sharedInfo = goldenSharedInfo("attribution-1.0/report_1")

describe("seal", () => {
  it("makes what an independent implementation opens, for any shared_info and payload", async () =>
    fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 2000 }), async (text, bytes) => {
        const sealed = await seal(testKey, { sharedInfo: text, payload: bytes })
        expect(sealed.key_id).toBe("example_id")
        expect(sealed.shared_info).toBe(text)
        expect(Buffer.from(await open(sealed))).toEqual(Buffer.from(bytes))
      }),
      { numRuns: 40 }
    ))

  it("binds the shared_info: with another one the report does not open", async () => {
    const sealed = await seal(testKey, { sharedInfo, payload })
    await expect(open({ ...sealed, shared_info: `${sharedInfo} ` })).rejects.toThrow()
  })

  it("never makes the same bytes twice", async () => {
    const [a, b] = [await seal(testKey, { sharedInfo, payload }), await seal(testKey, { sharedInfo, payload })]
    expect(a.payload.slice(0, 43)).not.toBe(b.payload.slice(0, 43))
    expect(a.payload.slice(43)).not.toBe(b.payload.slice(43))
  })

  // spec: aggregation §3.6, ciphertext sizes.
  it.each([
    [795, { filteringIdBytes: 0 }],
    [895, {}],
    [1035, { filteringIdBytes: 8 }],
    [4176, { entries: 100 }],
    [41_077, { entries: 1000 }]
  ])("makes %i bytes for %j", async (size, options) => {
    const sealed = await seal(testKey, { sharedInfo, payload: encodePayload(new Contributions(options)) })
    expect(Buffer.from(sealed.payload, "base64")).toHaveLength(size)
  })

  it.each([
    "",
    "two07NuSOLRSgJSE4mz3kMrmZ/jqLVYKZ2SW/8LDS3Y",
    "two07NuSOLRSgJSE4mz3kMrmZ_jqLVYKZ2SW_8LDS3Y=",
    "AAAA",
    // The points 0 and 1, of small order.
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  ])("refuses the public key %j", async (key) => {
    expect(await tagOf(() => seal({ id: "bad", key }, { sharedInfo, payload }))).toBe("PublicKeyRejected")
  })

  it("says when the host cannot seal", async () => {
    const without = { crypto: {} as never }
    expect(await tagOf(() => seal(testKey, { sharedInfo, payload }, without))).toBe("CryptoUnavailable")
    const old = { crypto: { subtle: { generateKey: () => Promise.reject(new Error("NotSupported")) } } as never }
    expect(await tagOf(() => seal(testKey, { sharedInfo, payload }, old))).toBe("CryptoUnavailable")
  })
})
