/** What a lane does, wherever it runs: on a thread of its own, or for small work on the coordinator's. */
import type { CoordinatorForLane, LaneCalls } from "./Calls.ts"
import { Moved, type Served } from "./Peer.ts"
import { encodeRows } from "./ReleaseRows.ts"
import { batchReader, buffersOf } from "./ReportBatch.ts"

type Ask = (questions: Parameters<CoordinatorForLane["ask"]>[0]) => Promise<ReturnType<CoordinatorForLane["ask"]>>

export const laneWork = (ask: Ask): Served<LaneCalls> => {
  let read: ReturnType<typeof batchReader> | undefined
  return {
    begin: (rules) => {
      read = batchReader(rules, ask)
    },
    batch: async (batch) => {
      if (read === undefined) throw new Error("a batch came before its rules")
      const result = await read(batch)
      return new Moved(result, buffersOf(result))
    },
    rows: (task) => {
      const rows = encodeRows(task)
      return new Moved(rows, [rows.buffer])
    }
  }
}
