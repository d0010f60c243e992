/** A lane: a thread that opens reports, and later noises rows, for one coordinator. Never loads `effect`. */
import { type MessagePort, parentPort } from "node:worker_threads"
import type { CoordinatorForLane, LaneCalls } from "./internal/Calls.ts"
import { Moved, Peer, type Served } from "./internal/Peer.ts"
import { batchReader, buffersOf } from "./internal/ReportBatch.ts"
import { encodeRows } from "./internal/ReleaseRows.ts"

const port = parentPort as MessagePort
let read: ReturnType<typeof batchReader> | undefined

const calls: Served<LaneCalls> = {
  begin: (rules) => {
    read = batchReader(rules, (questions) => coordinator.call("ask", questions))
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

const coordinator = new Peer<CoordinatorForLane>(port, calls)
