export { fromHex, toHex, utf8 } from "./internal/Bytes.ts"
