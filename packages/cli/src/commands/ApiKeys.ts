/** API keys in the store of a server, which sees every change with its next request. */
import { parseInstant, toMillis } from "@sotto/core/Instant"
import type { Entropy } from "@sotto/core/ports/Entropy"
import type { Records } from "@sotto/core/ports/Records"
import { layerSystemEntropy } from "@sotto/fs"
import { type ApiKey, apiKeyState, createApiKey, listApiKeys, revokeApiKey, rotateServerKey } from "@sotto/http"
import { layerSqliteRecords } from "@sotto/store-sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { UsageError } from "../Failure.ts"
import { needFolderOf } from "../Folders.ts"
import { timeText } from "../Print.ts"
import { run } from "../Run.ts"
import { note, print, printJson, table } from "../Terminal.ts"

interface StoreOptions {
  readonly store: string
  readonly json: boolean
}

const over = <A, E extends { readonly message: string }>(
  file: string,
  program: Effect.Effect<A, E, Records | Entropy>,
  mustExist = true
): Promise<A> => run(Effect.provide(program, Layer.merge(layerSqliteRecords({ file, mustExist }), layerSystemEntropy)))

const UNITS = { h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** Milliseconds of a text such as `12h`, `90d` or `2w`. */
const durationOf = (text: string): number | undefined => {
  const match = /^(\d{1,5})([hdw])$/.exec(text)
  return match === null ? undefined : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]
}

/** When a key expires; `null`: never. */
const expiryOf = (text: string | undefined): number | null => {
  if (text === undefined) return null
  const duration = durationOf(text)
  if (duration !== undefined) return Date.now() + duration
  const at = parseInstant(text)
  if (at !== undefined) return toMillis(at)
  throw new UsageError(`--expires ${text}: write for how long, as 12h, 90d or 2w, or a time as 2030-01-31T10:00:00Z.`)
}

export const create = async (
  options: StoreOptions & {
    readonly tenant: string
    readonly name?: string
    readonly model?: string
    readonly expires?: string
  }
): Promise<void> => {
  const { store, tenant, name, model, json } = options
  const expires = expiryOf(options.expires)
  needFolderOf(store)
  // A server can be given its first key before it starts for the first time.
  const made = await over(
    store,
    createApiKey({
      tenant,
      ...(name === undefined ? {} : { name }),
      ...(model === undefined ? {} : { model }),
      expires
    }),
    false
  )
  const text = Redacted.value(made.text)
  if (json) return printJson({ key: text, ...shown(made.key) })
  await print(text)
  const until = made.key.expires === null ? "" : `, until ${timeText(made.key.expires)}`
  note(`Key ${made.key.id} of the tenant ${tenant}${until}. Only its hash is kept, so it is not shown again.`)
}

export const list = async (options: StoreOptions & { readonly tenant?: string }): Promise<void> => {
  const keys = await over(options.store, listApiKeys(options.tenant ?? null))
  if (options.json) return printJson({ keys: keys.map(shown) })
  await print(
    table(
      ["id", "tenant", "name", "ends with", "created", "expires", "state"],
      keys.map((key) => {
        const { id, tenant, name, last4, created, expires } = key
        return [id, tenant, name, last4, timeText(created), expires === null ? "" : timeText(expires), stateOf(key)]
      })
    )
  )
}

export const revoke = async (id: string, { store, json }: StoreOptions): Promise<void> => {
  // Whoever writes the whole key here does not get it back in a sentence.
  if (!/^[0-9a-f]{16}$/.test(id)) throw new UsageError("Write the id of a key, as `sotto apikeys list` shows it.")
  const key = await over(store, revokeApiKey(id))
  if (json) return printJson(shown(key))
  note(`Key ${id} of the tenant ${key.tenant} is refused from now on.`)
}

export const rotateSigningKey = async ({ store, keep }: { readonly store: string; readonly keep: string }) => {
  const keepMs = keep === "0" ? 0 : durationOf(keep)
  if (keepMs === undefined) throw new UsageError(`--keep ${keep}: write for how long, as 12h, 90d or 2w, or 0.`)
  await over(store, rotateServerKey(keepMs))
  note(
    keepMs === 0
      ? "A new key signs from now on. All job tokens and links that were signed before are refused."
      : `A new key signs from now on. Job tokens and links that were signed before count for ${keep} more.`
  )
}

/** What may be shown of a key: no hash, for nobody needs it. */
const shown = ({ hash: _, ...key }: ApiKey) => ({ ...key, state: stateOf(key) })

const stateOf = (key: Pick<ApiKey, "expires" | "revoked">) => apiKeyState(key, Date.now())
