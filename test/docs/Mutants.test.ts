/** The mutants of docs/adapters.md. */
import { catches, layerLawClock, recordsLaws } from "@sotto/testkit"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, expect, it } from "vitest"
import { layerFolderRecords } from "./FolderRecords.ts"

const root = mkdtempSync(join(tmpdir(), "mutants-"))
afterAll(() => rmSync(root, { recursive: true }))

const subject = Layer.unwrap(
  Effect.sync(() => Layer.merge(layerFolderRecords(mkdtempSync(join(root, "run-"))), layerLawClock))
)

it.each(recordsLaws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
  "%s catches %s",
  async (_, __, law, mutant) => {
    expect(await catches(law, mutant, subject, { seed: 1 })).toBe(true)
  }
)
