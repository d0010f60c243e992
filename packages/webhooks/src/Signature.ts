/**
 * Signatures by Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`, as `v1,` and base64.
 *
 * A header may carry several, apart by blanks; a receiver takes a message if one of them is right, so that secrets can be
 * changed while messages are under way.
 */
import { createHmac } from "node:crypto"

/** So many bytes has a secret; the specification allows 24 to 64. */
export const SECRET_BYTES = 32

const PREFIX = "whsec_"

/** A secret as it is shown: `whsec_` and base64 of the key. */
export const printSecret = (key: Uint8Array): string => PREFIX + Buffer.from(key).toString("base64")

/** One signature. `seconds` since 1970 is when the message is sent, not when it was made. */
export const sign = (secret: string, id: string, seconds: number, body: string): string => {
  const key = Buffer.from(secret.slice(PREFIX.length), "base64")
  return `v1,${createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")}`
}

/** The headers of a message that is sent at `now` (milliseconds since 1970), with a signature by each secret. */
export const signedHeaders = (
  secrets: ReadonlyArray<string>,
  id: string,
  now: number,
  body: string
): Readonly<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>> => {
  const seconds = Math.floor(now / 1000)
  return {
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": secrets.map((secret) => sign(secret, id, seconds, body)).join(" ")
  }
}
