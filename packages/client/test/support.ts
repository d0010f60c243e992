import { Chacha20Poly1305 } from "@hpke/chacha20poly1305"
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core"
import { build } from "esbuild"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Sealed } from "../src/index.ts"

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Chacha20Poly1305()
})

/** The published test key of the goldens (test/fixtures/README.md). */
export const testKey = {
  id: "example_id",
  key: "two07NuSOLRSgJSE4mz3kMrmZ/jqLVYKZ2SW/8LDS3Y=",
  privateKey: "z5KhjZ8Q71lHD5L7LDDLeOcBgNLX0DXv0RqUT4m/+Jw="
}

/** Opens a report with an HPKE implementation that shares no code with ours. */
export const open = async (sealed: Sealed, privateKey = testKey.privateKey): Promise<Uint8Array> => {
  const recipientKey = await suite.kem.importKey(
    "raw",
    Uint8Array.from(Buffer.from(privateKey, "base64")).buffer,
    false
  )
  const bytes = Uint8Array.from(Buffer.from(sealed.payload, "base64"))
  const info = new TextEncoder().encode(`aggregation_service${sealed.shared_info}`)
  const recipient = await suite.createRecipientContext({ recipientKey, enc: bytes.slice(0, 32).buffer, info })
  return new Uint8Array(await recipient.open(bytes.slice(32).buffer))
}

/** The package as a browser would load it: one minified script that defines `sotto`. */
export const bundle = async (): Promise<string> => {
  const built = await build({
    entryPoints: [fileURLToPath(new URL("../src/index.ts", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    globalName: "sotto",
    target: "es2022"
  })
  return built.outputFiles[0]?.text ?? ""
}

/** A cleartext payload as Chrome wrote it. */
export const golden = (name: string): Uint8Array => {
  const file = new URL(`../../../test/fixtures/goldens/${name}_cleartext_payloads.json`, import.meta.url)
  const [payload] = JSON.parse(readFileSync(file, "utf8")) as [string]
  return Uint8Array.from(Buffer.from(payload, "base64"))
}

/** The `shared_info` text of a report as Chrome wrote it. */
export const goldenSharedInfo = (name: string): string => {
  const file = new URL(`../../../test/fixtures/goldens/${name}.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, "utf8")) as { shared_info: string }).shared_info
}

/** The tag of the error that `run` throws or rejects with; `undefined` if it does neither. */
export const tagOf = async (run: () => unknown): Promise<string | undefined> => {
  try {
    await run()
    return undefined
  } catch (error) {
    return (error as { _tag?: string })._tag ?? String(error)
  }
}
