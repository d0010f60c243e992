/**
 * Names and sizes of output files (spec: aggregation §10).
 */

/** Size that a shard aims at, in bytes. */
export const DEFAULT_SHARD_BYTES = 100_000_000

/** Records of a shard, at most: a header of 335 bytes and 20 bytes a record are assumed. `undefined` unless 355 ≤ bytes < 5·10⁹. */
export const recordsPerShard = (bytes: number = DEFAULT_SHARD_BYTES): number | undefined =>
  bytes >= 355 && bytes < 5_000_000_000 ? Math.floor((bytes - 335) / 20) : undefined

/**
 * Records of every shard, in order: keys of the domain fill shards first, the last of them partial; keys that are only in
 * reports start a new shard. Nothing at all makes no shard.
 */
export const shardSizes = (domainKeys: number, reportOnlyKeys: number, perShard: number): ReadonlyArray<number> => [
  ...filled(domainKeys, perShard),
  ...filled(reportOnlyKeys, perShard)
]

const filled = (records: number, perShard: number): ReadonlyArray<number> =>
  Array.from({ length: Math.ceil(records / perShard) }, (_, i) => Math.min(perShard, records - i * perShard))

const AVRO = ".avro"

/**
 * Key of shard `index` (1 … total): `out` gives `out-01-of-12`, `out.avro` gives `out-01-of-12.avro`.
 */
export const shardName = (prefix: string, index: number, total: number): string => {
  const { stem, suffix } = split(prefix)
  return `${stem}-${String(index).padStart(String(total).length, "0")}-of-${total}${suffix}`
}

/** The same name in a folder `debug` beside it. */
export const debugName = (name: string): string => {
  const at = name.lastIndexOf("/") + 1
  return `${name.slice(0, at)}debug/${name.slice(at)}`
}

/**
 * Index and total if `key` is a shard of this prefix, so that shards of an earlier run with another total can be removed
 * (spec: ledger §7).
 */
export const parseShardName = (
  prefix: string,
  key: string
): { readonly index: number; readonly total: number } | undefined => {
  const { stem, suffix } = split(prefix)
  if (key.length < stem.length + suffix.length || !key.startsWith(stem) || !key.endsWith(suffix)) return undefined
  const match = /^-(\d{1,10})-of-([1-9]\d{0,9})$/.exec(key.slice(stem.length, key.length - suffix.length))
  if (match === null) return undefined
  const index = Number(match[1])
  const total = Number(match[2])
  return index >= 1 && index <= total && key === shardName(prefix, index, total) ? { index, total } : undefined
}

const split = (prefix: string): { readonly stem: string; readonly suffix: string } =>
  prefix.endsWith(AVRO) ? { stem: prefix.slice(0, -AVRO.length), suffix: AVRO } : { stem: prefix, suffix: "" }

/** Names of the metadata in a summary's file header (spec: ledger §7). */
export const HEADER = {
  /** ε as a plain decimal. */
  epsilon: "sotto.epsilon",
  /** The L1 sensitivity, 65536. */
  l1: "sotto.l1",
  /** The noise mechanism, or `none` for un-noised output. */
  mechanism: "sotto.mechanism",
  /** `none` when no ledger guards the question. */
  ledger: "sotto.ledger",
  /** `false` for debug runs and un-noised output. */
  private: "sotto.private"
} as const
