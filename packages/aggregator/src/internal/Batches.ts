/** Cuts input objects into batches of whole blocks for the lanes. */
import { type Block, blockScanner, isRejected } from "@sotto/avro"
import type { EngineCalls, ReadFault, Source } from "./Calls.ts"
import { readObject } from "./Objects.ts"
import type { Peer } from "./Peer.ts"
import type { Batch } from "./ReportBatch.ts"

/**
 * Batches of about `batchBytes` stored bytes, in the order of sources and rows. A fault comes behind everything that was
 * sound before it, and ends the stream.
 */
export async function* readBatches(
  engine: Peer<EngineCalls>,
  sources: ReadonlyArray<Source>,
  batchBytes: number,
  onBytes: (bytes: number) => void
): AsyncGenerator<Batch | ReadFault> {
  for (const [index, source] of sources.entries()) {
    const scanner = blockScanner(source.name)
    let gathered: Array<Block> = []
    let size = 0
    const take = (): Batch => {
      const header = scanner.header!
      const data = new Uint8Array(size)
      let at = 0
      for (const { bytes } of gathered) {
        data.set(bytes, at)
        at += bytes.length
      }
      const blocks = gathered.map(({ offset, rows, bytes }) => ({ offset, rows, length: bytes.length }))
      gathered = []
      size = 0
      return { file: index, name: source.name, schema: header.schema, codec: header.codec, data, blocks }
    }
    let fault: ReadFault | undefined
    for await (const piece of readObject(engine, index, source)) {
      if (!(piece instanceof Uint8Array)) {
        fault = piece
        break
      }
      onBytes(piece.length)
      const blocks = scanner.push(piece)
      if (isRejected(blocks)) {
        fault = { _tag: "ReadFault", source: index, offset: blocks.offset, reason: blocks.reason }
        break
      }
      for (const block of blocks) {
        gathered.push(block)
        size += block.bytes.length
        if (size >= batchBytes) yield take()
      }
    }
    if (fault === undefined) {
      const cut = scanner.end()
      if (cut !== undefined) fault = { _tag: "ReadFault", source: index, offset: cut.offset, reason: cut.reason }
    }
    if (gathered.length > 0) yield take()
    if (fault !== undefined) {
      yield fault
      return
    }
  }
}
