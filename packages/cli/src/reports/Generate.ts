/**
 * Reports made of a seed, to try and to test with: realistic keys, times and sizes, and the true sums beside them.
 *
 * Not for real people's data: the ephemeral secrets come from the seed too, so whoever knows it can open every report.
 */
import { ClientError, type ReportApi } from "@sotto/client"
import { type Rows, RowWriter } from "@sotto/avro"
import { AVRO_SCHEMAS } from "@sotto/core/aggregation"
import { createHash } from "node:crypto"
import { mkdirSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { CommandError } from "../Failure.ts"
import { type Batch, batchMaker, type Plan } from "./Batch.ts"
import type { KeySpace } from "./KeySpace.ts"
import { writeAvro, writeWhole } from "./ReportFile.ts"

export interface GenerateOptions {
  /** How many reports, 0 or more. */
  readonly count: number
  /** Same seed and options, same bytes. */
  readonly seed: string
  readonly keySpace: KeySpace
  /** The key to seal for, 32 raw bytes; without it the reports are in the clear, with `key_id` empty. */
  readonly publicKey?: { readonly id: string; readonly key: Uint8Array } | undefined
  readonly api?: ReportApi
  /** Reporting origin; default `https://reports.example.com`. */
  readonly origin?: string
  /** Attribution destination of the two attribution APIs; default `https://shop.example.com`. */
  readonly destination?: string
  readonly debugMode?: boolean
  /** Seconds since 1970. Every report is scheduled before it, within `spreadHours` (default 72). */
  readonly asOf: number
  readonly spreadHours?: number
  /** Default: as many as there are cores. Changes no byte. */
  readonly threads?: number
  readonly onProgress?: (done: number, total: number) => void
}

/** The sum of every key of the domain over all reports, those that nobody hit included. */
export type Truth = ReadonlyMap<bigint, bigint>

const BATCH = 500

/**
 * Makes the reports in order and hands them to `write`, a block of a reports file at a time; the next follows when `write`
 * is done.
 *
 * Throws `CommandError` for a public key or option that cannot be used; what `write` throws passes through. No thread is
 * left in either case.
 */
const generate = async (options: GenerateOptions, write: (rows: Rows) => Promise<void> | void): Promise<Truth> => {
  const { count } = options
  if (!(Number.isInteger(count) && count >= 0 && count <= MAX_REPORTS))
    throw new CommandError(`${count} reports: choose a whole number up to ${MAX_REPORTS}.`)
  const plan = planOf(options)
  const make = batchMaker(plan)
  if (make === undefined)
    throw new CommandError(
      `The public key ${JSON.stringify(options.publicKey?.id)} is no usable X25519 key: make one with \`sotto keys generate\`.`
    )
  const sums = plan.keySpace.domain.map(() => 0n)
  let done = 0
  // A set of one batch is made before a thread would have started.
  for await (const { hits, rows } of count <= BATCH ? [make(0, count)] : batches(plan, options)) {
    for (let i = 0; i < hits.length; i += 2)
      sums[hits[i] as number] = (sums[hits[i] as number] as bigint) + BigInt(hits[i + 1] as number)
    await write(rows)
    done += rows.rows
    options.onProgress?.(done, count)
  }
  return new Map(plan.keySpace.domain.map((bucket, i) => [bucket, sums[i] as bigint]))
}

/**
 * Writes `reports.avro`, `domain.avro` (all keys, those that nobody hit included) and `truth.json` into `folder`, which is
 * made when it does not exist. Files appear whole or not at all.
 */
export const generateFiles = async (options: GenerateOptions, folder: string): Promise<Truth> => {
  mkdirSync(folder, { recursive: true })
  const name = createHash("sha256").update(`${options.seed}\0${options.count}`).digest("hex")
  const truth = await writeAvro(join(folder, "reports.avro"), AVRO_SCHEMAS.reports, name, (write) =>
    generate(options, write)
  )
  await writeAvro(join(folder, "domain.avro"), AVRO_SCHEMAS.domain, name, (write) => {
    const rows = new RowWriter()
    for (const bucket of truth.keys()) {
      rows.domainKey(Buffer.from(bucket.toString(16).padStart(32, "0"), "hex"))
      if (rows.bytes >= DOMAIN_BLOCK) write(rows.take())
    }
    write(rows.take())
  })
  await writeWhole(join(folder, "truth.json"), (write) => write(Buffer.from(`${printTruth(truth)}\n`)))
  return truth
}

const DOMAIN_BLOCK = 65_536

// The block counter of the seed's key stream has 32 bits, and a report takes two blocks.
const MAX_REPORTS = 2 ** 31 - 1

/** Throws for options that no report could carry, so that it is not found out in a thread. */
const planOf = (options: GenerateOptions): Plan => {
  const plan = uncheckedPlan(options)
  try {
    batchMaker({ ...plan, recipient: undefined })?.(0, 1)
  } catch (error) {
    if (error instanceof ClientError) throw new CommandError(error.message)
    throw error
  }
  return plan
}

const uncheckedPlan = (options: GenerateOptions): Plan => ({
  key: createHash("sha256").update(`sotto/reports/1\0${options.seed}`).digest(),
  keySpace: options.keySpace,
  recipient: options.publicKey,
  api: options.api ?? "shared-storage",
  origin: options.origin ?? "https://reports.example.com",
  destination: options.destination ?? "https://shop.example.com",
  debugMode: options.debugMode ?? false,
  asOf: options.asOf,
  spreadSeconds: (options.spreadHours ?? 72) * 3600
})

/** All batches in order. Every thread has at most two in hand, so memory does not grow with `count`. */
async function* batches(plan: Plan, { count, ...options }: GenerateOptions): AsyncGenerator<Batch> {
  const threads = Math.max(1, Math.min(options.threads ?? availableParallelism(), Math.ceil(count / BATCH)))
  const entry = new URL(import.meta.url.endsWith(".ts") ? "./BatchWorker.ts" : "./BatchWorker.js", import.meta.url)
  const lanes = Array.from({ length: threads }, () => lane(new Worker(entry, { workerData: plan })))
  try {
    const pending: Array<Promise<Batch>> = []
    const total = Math.ceil(count / BATCH)
    const ask = (batch: number): void => {
      const made = (lanes[batch % threads] as Lane).ask(batch * BATCH, Math.min(count, (batch + 1) * BATCH))
      // It is awaited in its turn; until then a failure is not unhandled.
      made.catch(() => {})
      pending.push(made)
    }
    for (let batch = 0; batch < Math.min(total, 2 * threads); batch++) ask(batch)
    for (let batch = 0; batch < total; batch++) {
      yield await (pending.shift() as Promise<Batch>)
      if (batch + 2 * threads < total) ask(batch + 2 * threads)
    }
  } finally {
    await Promise.all(lanes.map(({ end }) => end()))
  }
}

interface Lane {
  readonly ask: (from: number, to: number) => Promise<Batch>
  readonly end: () => Promise<unknown>
}

const lane = (worker: Worker): Lane => {
  const waiting: Array<PromiseWithResolvers<Batch>> = []
  let failure: Error | undefined
  worker.on("message", (batch: Batch) => waiting.shift()?.resolve(batch))
  worker.on("error", (error) => {
    failure = error
    for (const { reject } of waiting.splice(0)) reject(error)
  })
  return {
    ask: (from, to) => {
      const answer = Promise.withResolvers<Batch>()
      if (failure !== undefined) answer.reject(failure)
      else {
        waiting.push(answer)
        worker.postMessage([from, to])
      }
      return answer.promise
    },
    end: () => worker.terminate()
  }
}

/** `truth.json`: 32 hex digits of the bucket → the sum as a decimal string, because a sum may exceed 2⁵³. */
const printTruth = (truth: Truth): string =>
  JSON.stringify(
    Object.fromEntries(Array.from(truth, ([bucket, sum]) => [bucket.toString(16).padStart(32, "0"), String(sum)])),
    null,
    2
  )
