/**
 * The data plane on worker threads: what runs on the engine's own thread, which is only to pass things on.
 *
 * Each `Sums` has a coordinator of its own, and each coordinator its lanes: a crash, a leak or an endless computation stays
 * within one job, and ending the threads ends the work, whatever it is doing.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { debugName, errorBit, HEADER, parseShardName, recordsPerShard, shardName } from "@sotto/core/aggregation"
import { printEpsilon } from "@sotto/core/budget"
import { MECHANISM } from "@sotto/core/noise"
import {
  Aggregator,
  AggregatorCrashed,
  DomainUnreadable,
  type Files,
  InputUnreadable,
  type Noising,
  type OnProgress,
  type Output,
  type OutputDomain,
  OutputUnwritable,
  type Prepared,
  type Progress,
  ReportVersionUnsupported,
  type SumError,
  type SumRules,
  type Sums,
  TooManyErrors,
  type UnitUse,
  type WrittenFile
} from "@sotto/core/ports/Aggregator"
import {
  type BlobDenied,
  type BlobInfo,
  type BlobNotFound,
  type BlobRef,
  BlobStore,
  type BlobUnavailable
} from "@sotto/core/ports/BlobStore"
import { KeyDenied, KeyRing, KeyUnavailable } from "@sotto/core/ports/KeyRing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type {
  CoordinatorOptions,
  EngineCalls,
  PlannedFile,
  ReadFault,
  ReleaseTask,
  SortedKeys,
  Source,
  SumOutcome
} from "./internal/Calls.ts"
import { Moved, type Served } from "./internal/Peer.ts"
import type { KeyAnswer } from "./internal/ReportBatch.ts"
import { type CoordinatorThread, startCoordinator, threadModule } from "./internal/Threads.ts"

export interface AggregatorOptions {
  /** Threads that open and noise, at most. Default: the cores that this process may use. */
  readonly lanes?: number
  /** Stored bytes that a lane gets at a time; default 1 MiB, which is measured to be best. Changes no result. */
  readonly batchBytes?: number
  /** Domain keys held in memory; more are sorted in a temporary file. Default 4 194 304, which take 64 MiB. Changes no result. */
  readonly partitionKeys?: number
  /** Folder for temporary files. Default: the system's. */
  readonly temporaryFolder?: string
  /** The module that lanes run; for tests of what happens when one fails. */
  readonly laneModule?: URL
}

const DEFAULT_UNIT_LIMIT = 30_000
/** Units that one message brings to the engine's thread: some milliseconds. */
const UNITS_PER_CALL = 1000
/** Keys asked for at the same time. */
const KEY_CONCURRENCY = 16

/** What this service knows about its handles, by identity. */
interface HeldSums {
  readonly thread: CoordinatorThread
  readonly releasing: Semaphore.Semaphore
  watch: OnProgress | undefined
}

const noProgress: OnProgress = () => {}

/** A coordinator with what is known here of its faults and not told to it. */
interface Reader extends CoordinatorThread {
  /** Whether what it could not read may be read at another time, as the errors of the port say it. */
  mayPass(fault: ReadFault): { readonly mayPass?: true }
}

/** Provides `Aggregator` by worker threads of this process. */
export const layerAggregator = (options: AggregatorOptions = {}): Layer.Layer<Aggregator, never, BlobStore | KeyRing> =>
  Layer.effect(
    Aggregator,
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      const keyRing = yield* KeyRing
      const context = yield* Effect.context<never>()
      const heldSums = new WeakMap<Sums, HeldSums>()
      const heldKeys = new WeakMap<Prepared, SortedKeys>()
      const threads: CoordinatorOptions = {
        lanes: Math.max(1, options.lanes ?? availableParallelism()),
        batchBytes: options.batchBytes ?? 1024 * 1024,
        partitionKeys: options.partitionKeys ?? 4_194_304,
        laneModule: (options.laneModule ?? threadModule("Lane")).href
      }

      /** A coordinator whose questions about `objects` are answered until the scope closes. */
      const coordinator = Effect.fnUntraced(function* (
        objects: ReadonlyArray<BlobInfo>,
        siteOf: SumRules["siteOf"],
        onSteps: (rows: number, bytes: number) => void
      ) {
        const stop = new AbortController()
        // Objects that the store did not answer for, rather than refuse them.
        const unanswered = new Set<number>()
        const note = (source: number) => (error: { readonly _tag: string }) =>
          Effect.sync(() => void (error._tag === "BlobUnavailable" && unanswered.add(source)))
        const run = <A>(effect: Effect.Effect<A>): Promise<A> =>
          Effect.runPromiseWith(context)(effect, { signal: stop.signal })
        const refused = (source: number, reason: string): ReadFault => ({
          _tag: "ReadFault",
          source,
          offset: undefined,
          reason
        })
        const object = (source: number) => objects[source] as BlobInfo
        const calls: Served<EngineCalls> = {
          locate: (source) =>
            blobs.capabilities.localPaths
              ? run(blobs.localPath(object(source)).pipe(Effect.orElseSucceed(() => undefined)))
              : undefined,
          verify: (source) =>
            run(
              blobs.stat(object(source)).pipe(
                Effect.map(({ etag }) => (etag === object(source).etag ? undefined : "it changed since it was listed")),
                Effect.tapError(note(source)),
                Effect.catch((error) => Effect.succeed(error.message))
              )
            ),
          read: ({ source, offset, length }) =>
            run(
              readRange(blobs.read(object(source), { offset, length, ifMatch: object(source).etag }), length).pipe(
                Effect.map((read) =>
                  read.length === length
                    ? new Moved(read.bytes, [read.bytes.buffer])
                    : refused(source, `it ends at byte ${offset + read.length}, not ${object(source).size}`)
                ),
                Effect.tapError(note(source)),
                Effect.catch((error) => Effect.succeed(refused(source, error.message)))
              )
            ),
          keys: (keyIds) =>
            run(Effect.forEach(keyIds, (id) => keyAnswer(keyRing, id), { concurrency: KEY_CONCURRENCY })),
          sites: (origins) => origins.map(siteOf),
          progress: ({ rows, bytes }) => onSteps(rows, bytes)
        }
        return yield* Effect.acquireRelease(
          Effect.sync((): Reader => {
            const { peer, end } = startCoordinator(threads, calls)
            return {
              peer,
              mayPass: ({ source, offset }) =>
                offset === undefined && unanswered.has(source) ? { mayPass: true } : {},
              end: () => {
                stop.abort()
                return end()
              }
            }
          }),
          (thread) => Effect.promise(() => thread.end())
        )
      })

      const sum = Effect.fnUntraced(function* (inputs: ReadonlyArray<BlobInfo>, rules: SumRules, asOf: number) {
        const sources = inputs.map(sourceOf)
        const totalBytes = sources.reduce((bytes, source) => bytes + source.size, 0)
        const onProgress = rules.onProgress ?? noProgress
        const held: { watch: OnProgress | undefined } = { watch: undefined }
        const thread = yield* coordinator(inputs, rules.siteOf, (rows, bytes) =>
          held.watch === undefined
            ? onProgress({ stage: "reports", rows, bytes, totalBytes })
            : held.watch({ stage: "release", rows, bytes: 0, totalBytes: 0 })
        )
        const summed = yield* Effect.gen(function* () {
          const outcome = yield* asked(() =>
            thread.peer.call("sum", {
              sources,
              rules: {
                input: rules.input,
                checks: rules.checks,
                reporter: rules.reporter,
                filteringIds: rules.filteringIds.ids,
                debugRun: rules.debugRun,
                asOf,
                fingerprintKey: rules.fingerprintKey?.reveal()
              },
              perReport: rules.perReport,
              errorLimit: rules.errorLimit,
              unitLimit: rules.unitLimit ?? DEFAULT_UNIT_LIMIT
            })
          )
          if (outcome._tag !== "Summed") return yield* sumError(outcome, inputs, thread)
          const units: Array<UnitUse> = []
          while (units.length < outcome.units) {
            const range = { from: units.length, count: UNITS_PER_CALL }
            units.push(...(yield* asked(() => thread.peer.call("units", range))))
          }
          const { errors, sum, duplicates, unitCount, buckets } = outcome
          return { errors, sum, duplicates, units, unitCount, buckets } satisfies Sums
        }).pipe(endUnlessSuccessful(thread))
        heldSums.set(summed, Object.assign(held, { thread, releasing: yield* Semaphore.make(1) }))
        return summed
      })

      const prepare = Effect.fnUntraced(function* (domain: OutputDomain | undefined, output: Output) {
        const keys = domain === undefined ? NO_KEYS : yield* readDomain(domain)
        const { bucket, names, debug } = output
        const places =
          names._tag === "Single"
            ? [names.key, ...(debug ? [names.debugKey] : [])]
            : [shardName(names.prefix, 1, 1)].flatMap((name) => (debug ? [name, debugName(name)] : [name]))
        for (const key of places) yield* blobs.probe({ bucket, key }).pipe(Effect.mapError(notHere({ bucket, key })))
        const prepared: Prepared = { output, domainKeys: keys.rows }
        heldKeys.set(prepared, keys)
        return prepared
      })

      const readDomain = Effect.fnUntraced(function* (domain: OutputDomain) {
        const { objects, location, format } = domain
        if (objects.length === 0) {
          const message = `No output domain shards found for location: ${location}`
          return yield* new DomainUnreadable({ reason: "missing", message })
        }
        const sources = objects.map(sourceOf)
        const totalBytes = sources.reduce((bytes, source) => bytes + source.size, 0)
        const onProgress = domain.onProgress ?? noProgress
        const folder = yield* temporaryFolder(options.temporaryFolder ?? tmpdir())
        const thread = yield* coordinator(
          objects,
          () => undefined,
          (rows, bytes) => onProgress({ stage: "domain", rows, bytes, totalBytes })
        )
        const outcome = yield* asked(() => thread.peer.call("domain", { sources, format, folder })).pipe(
          Effect.onExit(() => Effect.promise(() => thread.end()))
        )
        switch (outcome._tag) {
          case "ReadFault":
            return yield* new DomainUnreadable({
              reason: "unreadable",
              ...thread.mayPass(outcome),
              message: printFault(outcome, objects)
            })
          case "KeyTooLong":
            return yield* new DomainUnreadable({ reason: "keyTooLong", message: outcome.reason })
          case "SortedKeys": {
            if (outcome.rows > 0) return outcome
            const message = `No output domain provided in the location: ${location}`
            return yield* new DomainUnreadable({ reason: "empty", message })
          }
        }
      })

      const release = Effect.fnUntraced(function* (sums: Sums, prepared: Prepared, noising: Noising) {
        const held = heldSums.get(sums)
        const domain = heldKeys.get(prepared)
        if (held === undefined || domain === undefined)
          return yield* Effect.die(new Error("not a handle of this service"))
        if (prepared.output.debug && noising._tag === "Question") {
          return yield* Effect.die(new Error("debug rows would reveal the noise that somebody paid for"))
        }
        return yield* held.releasing.withPermits(1)(write(held, domain, prepared.output, noising))
      })

      const write = Effect.fnUntraced(function* (held: HeldSums, domain: SortedKeys, output: Output, noising: Noising) {
        const { peer } = held.thread
        const { names, bucket } = output
        const onProgress = output.onProgress ?? noProgress
        held.watch = onProgress
        const files = yield* asked(() => peer.call("plan", releaseTask(domain, output, noising)))
        const totals = { summary: 0, debug: 0 }
        for (const file of files) totals[file.kind]++
        if (names._tag === "Shards") {
          yield* removeShards(bucket, names.prefix, totals.summary)
          if (output.debug) yield* removeShards(bucket, debugName(names.prefix), totals.debug)
        }
        const written: { readonly [K in PlannedFile["kind"]]: Array<WrittenFile> } = { summary: [], debug: [] }
        for (const [number, file] of files.entries()) {
          const ref = { bucket, key: fileKey(output, file, totals[file.kind]) }
          yield* asked(() => peer.call("file", number))
          const bytes = Stream.unfold(undefined, () =>
            asked(() => peer.call("chunk", undefined)).pipe(
              Effect.map((chunk) => (chunk === undefined ? undefined : ([chunk, undefined] as const)))
            )
          )
          yield* blobs
            .write(ref, bytes, { mode: "replace" })
            .pipe(
              Effect.catchTag(["BlobNotFound", "BlobExists", "BlobDenied", "BlobUnavailable"], (error) =>
                Effect.fail(new OutputUnwritable({ ...ref, message: error.message }))
              )
            )
          written[file.kind].push({ ...ref, rows: file.rows })
        }
        onProgress(finished(written))
        return written satisfies Files
      })

      /** Removes shards that an earlier release with another number of shards left under this prefix. */
      const removeShards = (bucket: string, prefix: string, total: number): Effect.Effect<void, OutputUnwritable> => {
        const stem = prefix.endsWith(".avro") ? prefix.slice(0, -".avro".length) : prefix
        return blobs.list(bucket, `${stem}-`).pipe(
          Stream.filter(({ key }) => {
            const shard = parseShardName(prefix, key)
            return shard !== undefined && shard.total !== total
          }),
          Stream.runForEach((old) => blobs.delete(old)),
          unwritable({ bucket, key: prefix })
        )
      }

      return Aggregator.of({ sum, prepare, release })
    })
  )

const NO_KEYS: SortedKeys = { _tag: "SortedKeys", rows: 0, held: new SharedArrayBuffer(0) }

/** An answer of a coordinator; that there is none means that a thread failed. */
const asked = <A>(call: () => Promise<A>): Effect.Effect<A, AggregatorCrashed> =>
  Effect.tryPromise({
    try: call,
    catch: (error) =>
      new AggregatorCrashed({ message: `${(error as Error).message}. The same run may be started again.` })
  })

/** Failed or interrupted work must not go on until the scope of the caller closes. */
const endUnlessSuccessful =
  (thread: CoordinatorThread) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.onExit(work, (exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.promise(() => thread.end())))

const unwritable =
  ({ bucket, key }: BlobRef) =>
  <A, R>(effect: Effect.Effect<A, { readonly message: string }, R>): Effect.Effect<A, OutputUnwritable, R> =>
    Effect.mapError(effect, ({ message }) => new OutputUnwritable({ bucket, key, message }))

/** Before anything is paid for, a place that is refused is a mistake of the request, and is told at once. */
const notHere =
  ({ bucket, key }: BlobRef) =>
  (error: BlobNotFound | BlobDenied | BlobUnavailable): OutputUnwritable =>
    new OutputUnwritable({
      bucket,
      key,
      ...(error._tag === "BlobUnavailable" ? {} : { mayPass: false }),
      message: error.message
    })

const temporaryFolder = (parent: string): Effect.Effect<string, AggregatorCrashed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => mkdtemp(join(parent, "sotto-domain-")),
      catch: (error) =>
        new AggregatorCrashed({ message: `no temporary folder can be made in ${parent}: ${(error as Error).message}` })
    }),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  )

/** Gathers a range in a buffer of its own, because chunks may be views of what the store keeps. */
const readRange = <E>(
  chunks: Stream.Stream<Uint8Array, E>,
  length: number
): Effect.Effect<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly length: number }, E> =>
  Effect.suspend(() => {
    const bytes = new Uint8Array(length)
    let at = 0
    return Stream.runForEach(chunks, (chunk) =>
      Effect.sync(() => {
        bytes.set(chunk.subarray(0, length - at), at)
        at = Math.min(length, at + chunk.length)
      })
    ).pipe(Effect.map(() => ({ bytes, length: at })))
  })

const noKey = (mask: number): KeyAnswer => ({ _tag: "NoKey", mask })
const NOT_FOUND = noKey(errorBit("DECRYPTION_KEY_NOT_FOUND"))
const FETCH_ERROR = noKey(errorBit("DECRYPTION_KEY_FETCH_ERROR"))
const INTERNAL_ERROR = noKey(errorBit("INTERNAL_ERROR"))

const keyAnswer = (keyRing: KeyRing["Service"], keyId: string): Effect.Effect<KeyAnswer> => {
  const jobFails = ({ _tag, keyId, message }: KeyDenied | KeyUnavailable): Effect.Effect<KeyAnswer> =>
    Effect.succeed({ _tag: "JobFails", tag: _tag, keyId, message })
  return keyRing.privateKey(keyId).pipe(
    Effect.map((key): KeyAnswer => ({ _tag: "Key", privateKey: key.privateKey.reveal() })),
    Effect.catchTags({
      KeyNotFound: () => Effect.succeed(NOT_FOUND),
      KeyUnusable: () => Effect.succeed(FETCH_ERROR),
      KeyDenied: jobFails,
      KeyUnavailable: jobFails
    }),
    // "Other/unknown" of spec: aggregation §3.5.
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause) : Effect.succeed(INTERNAL_ERROR)
    )
  )
}

const sourceOf = ({ bucket, key, size }: BlobInfo): Source => ({ name: `${bucket}/${key}`, size })

const printFault = ({ source, offset, reason }: ReadFault, objects: ReadonlyArray<BlobInfo>): string => {
  const { bucket, key } = objects[source] as BlobInfo
  return `${bucket}/${key}: ${offset === undefined ? "" : `byte ${offset}: `}${reason}`
}

const sumError = (
  outcome: Exclude<SumOutcome, { _tag: "Summed" }>,
  inputs: ReadonlyArray<BlobInfo>,
  { mayPass }: Reader
): SumError => {
  switch (outcome._tag) {
    case "ReadFault": {
      const { bucket, key } = inputs[outcome.source] as BlobInfo
      const place = outcome.offset === undefined ? {} : { offset: outcome.offset }
      return new InputUnreadable({ bucket, key, ...place, ...mayPass(outcome), message: printFault(outcome, inputs) })
    }
    case "Version":
      return new ReportVersionUnsupported({
        version: outcome.version,
        message: `a report has version ${outcome.version}; this engine knows versions 0 and 1`
      })
    case "Key": {
      const { keyId, message } = outcome
      return outcome.tag === "KeyDenied" ? new KeyDenied({ keyId, message }) : new KeyUnavailable({ keyId, message })
    }
    case "TooManyErrors": {
      const { errors } = outcome
      const message = `${errors.withErrors} of the first ${errors.total} reports have errors, more than the job allows`
      return new TooManyErrors({ errors, message })
    }
  }
}

const fileKey = ({ names }: Output, { kind, index }: PlannedFile, total: number): string => {
  if (names._tag === "Single") return kind === "debug" ? names.debugKey : names.key
  const name = shardName(names.prefix, index, total)
  return kind === "debug" ? debugName(name) : name
}

const DEFAULT_SHARD_ROWS = recordsPerShard() as number

const releaseTask = (domain: SortedKeys, output: Output, noising: Noising): ReleaseTask => {
  const { names, reportKeys, debug, shardRows = DEFAULT_SHARD_ROWS } = output
  const noise = noising._tag === "None" ? undefined : noising
  const metadata: Array<readonly [string, string]> =
    noise === undefined
      ? [[HEADER.mechanism, "none"]]
      : [
          [HEADER.epsilon, printEpsilon(noise.epsilon)],
          [HEADER.l1, String(noise.l1)],
          [HEADER.mechanism, MECHANISM]
        ]
  if (noising._tag !== "Question") metadata.push([HEADER.ledger, "none"])
  const notPrivate = [HEADER.private, "false"] as const
  const isPrivate = noising._tag === "Question" || (noising._tag === "Fresh" && !noising.debugRun)
  return {
    domain,
    reportKeys,
    debug,
    shardRows,
    single: names._tag === "Single",
    format: names._tag === "Single" ? names.format : "avro",
    noise: noise === undefined ? undefined : { seed: noise.seed, epsilon: noise.epsilon, l1: noise.l1 },
    metadata: isPrivate ? metadata : [...metadata, notPrivate],
    debugMetadata: [...metadata, notPrivate]
  }
}

const finished = (files: Files): Progress => ({
  stage: "release",
  rows: [...files.summary, ...files.debug].reduce((sum, { rows }) => sum + rows, 0),
  bytes: 0,
  totalBytes: 0
})
