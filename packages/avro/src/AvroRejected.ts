/** Why a file cannot be read. `offset` is a byte of the file: for what lies inside a block, the byte where that block begins. */
export interface AvroRejected {
  readonly _tag: "AvroRejected"
  readonly file: string
  readonly offset: number
  readonly reason: string
}

export const avroRejected = (file: string, offset: number, reason: string): AvroRejected => ({
  _tag: "AvroRejected",
  file,
  offset,
  reason
})

/** `reports/a.avro: byte 512: the file ends inside a block` */
export const printRejected = ({ file, offset, reason }: AvroRejected): string => `${file}: byte ${offset}: ${reason}`

export const isRejected = (value: unknown): value is AvroRejected =>
  typeof value === "object" && value !== null && (value as { _tag?: unknown })._tag === "AvroRejected"
