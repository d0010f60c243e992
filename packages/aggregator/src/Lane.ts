/** A lane: a thread that opens reports, and later noises rows, for one coordinator. Never loads `effect`. */
import { type MessagePort, parentPort } from "node:worker_threads"
import type { CoordinatorForLane } from "./internal/Calls.ts"
import { laneWork } from "./internal/LaneWork.ts"
import { Peer } from "./internal/Peer.ts"

const coordinator: Peer<CoordinatorForLane> = new Peer<CoordinatorForLane>(
  parentPort as MessagePort,
  laneWork((questions) => coordinator.call("ask", questions))
)
