export { layerFsBlobStore } from "./BlobStore.ts"
export { layerSystemEntropy } from "./Entropy.ts"
export { generateKeyPair, KeyFileRejected, layerFsKeyRing, publicKeys, readKeys, writeKeys } from "./KeyRing.ts"
export { addNoiseKey, generateLedgerKeys, layerFileLedgerKeys } from "./LedgerKeys.ts"
