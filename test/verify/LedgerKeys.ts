import { layerMemoryLedgerKeys, type MemoryLedgerKeys } from "@sotto/memory"

export const port = "LedgerKeys"
export const make = ({ keys }: { readonly keys: MemoryLedgerKeys }) => layerMemoryLedgerKeys(keys)
