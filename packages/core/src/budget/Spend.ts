/**
 * The words of a ledger: what a question asks of it, what it answers, what it remembers (spec: ledger §3).
 *
 * Byte strings travel as lower-case hexadecimal, so that they compare, sort and print alike in every adapter.
 */
import type { Epsilon } from "./Epsilon.ts"

/** The name of one question: 64 hexadecimal digits (spec: ledger §2). */
export type Fingerprint = string & { readonly Fingerprint: unique symbol }

/** The name of one budget unit: 64 hexadecimal digits (spec: ledger §3). */
export type UnitId = string & { readonly UnitId: unique symbol }

/** First 8 bytes of a MAC of a key, 16 hexadecimal digits: tells keys apart and says nothing about them. */
export type KeyCheck = string & { readonly KeyCheck: unique symbol }

/** 32 bytes that name a link of a ledger's chain: 64 hexadecimal digits. */
export type ChainHash = string & { readonly ChainHash: unique symbol }

/** A budget unit as a ledger sees it. `hour` counts from 1970 (for the floor), `origin` is shown to people. */
export interface LedgerUnit {
  readonly id: UnitId
  readonly hour: number
  readonly origin: string
}

/** `exclusive`: the unit must be untouched and is closed for ever. `shared`: ε is added up to the cap. */
export type Charge = "exclusive" | "shared"

/** A place in the chain of one scope; sequences count from 1. */
export interface Head {
  readonly sequence: number
  readonly hash: ChainHash
}

/** One question, ready to be paid for. */
export interface SpendRequest {
  readonly scope: string
  /** The server's id of the job, never the client's. */
  readonly spender: string
  readonly fingerprint: Fingerprint
  readonly charge: Charge
  readonly epsilon: Epsilon
  /** Number of counted reports, n of the fingerprint. */
  readonly reports: number
  /** In any order; equal ids count once. */
  readonly units: ReadonlyArray<LedgerUnit>
  readonly noiseKeyId: string
  /** `keyCheck` of the noise key that the engine holds under `noiseKeyId`. */
  readonly kcv: KeyCheck
  /** The moment at which the age of reports was judged, milliseconds since 1970. */
  readonly asOf: number
  /** The head kept beside the keys. A ledger whose chain does not contain it was rolled back and refuses. */
  readonly known?: Head | undefined
}

/** Proof that a question was paid for; holds no secret. `noiseKeyId` and `kcv` are those of the first payment. */
export interface Receipt {
  readonly scope: string
  /** Absent for a question without units, which costs nothing and is not recorded. */
  readonly sequence?: number
  readonly fingerprint: Fingerprint
  readonly noiseKeyId: string
  readonly kcv: KeyCheck
  /** By the store's own clock, milliseconds since 1970. */
  readonly chargedAt: number
}

/** What a unit can still pay; 0 when it is closed or below the floor. */
export interface UnitRemaining {
  readonly id: UnitId
  readonly remaining: number
}

export interface Charged {
  readonly _tag: "Charged"
  readonly receipt: Receipt
}
/** Asked before, in this scope: the same answer is due, at no charge. */
export interface Replayed {
  readonly _tag: "Replayed"
  readonly receipt: Receipt
}
/** No units, hence no charge and no record: the noise of the empty question. */
export interface Nothing {
  readonly _tag: "Nothing"
  readonly receipt: Receipt
}
/** Every unit that cannot pay, sorted by id. Nothing was recorded. */
export interface Exhausted {
  readonly _tag: "Exhausted"
  readonly units: ReadonlyArray<UnitRemaining>
}
export interface TooManyUnits {
  readonly _tag: "TooManyUnits"
  readonly units: number
  readonly limit: number
}
/** This job already asked another question: its input changed between two attempts. */
export interface SpenderConflict {
  readonly _tag: "SpenderConflict"
  readonly asked: Fingerprint
}
/** The key held under `noiseKeyId` is not the one that the ledger saw first under that name. */
export interface NoiseKeyMismatch {
  readonly _tag: "NoiseKeyMismatch"
  readonly noiseKeyId: string
}

/** Only the first three allow a release. */
export type SpendAnswer = Charged | Replayed | Nothing | Exhausted | TooManyUnits | SpenderConflict | NoiseKeyMismatch

/** The chain does not contain the head that is kept beside the keys. `head` is where the chain ends now. */
export interface RolledBack {
  readonly _tag: "RolledBack"
  readonly known: Head
  readonly head: Head
}

/** One line of a scope's history, a link of its chain. */
export interface Spend {
  readonly sequence: number
  readonly fingerprint: Fingerprint
  readonly spender: string
  readonly charge: Charge
  readonly epsilon: Epsilon
  readonly reports: number
  /** Sorted. */
  readonly unitIds: ReadonlyArray<UnitId>
  /** Hours of `unitIds`, in the same order, cut to 0 … 2³² − 1: what makes a history foldable after a purge. */
  readonly hours: ReadonlyArray<number>
  readonly noiseKeyId: string
  readonly asOf: number
  readonly chargedAt: number
  readonly prevHash: ChainHash
  readonly hash: ChainHash
}

/** What a ledger holds about a unit. `spent` is in micro-ε; `deltaPico` is δ in 10⁻¹² and 0 for the noise of today. */
export interface UnitState extends LedgerUnit {
  readonly spent: number
  readonly closed: boolean
  readonly deltaPico: number
}

/** An operator's word that a rollback is known: from `lost` (kept beside the keys) to `head` (in the store). */
export interface RollbackAccepted {
  readonly _tag: "RollbackAccepted"
  readonly lost: Head
  readonly head: Head
  readonly reason: string
  readonly acceptedAt: number
}

/** The chain contains the head that was said to be lost; there is nothing to accept. */
export interface NotRolledBack {
  readonly _tag: "NotRolledBack"
  readonly head: Head
}

/** Which ledger this is and which fingerprint key it belongs to; both are public. */
export interface LedgerIdentity {
  /** 16 bytes, 32 hexadecimal digits. */
  readonly ledgerId: string
  readonly fingerprintKcv: KeyCheck
}
