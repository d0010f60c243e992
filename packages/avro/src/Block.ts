/** A block as it lies in the file: `bytes` are still compressed and a view of what was read. */
export interface Block {
  /** Byte of the file where the block begins. */
  readonly offset: number
  readonly rows: number
  readonly bytes: Uint8Array
}
