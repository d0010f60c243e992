import { readdirSync, readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { OPENED, open, recipient, REFUSED, SEALED, sealer } from "../../src/hpke/index.ts"
import { aeadBytes, deriveKey } from "../../src/hpke/KeySchedule.ts"
import { importPrivateKey, importPublicKey, publicBytes, sharedPoint } from "../../src/hpke/X25519.ts"
import { builtinOpen, builtinSeal, info, keySchedule } from "./Builtin.ts"

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"))
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

const SECRET = hex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
const to = recipient(SECRET)!
const seal = sealer(to.publicKey)!

/** Lays reports out in one buffer with gaps, opens them together, gives text or `undefined` each. */
const openAll = (reports: ReadonlyArray<{ payload: Uint8Array; info: Uint8Array }>): Array<string | undefined> => {
  const bytes = new Uint8Array(reports.reduce((sum, r) => sum + r.payload.length + r.info.length + 5, 3)).fill(0xaa)
  const descriptors = new Uint32Array(4 * reports.length)
  let at = 3
  reports.forEach((report, i) => {
    bytes.set(report.info, at)
    bytes.set(report.payload, at + report.info.length + 2)
    descriptors.set([at + report.info.length + 2, report.payload.length, at, report.info.length], 4 * i)
    at += report.info.length + report.payload.length + 5
  })
  const before = bytes.slice()
  const statuses = new Uint8Array(reports.length)
  open(to, bytes, descriptors, reports.length, statuses)
  // Nothing but the ciphertexts of opened reports changes.
  reports.forEach((report, i) => {
    if (statuses[i] !== OPENED) return
    const from = descriptors[4 * i]! + 32
    before.set(bytes.subarray(from, from + report.payload.length - 48), from)
  })
  expect(toHex(bytes)).toBe(toHex(before))
  return reports.map((report, i) => {
    if (statuses[i] !== OPENED) return void expect(statuses[i]).toBe(REFUSED)
    const from = descriptors[4 * i]! + 32
    return toHex(bytes.subarray(from, from + report.payload.length - 48))
  })
}

describe("the reference that the rest is compared with", () => {
  it("is RFC 9180 A.2.1", () => {
    const infoBytes = hex("4f6465206f6e2061204772656369616e2055726e")
    const enc = hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a")
    const publicKey = hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
    const ephemeral = hex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600")
    expect(toHex(to.publicKey)).toBe(toHex(publicKey))
    expect(toHex(publicBytes(importPrivateKey(ephemeral)))).toBe(toHex(enc))
    const point = sharedPoint(to.privateKey, importPublicKey(enc))!
    const schedule = keySchedule(point, enc, publicKey, infoBytes)
    expect(toHex(schedule.sharedSecret)).toBe("0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7")
    expect(toHex(schedule.key)).toBe("ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91")
    expect(toHex(schedule.nonce)).toBe("5c4d98150661b848853b547f")
    const text = hex("4265617574792069732074727574682c20747275746820626561757479")
    const sealed = builtinSeal(publicKey, infoBytes, text, ephemeral, Buffer.from("Count-0"))
    expect(toHex(sealed.subarray(32))).toBe(
      "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    )
  })
})

describe("deriveKey", () => {
  it("agrees with the reference for every length of shared_info around block borders", () => {
    const point = new Uint8Array(32).fill(3)
    const enc = new Uint8Array(32).fill(4)
    for (const length of [...Array.from({ length: 140 }, (_, i) => i), 255, 256, 257, 1000, 2000, 5000]) {
      const sharedInfo = new Uint8Array(length).fill(length & 255)
      deriveKey(point, to.publicKey, enc, 0, sharedInfo, 0, length)
      const { key, nonce } = aeadBytes()
      const expected = keySchedule(point, enc, to.publicKey, info(sharedInfo))
      expect([toHex(key), toHex(nonce)]).toEqual([toHex(expected.key), toHex(expected.nonce)])
    }
  })
})

describe("seal", () => {
  it("gives the reference's bytes at every length around block borders", () => {
    const sharedInfo = Buffer.from("{}")
    for (const length of [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 847, 1000]) {
      const text = new Uint8Array(length).fill(length)
      const ephemeral = new Uint8Array(32).fill(length + 1)
      expect(toHex(seal.seal(sharedInfo, text, ephemeral)!)).toBe(
        toHex(builtinSeal(to.publicKey, info(sharedInfo), text, ephemeral))
      )
    }
  })

  it("refuses a public key of small order and of wrong length", () => {
    expect(sealer(new Uint8Array(32))!.seal(new Uint8Array(0), new Uint8Array(0), SECRET)).toBeUndefined()
    expect(sealer(new Uint8Array(31))).toBeUndefined()
    expect(recipient(new Uint8Array(33))).toBeUndefined()
  })
})

describe("open", () => {
  const report = fc.record({
    text: fc.uint8Array({ maxLength: 200 }),
    info: fc.uint8Array({ maxLength: 400 }),
    ephemeral: fc.uint8Array({ minLength: 32, maxLength: 32 })
  })

  it("opens what was sealed, in batches of any size and mix", () =>
    fc.assert(
      fc.property(fc.array(report, { maxLength: 5 }), (reports) => {
        const sealed = reports.map((r) => ({ payload: seal.seal(r.info, r.text, r.ephemeral)!, info: r.info }))
        expect(openAll(sealed)).toEqual(reports.map((r) => toHex(r.text)))
      }),
      { numRuns: 60 }
    ))

  it("agrees with the reference on altered, cut and lengthened reports", () =>
    fc.assert(
      fc.property(
        report,
        fc.nat(),
        fc.nat(7),
        fc.constantFrom("payload", "info", "cut", "longer"),
        (r, at, bit, how) => {
          const sealed = { payload: seal.seal(r.info, r.text, r.ephemeral)!, info: r.info.slice() }
          if (how === "cut") sealed.payload = sealed.payload.slice(0, at % sealed.payload.length)
          else if (how === "longer") sealed.payload = Uint8Array.from([...sealed.payload, at & 255])
          else if (sealed[how].length > 0) sealed[how][at % sealed[how].length]! ^= 1 << bit
          const expected = builtinOpen(SECRET, sealed.payload, info(sealed.info))
          expect(openAll([sealed])).toEqual([expected === undefined ? undefined : toHex(expected)])
        }
      ),
      { numRuns: 150 }
    ))

  it("refuses every single flipped bit of the tag and of the ciphertext", () => {
    const payload = seal.seal(new Uint8Array(0), Uint8Array.of(1, 2, 3), SECRET)!
    for (let bit = 8 * 32; bit < 8 * payload.length; bit++) {
      const altered = payload.slice()
      altered[bit >> 3]! ^= 1 << (bit & 7)
      expect(openAll([{ payload: altered, info: new Uint8Array(0) }])).toEqual([undefined])
    }
  })

  // RFC 7748 §6.1 and the list of small-order points at cr.yp.to/ecdh.html.
  it.each([
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
  ])("refuses the encapsulated key %s of small order", (point) =>
    expect(openAll([{ payload: Buffer.concat([hex(point), new Uint8Array(16)]), info: new Uint8Array(0) }])).toEqual([
      undefined
    ])
  )

  it("leaves reports alone whose status is set already", () => {
    const payload = seal.seal(new Uint8Array(0), Uint8Array.of(7), SECRET)!
    const statuses = Uint8Array.of(9, SEALED)
    const bytes = Buffer.concat([payload, payload])
    open(to, bytes, Uint32Array.of(0, 49, 0, 0, 49, 49, 0, 0), 2, statuses)
    expect([...statuses]).toEqual([9, OPENED])
    expect(bytes.subarray(0, 49).equals(payload)).toBe(true)
  })
})

const GOLDENS = new URL("../../../../test/fixtures/goldens/", import.meta.url)
const goldens = (readdirSync(GOLDENS, { recursive: true }) as Array<string>).filter((file) =>
  /\/report_\d+\.json$/.test(file)
)

describe("reports that Chrome encrypted", () => {
  const key = recipient(Buffer.from("z5KhjZ8Q71lHD5L7LDDLeOcBgNLX0DXv0RqUT4m/+Jw=", "base64"))!

  it("come with their public key", () =>
    expect(Buffer.from(key.publicKey).toString("base64")).toBe("two07NuSOLRSgJSE4mz3kMrmZ/jqLVYKZ2SW/8LDS3Y="))

  it("are there", () => expect(goldens.length).toBeGreaterThanOrEqual(11))

  it.each(goldens)("%s", (name) => {
    const json = JSON.parse(readFileSync(new URL(name, GOLDENS), "utf8"))
    const clear = JSON.parse(readFileSync(new URL(name.replace(".json", "_cleartext_payloads.json"), GOLDENS), "utf8"))
    const payload = Buffer.from(json.aggregation_service_payloads[0].payload, "base64")
    const sharedInfo = Buffer.from(json.shared_info)
    const bytes = Buffer.concat([payload, sharedInfo])
    const statuses = new Uint8Array(1)
    open(key, bytes, Uint32Array.of(0, payload.length, payload.length, sharedInfo.length), 1, statuses)
    // The oldest format put a NUL behind the prefix of info; the original cannot open it any more either.
    if (name.startsWith("attribution-no-version")) expect(statuses[0]).toBe(REFUSED)
    else {
      expect(statuses[0]).toBe(OPENED)
      expect(bytes.subarray(32, payload.length - 16).toString("base64")).toBe(clear[0])
    }
  })
})
