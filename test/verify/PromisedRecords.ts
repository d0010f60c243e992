import type { StoredRecord } from "@sotto/core/ports/Records"
import type { PromisedRecords } from "@sotto/local"

export const port = "Records"
export const make = ({ now }: { readonly now: () => number }): PromisedRecords => {
  const versions = new Map<string, number>()
  const kept = new Map<string, StoredRecord>()
  const placeOf = (collection: string, tenant: string, key: string) => JSON.stringify([collection, tenant, key])
  const alive = (record: StoredRecord | undefined) =>
    record === undefined || (record.expiresAt !== null && record.expiresAt <= now())
      ? undefined
      : { ...record, bytes: record.bytes.slice() }
  const clash = (place: string, expected: number | "any" | null) => {
    const version = alive(kept.get(place))?.version ?? null
    return expected === "any" || expected === version ? undefined : ({ _tag: "VersionConflict", version } as const)
  }
  return {
    capabilities: { durable: false },
    get: async ({ collection, tenant, key }) => alive(kept.get(placeOf(collection, tenant, key))),
    put: async ({ collection, tenant, key, bytes, expectVersion, expiresAt }) => {
      const place = placeOf(collection, tenant, key)
      const conflict = clash(place, expectVersion)
      if (conflict !== undefined) return conflict
      const version = (versions.get(place) ?? 0) + 1
      versions.set(place, version)
      kept.set(place, { key, version, bytes: bytes.slice(), expiresAt })
      return { _tag: "Put", version }
    },
    delete: async ({ collection, tenant, key }, expectVersion) => {
      const place = placeOf(collection, tenant, key)
      const conflict = clash(place, expectVersion)
      if (conflict !== undefined) return conflict
      kept.delete(place)
      return { _tag: "Deleted" }
    },
    scan: async ({ collection, tenant, prefix }, after, limit) =>
      [...kept]
        .filter(([place, { key }]) => place === placeOf(collection, tenant, key) && key.startsWith(prefix))
        .flatMap(([, record]) => alive(record) ?? [])
        .filter(({ key }) => after === null || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0)
        .toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
        .slice(0, limit)
  }
}
