/**
 * Links to files that need no credential: of the store if it can make them, otherwise signed by the server.
 */
import { type BlobRef, BlobStore } from "@sotto/core/ports/BlobStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Tokens } from "../access/Tokens.ts"

/** How long a link is good for: long enough to follow it, too short to be passed on. */
const LINK_SECONDS = 300

/** A link to an object that a tenant may read. `name` is what the file is called by whoever saves it. */
export const linkTo = Effect.fnUntraced(function* (tenant: string, ref: BlobRef, name: string) {
  const blobs = yield* BlobStore
  const tokens = yield* Tokens
  const own = Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + LINK_SECONDS * 1000
    const token = yield* tokens.linkToken({ tenant, ref, until })
    return `/v1/blobs/${encodeURIComponent(name)}?token=${encodeURIComponent(Redacted.value(token))}`
  })
  if (!blobs.capabilities.signedLinks) {
    yield* blobs.stat(ref)
    return yield* own
  }
  return yield* Effect.catchTag(blobs.signedLink(ref, LINK_SECONDS), "Unsupported", () => own)
})

/** Types by the ending of a name; browsers are told not to guess. */
const TYPES: Readonly<Record<string, string>> = {
  avro: "application/avro",
  csv: "text/csv; charset=utf-8",
  json: "application/json",
  ndjson: "application/x-ndjson",
  txt: "text/plain; charset=utf-8"
}

export const typeOf = (name: string): string =>
  TYPES[name.slice(name.lastIndexOf(".") + 1).toLowerCase()] ?? "application/octet-stream"

/** RFC 6266: to be saved under this name, in letters that every client reads and as it is. */
export const dispositionOf = (name: string): string => {
  const plain = name.replace(/[^\x20-\x7e]|["\\%/]/g, "_")
  const full = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"${plain === name ? "" : `; filename*=UTF-8''${full}`}`
}
