/** Reads the objects of a task from front to back: directly when they have a path on this machine, else through the engine's thread. */
import { type FileHandle, open } from "node:fs/promises"
import type { EngineCalls, ReadFault, Source } from "./Calls.ts"
import type { Peer } from "./Peer.ts"

/** Large enough that the latency of a remote store is no matter, small enough to stop soon. */
const PIECE = 4 * 1024 * 1024

/** The bytes of source number `index`, the next piece being read while one is used; after a fault nothing follows. */
export async function* readObject(
  engine: Peer<EngineCalls>,
  index: number,
  source: Source
): AsyncGenerator<Uint8Array<ArrayBuffer> | ReadFault> {
  if (source.size === 0) return
  const fault = (reason: string): ReadFault => ({ _tag: "ReadFault", source: index, offset: undefined, reason })
  const path = await engine.call("locate", index)
  if (path === undefined) {
    yield* ahead(source.size, (offset, length) => engine.call("read", { source: index, offset, length }))
    return
  }
  let handle: FileHandle
  try {
    handle = await open(path, "r")
  } catch (error) {
    yield fault(String((error as Error).message))
    return
  }
  try {
    // The open file cannot be swapped any more, so what is checked now is what is read; in-place changes show at the end.
    const changed = await engine.call("verify", index)
    if (changed !== undefined) {
      yield fault(changed)
      return
    }
    yield* ahead(source.size, async (offset, length) => {
      try {
        const { bytesRead, buffer } = await handle.read(new Uint8Array(length), 0, length, offset)
        return bytesRead === length ? buffer : fault(`it ends at byte ${offset + bytesRead}, not ${source.size}`)
      } catch (error) {
        return fault(String((error as Error).message))
      }
    })
    const changedMeanwhile = await engine.call("verify", index)
    if (changedMeanwhile !== undefined) yield fault(changedMeanwhile)
  } finally {
    await handle.close()
  }
}

async function* ahead(
  size: number,
  read: (offset: number, length: number) => Promise<Uint8Array<ArrayBuffer> | ReadFault>
): AsyncGenerator<Uint8Array<ArrayBuffer> | ReadFault> {
  const start = (offset: number) => {
    const piece = read(offset, Math.min(PIECE, size - offset))
    // Awaited in the next turn; until then a rejection must not count as unhandled.
    piece.catch(() => {})
    return piece
  }
  let next = start(0)
  for (let offset = PIECE; ; offset += PIECE) {
    const piece = await next
    if (offset < size && piece instanceof Uint8Array) next = start(offset)
    yield piece
    if (offset >= size || !(piece instanceof Uint8Array)) return
  }
}
