import { dirname, join, resolve } from "node:path"

/** Flags that say which ledger is meant. */
export interface LedgerOptions {
  readonly ledger: string
  readonly ledgerKeys?: string
  readonly scope: string
  readonly json: boolean
}

/** A ledger and its keys, which lie beside it unless a flag says so. */
export interface LedgerFiles {
  readonly file: string
  readonly keysFile: string
}

export const ledgerFiles = ({ ledger, ledgerKeys }: Pick<LedgerOptions, "ledger" | "ledgerKeys">): LedgerFiles => {
  const file = resolve(ledger)
  return { file, keysFile: resolve(ledgerKeys ?? join(dirname(file), "ledger-keys.json")) }
}
