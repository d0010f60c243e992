import type { Aggregator } from "@sotto/core/ports/Aggregator"
import type { BlobStore } from "@sotto/core/ports/BlobStore"
import type { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import type { Entropy } from "@sotto/core/ports/Entropy"
import type { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import type { Records } from "@sotto/core/ports/Records"
import type * as Context from "effect/Context"
import type { Engine } from "./Engine.ts"
import type { Journal } from "./Journal.ts"

/** What interfaces such as HTTP are put over: the engine with its kinds, and the ports that they need beside it. */
export type EngineServices = Engine | Journal | BlobStore | Records | Entropy | BudgetLedger | LedgerKeys | Aggregator

/** The property under which an engine for hosts that write Promises carries its services. */
export const SERVICES: unique symbol = Symbol.for("@sotto/engine/services")

/** An engine whose services an interface may use, for as long as it is open. */
export interface HasServices {
  readonly [SERVICES]: Context.Context<EngineServices>
}
