/** Up to when a configuration has read its signals: the reference time of its last run (spec: launcher §3). */
import * as Effect from "effect/Effect"
import { shelf } from "./Shelf.ts"

const watermarks = shelf<number>("watermarks")

const put = (...args: Parameters<typeof watermarks.put>) =>
  Effect.catchTag(watermarks.put(...args), "RecordTooLarge", Effect.die)

/** Milliseconds since 1970; `undefined` before the first run. */
export const readWatermark = Effect.fnUntraced(function* (tenant: string, configuration: string) {
  return (yield* watermarks.get(tenant, configuration))?.value
})

/** What runs do: it never falls, whoever is faster. */
export const raiseWatermark = Effect.fnUntraced(function* (tenant: string, configuration: string, to: number) {
  for (;;) {
    const now = yield* watermarks.get(tenant, configuration)
    if (now !== undefined && now.value >= to) return
    if (yield* put(tenant, configuration, to, now?.version ?? null)) return
  }
})

/** What people do: any time, or `undefined` to begin again. */
export const setWatermark = Effect.fnUntraced(function* (
  tenant: string,
  configuration: string,
  to: number | undefined
) {
  if (to === undefined) yield* watermarks.remove(tenant, configuration)
  else yield* put(tenant, configuration, to, "any")
})
