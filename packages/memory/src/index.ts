export { layerMemoryBlobStore } from "./BlobStore.ts"
export { layerSeededEntropy } from "./Entropy.ts"
export { layerMemoryKeyRing } from "./KeyRing.ts"
