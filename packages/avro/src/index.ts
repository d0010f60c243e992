export { AVRO_LIMITS, type AvroLimits } from "./AvroLimits.ts"
export { isRejected, printRejected, type AvroRejected } from "./AvroRejected.ts"
export type { Block } from "./Block.ts"
export { CODECS, decompress, type Codec } from "./Codec.ts"
export {
  blockScanner,
  readContainer,
  readHeader,
  type BlockScanner,
  type ContainerHeader,
  type HeaderCut
} from "./Container.ts"
export { writeBlock, writeHeader, type ContainerOptions } from "./ContainerWriter.ts"
export { BUCKET_BYTES, domainScanner, type BucketTooLong, type DomainScanner } from "./DomainScanner.ts"
export { REPORT_COLUMNS, reportScanner, type ReportScanner } from "./ReportScanner.ts"
export { rowReader, type RowReader } from "./RowReader.ts"
export { RowWriter, type Rows } from "./RowWriter.ts"
