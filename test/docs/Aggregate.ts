/** The first example of docs/embedding.md; type-checked only, because it needs reports. */
import { aggregate } from "sotto"

export const weekly = async (signal: AbortSignal) => {
  const result = await aggregate({
    reports: "data/reports.avro",
    domain: "data/domain.avro",
    output: "summary",
    keys: "keys.json",
    ledger: { file: "ledger.db", keys: "ledger-keys.json" },
    reportingSite: "https://example.com",
    signal
  })
  if (!result.ok) throw new Error(`${result.returnCode}: ${result.message}`)
  return result.files
}
