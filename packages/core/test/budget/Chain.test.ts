import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { containsHead, foldHistory, genesis, linkHash, verifyChain } from "../../src/budget/Chain.ts"
import type { ChainHash, Head, Spend } from "../../src/budget/Spend.ts"
import type { ledgerVectors } from "../vectors/makeLedger.ts"

const { chain } = JSON.parse(readFileSync(new URL("../vectors/ledger.json", import.meta.url), "utf8")) as ReturnType<
  typeof ledgerVectors
>

const spends = chain.spends as unknown as ReadonlyArray<Spend>
const start = genesis(chain.ledgerId, chain.scope)
const last = spends.at(-1) as Spend

describe("Chain", () => {
  it("starts and links as node:crypto computes it", () => {
    expect(start).toEqual({ sequence: 0, hash: chain.genesis })
    expect(start.hash).toBe("58d0069e7ba27d7ac284b931c967c54c1a57b1635c744d677e5864ff10a2ea22")
    expect(spends.map(linkHash)).toEqual([
      "ac9aa30cca6f77579874723019c70eda209d35f86332df8a6f0bbda618166443",
      "b6718a1e3a0360ac8240a90e736909ce59746142a66a04e7066044172a99d550"
    ])
    expect(verifyChain(start, spends)).toEqual({ sequence: 2, hash: last.hash })
  })

  it("starts differently in another ledger and in another scope", () => {
    const starts = [start, genesis("00".repeat(16), chain.scope), genesis(chain.ledgerId, "other")]
    expect(new Set(starts.map(({ hash }) => hash)).size).toBe(3)
    expect(() => genesis("00", chain.scope)).toThrow(RangeError)
  })

  it.each<[string, (spend: Spend) => Spend]>([
    ["sequence", (spend) => ({ ...spend, sequence: 3 })],
    ["fingerprint", (spend) => ({ ...spend, fingerprint: (spends[0] as Spend).fingerprint })],
    ["spender", (spend) => ({ ...spend, spender: "job-3" })],
    ["charge", (spend) => ({ ...spend, charge: "exclusive" })],
    ["epsilon", (spend) => ({ ...spend, epsilon: (spend.epsilon + 1) as Spend["epsilon"] })],
    ["reports", (spend) => ({ ...spend, reports: spend.reports + 1 })],
    ["unitIds", (spend) => ({ ...spend, unitIds: (spends[0] as Spend).unitIds })],
    ["noiseKeyId", (spend) => ({ ...spend, noiseKeyId: "noise-2" })],
    ["asOf", (spend) => ({ ...spend, asOf: 1 })],
    ["chargedAt", (spend) => ({ ...spend, chargedAt: spend.chargedAt + 1 })],
    ["prevHash", (spend) => ({ ...spend, prevHash: start.hash })],
    ["hash", (spend) => ({ ...spend, hash: start.hash })]
  ])("breaks where %s was changed", (_, change) => {
    expect(verifyChain(start, [spends[0] as Spend, change(last)])).toEqual({ _tag: "ChainBroken", sequence: 2 })
  })

  it("breaks where a spend is missing, doubled or out of order", () => {
    const [first] = spends as [Spend]
    expect(verifyChain(start, [last])).toEqual({ _tag: "ChainBroken", sequence: 1 })
    expect(verifyChain(start, [first, first])).toEqual({ _tag: "ChainBroken", sequence: 2 })
    expect(verifyChain(start, [last, first])).toEqual({ _tag: "ChainBroken", sequence: 1 })
  })

  it("breaks where a link is right in itself and hangs on another chain", () => {
    const loose = { ...last, prevHash: start.hash }
    expect(verifyChain(start, [spends[0] as Spend, { ...loose, hash: linkHash(loose) }])).toEqual({
      _tag: "ChainBroken",
      sequence: 2
    })
  })

  it("contains a head by hash and not by length", () => {
    const hashAt = (sequence: number) => [start, ...spends][sequence]?.hash
    const other = "0".repeat(64) as ChainHash
    const heads: ReadonlyArray<Head> = [start, ...spends]
    expect(heads.map((head) => containsHead(head, hashAt))).toEqual([true, true, true])
    expect(containsHead({ sequence: 1, hash: other }, hashAt)).toBe(false)
    expect(containsHead({ sequence: 3, hash: other }, hashAt)).toBe(false)
  })

  it("folds into what each unit paid, from a floor on", () => {
    const [one, both] = [last.unitIds[0], (spends[0] as Spend).unitIds] as const
    const folded = foldHistory(spends)
    expect([...folded].map(([id, unit]) => [id, unit.spent, unit.closed])).toEqual(
      both.map((id) => [id, id === one ? 10_250_000 : 10_000_000, true])
    )
    expect(foldHistory(spends, 447_072).size).toBe(2)
    expect(foldHistory(spends, 447_073).size).toBe(0)
  })

  it("folds in any grouping to the same", () =>
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...spends)), (list) => {
        const folded = foldHistory(list)
        for (const [id, { spent }] of folded) {
          const charged = list.filter(({ unitIds }) => unitIds.includes(id))
          expect(spent).toBe(charged.reduce((sum, { epsilon }) => sum + epsilon, 0))
        }
      })
    ))
})
