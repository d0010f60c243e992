export { type AggregatorOptions, layerAggregator } from "./Aggregator.ts"
