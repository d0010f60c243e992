/** Small JSON values in `Records`, one collection for each sort. */
import { utf8 } from "@sotto/core/Bytes"
import type { Plain } from "@sotto/core/job"
import { Records, type StoredRecord } from "@sotto/core/ports/Records"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface Shelved<A> {
  readonly key: string
  readonly version: number
  readonly value: A
}

const PAGE = 500

/** What we wrote ourselves is not checked again. */
const read = <A extends Plain>({ key, version, bytes }: StoredRecord): Effect.Effect<Shelved<A>> =>
  Stream.make(bytes).pipe(
    Stream.decodeText(),
    Stream.mkString,
    Effect.map((text) => ({ key, version, value: JSON.parse(text) as A }))
  )

/** Values of `A` under a tenant and a key. */
export const shelf = <A extends Plain>(collection: string) => ({
  get: Effect.fnUntraced(function* (tenant: string, key: string) {
    const found = yield* (yield* Records).get({ collection, tenant, key })
    return found === undefined ? undefined : yield* read<A>(found)
  }),

  /** Whether it was written: not if another version than the expected one was there. */
  put: Effect.fnUntraced(function* (tenant: string, key: string, value: A, expectVersion: number | null | "any") {
    const bytes = utf8(JSON.stringify(value))
    const answer = yield* (yield* Records).put({ collection, tenant, key, bytes, expectVersion, expiresAt: null })
    return answer._tag === "Put"
  }),

  /** Whether there was one. */
  remove: Effect.fnUntraced(function* (tenant: string, key: string) {
    const records = yield* Records
    const found = yield* records.get({ collection, tenant, key })
    yield* records.delete({ collection, tenant, key }, "any")
    return found !== undefined
  }),

  all: Effect.fnUntraced(function* (tenant: string) {
    const records = yield* Records
    const found: Array<Shelved<A>> = []
    for (;;) {
      const page: ReadonlyArray<StoredRecord> = yield* records.scan(
        { collection, tenant, prefix: "" },
        found.at(-1)?.key ?? null,
        PAGE
      )
      found.push(...(yield* Effect.forEach(page, (one) => read<A>(one))))
      if (page.length < PAGE) return found as ReadonlyArray<Shelved<A>>
    }
  })
})
