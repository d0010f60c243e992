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

const USAGE = `npm run soak                  100 000 seeds from 0
npm run soak -- 5000          so many seeds
npm run soak -- --from 5000   from this one on
SOTTO_SEED=17 npm run soak    replays one and prints its trace`

/** A seed or a number of seeds; a mistake here must not look like a run in which nothing was wrong. */
const whole = (text: string, least: number): number => {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= least && number < 2 ** 32) return number
  throw new Error(`"${text}" is no whole number from ${least} to 2^32 - 1.`)
}

/** What was asked for, or a sentence about what cannot be read and how it is written. */
const asked = (): (() => boolean) => {
  try {
    const { values, positionals } = parseArgs({
      options: { from: { type: "string", default: "0" }, help: { type: "boolean", short: "h" } },
      allowPositionals: true
    })
    if (values.help === true) return () => says(USAGE, true)
    const seed = process.env["SOTTO_SEED"]
    if (seed !== undefined) return replay.bind(undefined, whole(seed, 0))
    return soak.bind(undefined, whole(values.from, 0), whole(positionals[0] ?? "100000", 1))
  } catch (error) {
    return () => says(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`, false)
  }
}

const says = (text: string, good: boolean): boolean => {
  print(text)
  return good
}

process.exitCode = asked()() ? 0 : 1
