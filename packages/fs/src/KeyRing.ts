import { KeyNotFound, KeyRing, type DecryptionKey } from "@sotto/core/ports/KeyRing"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID } from "node:crypto"
import * as fs from "node:fs/promises"
import { dirname, join } from "node:path"
import { partialName } from "./internal/Partial.ts"

/** A file of keys cannot be read or written; `message` names the place in it and says what to do. */
export class KeyFileRejected extends Schema.TaggedError<KeyFileRejected>()("KeyFileRejected", {
  path: Schema.String,
  message: Schema.String
}) {}

const KEY_BYTES = 32

/** The keys of a file as `readKeys` reads it, once, when the layer is built. */
export const layerFsKeyRing = (options: { readonly path: string }): Layer.Layer<KeyRing, KeyFileRejected> =>
  Layer.effect(
    KeyRing,
    Effect.map(readKeys(options.path), (list) => {
      const keys = new Map(list.map((key) => [key.id, key]))
      return KeyRing.of({
        privateKey: (keyId) => {
          const key = keys.get(keyId)
          return key === undefined
            ? Effect.fail(new KeyNotFound({ keyId, message: `${options.path} holds no key with the id ${keyId}` }))
            : Effect.succeed(key)
        }
      })
    })
  )

/**
 * Reads `{"keys":[{"id","key","privateKey"}]}`, base64 of the raw 32 bytes of each key (spec: aggregation §3.5, the public
 * list with private keys added). Members that it does not know are left alone.
 *
 * Refused as a whole: a file that others may read, an id twice, a key of another length, a public key that is not the
 * private key's.
 */
export const readKeys = (path: string): Effect.Effect<ReadonlyArray<DecryptionKey>, KeyFileRejected> =>
  Effect.tryPromise({
    try: async () => {
      const file = await fs.open(path, "r")
      try {
        checkMode(path, (await file.stat()).mode)
        return parseKeys(path, await file.readFile("utf8"))
      } finally {
        await file.close()
      }
    },
    catch: (error) => rejectionOf(path, error)
  })

/** Like ssh, which does not use a private key that others could have read either. */
const checkMode = (path: string, mode: number): void => {
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw rejected(path, `others may read these private keys; run chmod 600 ${path}`)
}

const parseKeys = (path: string, text: string): ReadonlyArray<DecryptionKey> => {
  const list = (parseJson(path, text) as { readonly keys?: unknown } | null)?.keys
  if (!Array.isArray(list)) throw rejected(path, 'there is no list "keys"; make one with sotto keys generate')
  const seen = new Set<string>()
  return list.map((item: unknown, i) => {
    const at = `keys[${i}]`
    if (typeof item !== "object" || item === null) throw rejected(path, `${at} is not an object`)
    const { id, key, privateKey } = item as { readonly [member: string]: unknown }
    if (typeof id !== "string" || id === "") throw rejected(path, `${at}.id is not a text`)
    if (seen.has(id)) throw rejected(path, `${at}.id: the id ${id} is there twice`)
    seen.add(id)
    if (privateKey === undefined)
      throw rejected(path, `${at} has no privateKey; this looks like the public list, name the file of private keys`)
    const secret = rawKey(path, `${at}.privateKey`, privateKey)
    const publicKey = rawKey(path, `${at}.key`, key)
    if (!publicOf(secret).equals(publicKey)) throw rejected(path, `${at}.key is not the public key of ${at}.privateKey`)
    return { id, publicKey, privateKey: new SecretBytes(secret) }
  })
}

const parseJson = (path: string, text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message may quote the file.
    throw rejected(path, "this is not JSON")
  }
}

const rawKey = (path: string, at: string, text: unknown): Uint8Array => {
  if (typeof text !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0)
    throw rejected(path, `${at} is not base64`)
  const bytes = Buffer.from(text, "base64")
  if (bytes.length !== KEY_BYTES) throw rejected(path, `${at} has ${bytes.length} bytes, a key has ${KEY_BYTES}`)
  return new Uint8Array(bytes)
}

const publicOf = (secret: Uint8Array): Buffer => {
  // PKCS #8 of an X25519 key (RFC 8410 §7) up to its 32 bytes.
  const prefix = Buffer.from("302e020100300506032b656e04220420", "hex")
  const key = createPrivateKey({ key: Buffer.concat([prefix, secret]), format: "der", type: "pkcs8" })
  return Buffer.from(createPublicKey(key).export({ format: "jwk" }).x as string, "base64url")
}

/** A new X25519 pair (RFC 7748) from the system's random source; without an id it gets a UUID. */
export const generateKeyPair = (id?: string): Effect.Effect<DecryptionKey> =>
  Effect.sync(() => {
    const { x, d } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" })
    return {
      id: id ?? randomUUID(),
      publicKey: new Uint8Array(Buffer.from(x as string, "base64url")),
      privateKey: new SecretBytes(new Uint8Array(Buffer.from(d as string, "base64url")))
    }
  })

/** Writes a file that `readKeys` reads, mode 0600, all or nothing. `create` refuses to replace a file: keys lost are reports lost. */
export const writeKeys = (
  path: string,
  keys: ReadonlyArray<DecryptionKey>,
  options: { readonly mode: "create" | "replace" } = { mode: "create" }
): Effect.Effect<void, KeyFileRejected> =>
  Effect.tryPromise({
    try: async () => {
      const text = {
        keys: keys.map(({ id, publicKey, privateKey }) => ({
          id,
          key: base64(publicKey),
          privateKey: base64(privateKey.reveal())
        }))
      }
      const partial = join(dirname(path), partialName())
      const file = await fs.open(partial, "wx", 0o600)
      try {
        await file.writeFile(`${JSON.stringify(text, null, 2)}\n`)
        await file.sync()
        if (options.mode === "create") await fs.link(partial, path)
        else await fs.rename(partial, path)
      } finally {
        await file.close()
        await fs.rm(partial, { force: true })
      }
    },
    catch: (error) => rejectionOf(path, error)
  })

/** The public list, as clients fetch it: `{"keys":[{"id","key"}]}` (spec: aggregation §3.5). */
export const publicKeys = (
  keys: ReadonlyArray<DecryptionKey>
): { readonly keys: ReadonlyArray<{ readonly id: string; readonly key: string }> } => ({
  keys: keys.map(({ id, publicKey }) => ({ id, key: base64(publicKey) }))
})

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")

const rejected = (path: string, message: string) => new KeyFileRejected({ path, message: `${path}: ${message}` })

const ADVICE: { readonly [code: string]: string } = {
  ENOENT: "there is no such file or folder; make keys with sotto keys generate",
  EACCES: "we have no right to open this; change its owner or mode",
  EEXIST: "there is a file already and it may hold the only copy of its keys; choose another name",
  EISDIR: "this is a folder; name a file in it",
  ENOSPC: "the disk is full; free some space and try again",
  EROFS: "the file system is read-only; choose another place"
}

const rejectionOf = (path: string, error: unknown): KeyFileRejected =>
  error instanceof KeyFileRejected
    ? error
    : rejected(path, ADVICE[String((error as { code?: unknown }).code)] ?? (error as Error).message)
