/**
 * `npm run bench`: how fast an aggregation is, beside the same work on the obvious stack, as ratios of one run.
 *
 * The two take turns on the same files, and medians are compared, because a machine's speed drifts. Reports per second
 * are for the pass over the reports (open, check, sum), keys per second for the domain (join, noise, write). Each
 * measurement is a process of its own, so that memory is its own too.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    reports: { type: "string", default: "100000" },
    sample: { type: "string", default: "5000" },
    keys: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "5" },
    help: { type: "boolean", default: false }
  }
})

if (values.help) {
  console.log(`npm run bench -- [--reports N] [--sample N] [--keys N] [--rounds N]

  --reports  encrypted reports that Sotto opens in each round (100000)
  --sample   how many of them the obvious stack opens, being slower (5000)
  --keys     keys of the output domain (1000000)
  --rounds   rounds of which the medians are taken (5)`)
  process.exit(0)
}

export interface Measured {
  readonly what: string
  readonly count: number
  readonly seconds: number
  readonly peakMegabytes: number
}

const folder = mkdtempSync(join(tmpdir(), "sotto-bench-"))
const bin = resolve("packages/sotto/bin/sotto.js")

const must = (args: ReadonlyArray<string>): string => {
  const run = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 28 })
  if (run.status !== 0) throw new Error(`${args.join(" ")}\n${run.stdout}${run.stderr}`)
  return run.stdout
}

const measure = (what: string, ...args: ReadonlyArray<string>): Measured =>
  JSON.parse(must(["--conditions=@sotto/source", resolve("bench/measure.ts"), what, ...args])) as Measured

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number

const main = (): void => {
  mkdirSync(join(folder, "data"))
  const at = (name: string) => join(folder, name)
  must([bin, "keys", "generate", "--out", at("keys.json")])
  console.log(`Making ${values.reports} reports and ${values.keys} keys in ${folder} …`)
  must([bin, "reports", "generate", "--count", values.reports, "--keys", at("keys.json"), "--out", at("data")])
  must(["--conditions=@sotto/source", resolve("bench/measure.ts"), "make-domain", at("domain.avro"), values.keys])
  const runs = new Map<string, Array<Measured>>()
  const rounds = Number(values.rounds)
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`round ${round} of ${rounds}\r`)
    for (const [what, ...args] of [
      ["reports-all-lanes", at("data/reports.avro"), at("keys.json"), values.reports],
      ["reports-one-lane", at("data/reports.avro"), at("keys.json"), values.reports],
      ["reports-obvious", at("data/reports.avro"), at("keys.json"), values.sample],
      ["keys", at("domain.avro"), folder],
      ["keys-obvious", at("domain.avro"), folder]
    ] as const) {
      const measured = measure(what, ...args)
      runs.set(what, [...(runs.get(what) ?? []), measured])
    }
  }
  const rate = (what: string) => median((runs.get(what) ?? []).map(({ count, seconds }) => count / seconds))
  const memory = (what: string) => median((runs.get(what) ?? []).map(({ peakMegabytes }) => peakMegabytes))
  const ratio = (a: string, b: string) =>
    median(
      (runs.get(a) ?? []).map(
        (run, i) => run.count / run.seconds / ((runs.get(b)?.[i]?.count ?? 0) / (runs.get(b)?.[i]?.seconds ?? 1))
      )
    )
  const row = (name: string, what: string, unit: string, against?: string) =>
    console.log(
      `${name.padEnd(34)} ${Math.round(rate(what)).toLocaleString("en-US").padStart(10)} ${unit.padEnd(10)} ${Math.round(memory(what)).toString().padStart(6)} MB peak${against === undefined ? "" : `   ${ratio(what, against).toFixed(1)} × the obvious stack`}`
    )
  console.log(`\nMedians of ${rounds} rounds; ratios are medians of the ratios round by round.\n`)
  row("reports, all lanes", "reports-all-lanes", "reports/s", "reports-obvious")
  row("reports, one lane", "reports-one-lane", "reports/s", "reports-obvious")
  row("reports, obvious stack", "reports-obvious", "reports/s")
  row("output domain", "keys", "keys/s", "keys-obvious")
  row("output domain, obvious stack", "keys-obvious", "keys/s")
}

try {
  if (!existsSync(bin) || readFileSync(bin).length === 0) throw new Error("run it at the top of the repository")
  main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
