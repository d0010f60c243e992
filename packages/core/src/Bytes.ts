export { fromHex, toHex, toUuid, utf8 } from "./internal/Bytes.ts"
