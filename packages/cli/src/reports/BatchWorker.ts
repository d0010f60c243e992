/** The thread behind `Generate.ts`: answers every `[from, to]` with that batch, in order. */
import { parentPort, workerData } from "node:worker_threads"
import { batchMaker, type Plan } from "./Batch.ts"

const make = batchMaker(workerData as Plan)

parentPort?.on("message", ([from, to]: [number, number]) => {
  const batch = make?.(from, to)
  parentPort?.postMessage(batch, batch === undefined ? [] : [batch.rows.data.buffer as ArrayBuffer, batch.hits.buffer])
})
