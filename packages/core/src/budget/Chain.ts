/**
 * The spends of a scope as a hash chain (spec: ledger §3): who holds its head knows whether spends are missing.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { concat, fromHex, i64, label, lp, toHex, u64, u8 } from "../internal/Bytes.ts"
import { unitIdBytes } from "./BudgetUnit.ts"
import type { ChainHash, Head, Spend, UnitId } from "./Spend.ts"

/** What the chain of a scope starts from: the head with sequence 0. `ledgerId`: 32 hexadecimal digits. */
export const genesis = (ledgerId: string, scope: string): Head => ({
  sequence: 0,
  hash: toHex(sha256(concat(label("sotto/chain/1"), bytes(ledgerId, 16), lp(scope)))) as ChainHash
})

/** The hash of a spend; it covers `prevHash` and hence all that came before. */
export const linkHash = (spend: Omit<Spend, "hash" | "hours">): ChainHash =>
  toHex(
    sha256(
      concat(
        label("sotto/chain/1"),
        bytes(spend.prevHash, 32),
        u64(spend.sequence),
        bytes(spend.fingerprint, 32),
        lp(spend.spender),
        u8(spend.charge === "exclusive" ? 0 : 1),
        u64(spend.epsilon),
        u64(spend.reports),
        sha256(unitIdBytes(spend.unitIds)),
        lp(spend.noiseKeyId),
        i64(spend.asOf),
        i64(spend.chargedAt)
      )
    )
  ) as ChainHash

/** The first spend that does not follow from what is before it. */
export interface ChainBroken {
  readonly _tag: "ChainBroken"
  readonly sequence: number
}

/** Follows `spends` from `from` (the genesis, or the end of an earlier page): the new end, or where the chain breaks. */
export const verifyChain = (from: Head, spends: ReadonlyArray<Spend>): Head | ChainBroken => {
  let head = from
  for (const spend of spends) {
    const sequence = head.sequence + 1
    if (spend.sequence !== sequence || spend.prevHash !== head.hash || linkHash(spend) !== spend.hash) {
      return { _tag: "ChainBroken", sequence }
    }
    head = { sequence, hash: spend.hash }
  }
  return head
}

/**
 * Does a chain contain the head that was kept beside the keys? `hashAt` gives the hash at a sequence (0: genesis), if any.
 *
 * Compares the hash and not only the length: a restored backup that was spent from again may be longer than what it lost.
 */
export const containsHead = (known: Head, hashAt: (sequence: number) => ChainHash | undefined): boolean =>
  hashAt(known.sequence) === known.hash

/** The units that a history amounts to, for hours from `floor` on (all without one): what law AUDIT compares. */
export const foldHistory = (
  spends: Iterable<Spend>,
  floor?: number
): ReadonlyMap<UnitId, { readonly spent: number; readonly closed: boolean }> => {
  const units = new Map<UnitId, { spent: number; closed: boolean }>()
  for (const spend of spends) {
    spend.unitIds.forEach((id, i) => {
      if (floor !== undefined && (spend.hours[i] as number) < floor) return
      const unit = units.get(id) ?? { spent: 0, closed: false }
      unit.spent += spend.epsilon
      unit.closed ||= spend.charge === "exclusive"
      units.set(id, unit)
    })
  }
  return units
}

const bytes = (text: string, length: number): Uint8Array => {
  const out = fromHex(text)
  if (out === undefined || out.length !== length) throw new RangeError(`expected ${2 * length} hexadecimal digits`)
  return out
}
