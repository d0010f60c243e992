export { type Choices, type Fault, FAULTS, plans } from "./Choices.ts"
export {
  explain,
  simulate,
  simulateAsync,
  type SimulatedStores,
  type SimulationOptions,
  type SimulationResult,
  simulatePlan
} from "./Simulation.ts"
export type { PortName, SimulatedPorts } from "./Steps.ts"
export { type Counter, COUNTERS, type Invariant, type Violation } from "./Watch.ts"
export { formHandler, OUTPUT_BUCKET, paidKind, payFor, publish } from "./Workload.ts"
