/** What docs/webhooks.md shows of the receiving side. */
import { createHmac, timingSafeEqual } from "node:crypto"

/** The message, if it is ours and fresh; throws otherwise. `body` is what arrived, to the byte. */
export const verify = (secret: string, headers: Record<string, string>, body: string): unknown => {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures = "" } = headers
  if (!(Math.abs(Date.now() / 1000 - Number(time)) <= 300)) throw new Error("too old, or from the future")
  const key = Buffer.from(secret.replace("whsec_", ""), "base64")
  const right = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest()
  const signed = signatures.split(" ").some((one) => {
    const given = Buffer.from(one.replace("v1,", ""), "base64")
    return given.length === right.length && timingSafeEqual(given, right)
  })
  if (!signed) throw new Error("not ours")
  return JSON.parse(body)
}
