/**
 * `npm run soak`: simulates 100 000 seeds, or as many as it is told (`npm run soak -- 5000`), from 0 or `--from`.
 * `SOTTO_SEED=17 npm run soak` replays one and prints its trace.
 *
 * Ends with what was met and the first seed that broke an invariant; fails if one did or if something was never met.
 */
import { COUNTERS, explain, simulate } from "@sotto/testkit/simulation"
import { parseArgs } from "node:util"
import { memoryStores } from "../packages/testkit/test/simulation/Stores.ts"

const options = { stores: memoryStores }
const print = (line: string) => void process.stdout.write(`${line}\n`)

const replay = (seed: number): boolean => {
  const result = simulate(seed, options)
  for (const line of result.trace) print(line)
  print(explain(seed, result))
  print(`Trace ${result.hash}`)
  return result.violation === undefined
}

const soak = (from: number, seeds: number): boolean => {
  const start = performance.now()
  const counts = new Map<string, number>()
  let steps = 0
  for (let seed = from; seed < from + seeds; seed++) {
    const result = simulate(seed, options)
    steps += result.steps
    for (const counter of COUNTERS) counts.set(counter, (counts.get(counter) ?? 0) + result.counts[counter])
    if (result.violation !== undefined) {
      print(explain(seed, result))
      return false
    }
    const done = seed - from + 1
    if (done % 1_000 === 0) print(`${done} seeds, ${steps} steps, ${Math.round((performance.now() - start) / 1000)} s`)
  }
  for (const [counter, count] of counts) print(`${String(count).padStart(9)}  ${counter}`)
  const missing = COUNTERS.filter((counter) => counts.get(counter) === 0)
  print(
    missing.length === 0
      ? `All invariants held over ${seeds} seeds and ${steps} steps.`
      : `Never met: ${missing.join(", ")}. Take more seeds.`
  )
  return missing.length === 0
}

const { values, positionals } = parseArgs({ options: { from: { type: "string" } }, allowPositionals: true })
const asked = process.env["SOTTO_SEED"]
const good =
  asked === undefined ? soak(Number(values.from ?? 0), Number(positionals[0] ?? 100_000)) : replay(Number(asked))
process.exitCode = good ? 0 : 1
