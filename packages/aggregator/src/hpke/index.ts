export { DESCRIPTOR, ENC_BYTES, OPENED, open, recipient, REFUSED, SEALED, sealer, TAG_BYTES } from "./Hpke.ts"
export type { Recipient, Sealer } from "./Hpke.ts"
