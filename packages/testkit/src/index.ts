export { blobStoreLaws, LAW_BUCKETS } from "./BlobStoreLaws.ts"
export { keyRingLaws } from "./KeyRingLaws.ts"
export { catches, checkLaw, type Law, type LawOptions, type Mutant } from "./Law.ts"
