import type { Ledger, LedgerPolicy } from "@sotto/core/budget"
import { HostLedger } from "../../packages/local/test/support/HostLedger.ts"

export const port = "BudgetLedger"
export const make = () => {
  const kept: { ledger: Ledger | undefined } = { ledger: undefined }
  const reopen = async (policy: Partial<LedgerPolicy>) => new HostLedger(kept, policy)
  return Object.assign(new HostLedger(kept), { reopen })
}
