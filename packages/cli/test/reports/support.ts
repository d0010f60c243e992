import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"

/** The published test key of the goldens (test/fixtures/README.md). */
export const testKey = {
  id: "example_id",
  key: Buffer.from("two07NuSOLRSgJSE4mz3kMrmZ/jqLVYKZ2SW/8LDS3Y=", "base64"),
  privateKey: Buffer.from("z5KhjZ8Q71lHD5L7LDDLeOcBgNLX0DXv0RqUT4m/+Jw=", "base64")
}

export const fixture = (path: string): string =>
  fileURLToPath(new URL(`../../../../test/fixtures/${path}`, import.meta.url))

/** A folder that is gone after the tests of the calling file. */
export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "sotto-reports-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
