/** The test of docs/adapters.md. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layerLawClock, recordsLaws, registerLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, it } from "vitest"
import { layerFolderRecords } from "./FolderRecords.ts"

const root = mkdtempSync(join(tmpdir(), "records-"))
afterAll(() => rmSync(root, { recursive: true }))

// A new folder for every run of a law.
const subject = Layer.unwrap(
  Effect.sync(() => Layer.merge(layerFolderRecords(mkdtempSync(join(root, "run-"))), layerLawClock))
)

await registerLaws({ describe, it }, recordsLaws, subject, { runs: 25 })
