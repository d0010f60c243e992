/**
 * What a request shows of its sender, and how that is read.
 *
 * Pure. Secrets stay wrapped, so that no log, error or inspection prints one.
 */
import { Buffer } from "node:buffer"
import * as Redacted from "effect/Redacted"
import { apiKeyOf } from "./ApiKey.ts"

/** Unread; `undefined`: not sent. */
export interface Credentials {
  /** The header `authorization`: Basic or Bearer. */
  readonly authorization: Redacted.Redacted | undefined
  /** The header `x-api-key`. */
  readonly apiKey: Redacted.Redacted | undefined
  /** The query parameter `token`, which only signed links have. */
  readonly link: Redacted.Redacted | undefined
}

/** `Secret`: an API key or a job token. `Unclear`: something that cannot be read, or two things that differ. */
export type Shown =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Link"; readonly token: Redacted.Redacted }
  | { readonly _tag: "Secret"; readonly secret: Redacted.Redacted }
  | { readonly _tag: "Unclear" }

/**
 * The one thing that says who asks. A link has to be enough for itself: what is sent along with it is not looked at, for
 * clients add their key to every request. Of both headers the same secret is expected; if they differ, neither counts.
 */
export const shownBy = ({ authorization, apiKey, link }: Credentials): Shown => {
  if (link !== undefined) return { _tag: "Link", token: link }
  const key = apiKey && Redacted.value(apiKey)
  const read = authorization && secretOf(Redacted.value(authorization))
  if (authorization !== undefined && read === undefined) return { _tag: "Unclear" }
  const secret = key ?? read
  if (secret === undefined) return { _tag: "Nothing" }
  if (key !== undefined && read !== undefined && key !== read) return { _tag: "Unclear" }
  return { _tag: "Secret", secret: Redacted.make(secret) }
}

const secretOf = (authorization: string): string | undefined =>
  /^bearer +([\w.~+/-]+=*)$/i.exec(authorization)?.[1] ?? basicSecret(authorization)

/** The key as user without a password, or its id as user and its secret as password (RFC 7617 §2). */
const basicSecret = (authorization: string): string | undefined => {
  const encoded = /^basic +([A-Za-z0-9+/]+)={0,2}$/i.exec(authorization)?.[1]
  if (encoded === undefined) return undefined
  const bytes = Buffer.from(encoded, "base64")
  if (bytes.toString("base64").replace(/=+$/, "") !== encoded) return undefined
  const text = bytes.toString("utf8")
  const colon = text.indexOf(":")
  if (colon < 0) return undefined
  const [user, password] = [text.slice(0, colon), text.slice(colon + 1)]
  // The automation interface's own client writes the word for the password that it does not have.
  return password === "" || password === "undefined" ? user : apiKeyOf(user, password)
}
