/** Starts and ends coordinators for the engine's thread. */
import { Worker } from "node:worker_threads"
import type { CoordinatorCalls, CoordinatorOptions, EngineCalls } from "./Calls.ts"
import { Peer, type Served } from "./Peer.ts"

/** A module of this package next to this one's parent, in the form in which this one runs: source or build. */
export const threadModule = (name: "Coordinator" | "Lane"): URL =>
  new URL(`../${name}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)

export interface CoordinatorThread {
  readonly peer: Peer<CoordinatorCalls>
  /** Ends the thread and its lanes at once, whatever they are doing. May be called again. */
  end(): Promise<void>
}

export const startCoordinator = (options: CoordinatorOptions, calls: Served<EngineCalls>): CoordinatorThread => {
  const worker = new Worker(threadModule("Coordinator"), { workerData: options })
  const peer = new Peer<CoordinatorCalls>(worker, calls)
  worker.on("error", (error) => peer.close(new Error(`the coordinator failed: ${String(error)}`)))
  worker.on("exit", (code) => peer.close(new Error(`the coordinator ended with code ${code}`)))
  return { peer, end: async () => void (await worker.terminate()) }
}
