export { layerRecordFormat, type RecordFormatOptions } from "./RecordFormat.ts"
