/**
 * Computes `ledger.json` from the formulas of spec: ledger §2 and §4 with node:crypto alone, nothing of ours.
 *
 * The numbers under `noise` are given, not computed: they come from the prototype sampler that the specification names.
 */
import { createCipheriv, createHash, createHmac } from "node:crypto"

const sha256 = (...parts: ReadonlyArray<Uint8Array | string>) => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const mac = (key: Uint8Array, ...parts: ReadonlyArray<Uint8Array | string>) => {
  const hash = createHmac("sha256", key)
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const integer = (value: bigint, bytes: number) => Buffer.from(value.toString(16).padStart(2 * bytes, "0"), "hex")
const lp = (text: string) => Buffer.concat([integer(BigInt(Buffer.byteLength(text)), 4), Buffer.from(text)])
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

const F = sha256("sotto test fingerprint key")
const K = sha256("sotto test noise key")
const scope = "default"
const mechanism = "dlap-digits/1"
const sums = "histogram/1"
const l1 = 65_536n

const reports = [1, 2, 3].map((i) => {
  const enc = Buffer.alloc(32, i)
  const tag = Buffer.alloc(16, 16 + i)
  const sharedInfo = `{"api":"shared-storage","report_id":"00000000-0000-0000-0000-00000000000${i}"}`
  const reportMac = mac(F, "sotto/report/1\0", Uint8Array.of(1), enc, tag, sha256("aggregation_service", sharedInfo))
  return { enc: hex(enc), tag: hex(tag), sharedInfo, reportMac: hex(reportMac) }
})

const BUCKETS = [0n, 1n, 2n ** 32n, 2n ** 128n - 1n]

const vector = (
  name: string,
  microEpsilon: bigint,
  ids: ReadonlyArray<bigint>,
  counted: typeof reports,
  noise: ReadonlyArray<number>
) => {
  const acc = integer(counted.reduce((sum, r) => (sum + BigInt(`0x${r.reportMac}`)) % 2n ** 256n, 0n), 32)
  const fingerprint = mac(
    F,
    "sotto/question/1\0",
    lp(scope),
    lp(mechanism),
    lp(sums),
    integer(microEpsilon, 8),
    integer(l1, 8),
    integer(BigInt(ids.length), 4),
    ...ids.map((id) => integer(id, 8)),
    integer(BigInt(counted.length), 8),
    acc
  )
  const seed = mac(K, "sotto/seed/1\0", fingerprint)
  const blockKey = mac(seed, "sotto/noise/1\0", integer(0n, 2), integer(0n, 2))
  const secondKey = mac(seed, "sotto/noise/1\0", integer(0n, 2), integer(1n, 2))
  const words = (key: Uint8Array, bucket: bigint) =>
    createCipheriv("chacha20", key, integer(bucket, 16)).update(Buffer.alloc(64))
  return {
    name,
    fingerprintKey: hex(F),
    noiseKey: hex(K),
    scope,
    mechanism,
    sums,
    microEpsilon: String(microEpsilon),
    l1: String(l1),
    ids: ids.map(String),
    reports: counted,
    acc: hex(acc),
    n: String(counted.length),
    fingerprint: hex(fingerprint),
    seed: hex(seed),
    blockKey00: hex(blockKey),
    sync1: hex(mac(seed, "sotto/sync/1\0", integer(1n, 4)).subarray(0, 16)),
    buckets: noise.map((z, i) => ({
      bucket: String(BUCKETS[i]),
      word0: words(blockKey, BUCKETS[i] as bigint).readUInt32LE(0).toString(16).padStart(8, "0"),
      word16: words(secondKey, BUCKETS[i] as bigint).readUInt32LE(0).toString(16).padStart(8, "0"),
      noise: String(z)
    }))
  }
}

const CHAIN_SPENDS = [
  { charge: "exclusive", microEpsilon: 10_000_000n, spender: "job-1", units: 2, asOf: 1_700_000_000_000n },
  { charge: "shared", microEpsilon: 250_000n, spender: "job-2", units: 1, asOf: -1n }
] as const

/** Two links of a chain (spec: ledger §3). Unit ids are SHA-256 of "unit 0", "unit 1", sorted; fingerprints of "question 1", … */
const chain = () => {
  const ledgerId = sha256("sotto test ledger").subarray(0, 16)
  let prevHash = sha256("sotto/chain/1\0", ledgerId, lp(scope))
  const genesis = hex(prevHash)
  const spends = CHAIN_SPENDS.map(({ charge, microEpsilon, spender, units, asOf }, i) => {
    const fingerprint = sha256(`question ${i + 1}`)
    const unitIds = Array.from({ length: units }, (_, u) => hex(sha256(`unit ${u}`))).sort()
    const chargedAt = 1_700_000_000_123n + BigInt(i)
    const hash = sha256(
      "sotto/chain/1\0",
      prevHash,
      integer(BigInt(i + 1), 8),
      fingerprint,
      lp(spender),
      Uint8Array.of(charge === "exclusive" ? 0 : 1),
      integer(microEpsilon, 8),
      integer(3n, 8),
      sha256(Buffer.from(unitIds.join(""), "hex")),
      lp("noise-1"),
      integer(BigInt.asUintN(64, asOf), 8),
      integer(chargedAt, 8)
    )
    const spend = {
      sequence: i + 1,
      fingerprint: hex(fingerprint),
      spender,
      charge,
      epsilon: Number(microEpsilon),
      reports: 3,
      unitIds,
      hours: unitIds.map(() => 447_072),
      noiseKeyId: "noise-1",
      asOf: Number(asOf),
      chargedAt: Number(chargedAt),
      prevHash: hex(prevHash),
      hash: hex(hash)
    }
    prevHash = hash
    return spend
  })
  return { ledgerId: hex(ledgerId), scope, genesis, spends }
}

export const ledgerVectors = () => ({
  questions: [
    vector("ε = 10", 10_000_000n, [0n], reports, [-13_080, 4416, -6481, -6870]),
    vector("ε = 1", 1_000_000n, [0n], reports, [-24_357, -126_474, -73_372, 114_652]),
    vector("ε = 64, two ids", 64_000_000n, [0n, 5n], reports, [1492, -122, 132, -3959]),
    vector("the empty question", 10_000_000n, [0n], [], [])
  ],
  keyChecks: [F, K].map((key) => ({ key: hex(key), kcv: hex(mac(key, "sotto/kcv/1\0").subarray(0, 8)) })),
  chain: chain()
})

/** The text of `ledger.json`. */
export const ledgerJson = (): string => `${JSON.stringify(ledgerVectors(), null, 2)}\n`
