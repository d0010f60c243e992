/**
 * What a file may ask of its reader. A file beyond any of these is rejected before the memory or the time is spent.
 *
 * Real files stay far below: writers cut blocks at 64 KiB to 16 MiB, and a schema of ours takes 335 bytes.
 */
export interface AvroLimits {
  /** Magic, metadata and sync marker, in bytes. */
  readonly headerBytes: number
  readonly metadataEntries: number
  /** Nesting of a schema: records in records, items of arrays, branches of unions. */
  readonly schemaDepth: number
  /** Types and fields in a schema. */
  readonly schemaNodes: number
  /** Nesting of one value, which a recursive schema does not bound. */
  readonly valueDepth: number
  /** A block as it lies in the file, in bytes. */
  readonly storedBlockBytes: number
  /** A block after decompression, in bytes; enforced while inflating. */
  readonly blockBytes: number
  /** Values that take no bytes (nulls outside unions, empty records) in a block: the only ones that its size does not bound. */
  readonly emptyValues: number
}

export const AVRO_LIMITS: AvroLimits = {
  headerBytes: 1_048_576,
  metadataEntries: 1024,
  schemaDepth: 32,
  schemaNodes: 4096,
  valueDepth: 64,
  storedBlockBytes: 67_108_864,
  blockBytes: 67_108_864,
  emptyValues: 1_048_576
}
