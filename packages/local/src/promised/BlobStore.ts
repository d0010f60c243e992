import {
  BlobChanged,
  BlobDenied,
  BlobExists,
  BlobNotFound,
  type BlobInfo,
  type BlobRef,
  BlobStore,
  BlobUnavailable,
  type ReadOptions,
  type WriteOptions
} from "@sotto/core/ports/BlobStore"
import { Unsupported } from "@sotto/core/ports/Unsupported"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { call, checkBytes, checker, demandAdapter, nothing, thrown, Whole } from "./Border.ts"

/**
 * A store of objects as a host writes it with Promises; the promises are those of the port `BlobStore`.
 *
 * It fails by throwing an error with one of the codes `NoBucket`, `NotFound`, `Exists`, `Changed` and `Denied`; every
 * other error says that trying again may help.
 */
export interface PromisedBlobStore {
  list(bucket: string, prefix: string): AsyncIterable<BlobInfo>
  stat(ref: BlobRef): Promise<BlobInfo>
  read(ref: BlobRef, options: ReadOptions): AsyncIterable<Uint8Array>
  /** `source` throws when the write is to be given up; what was there before must then stay. */
  write(
    ref: BlobRef,
    source: AsyncIterable<Uint8Array>,
    options: WriteOptions & { readonly signal: AbortSignal }
  ): Promise<BlobInfo>
  delete(ref: BlobRef): Promise<void>
  probe(ref: BlobRef): Promise<void>
}

const ERRORS = { NotFound: BlobNotFound, Exists: BlobExists, Changed: BlobChanged, Denied: BlobDenied } as const

type Code = keyof typeof ERRORS

/** The error of a method that may answer with `codes`. */
const refusal =
  <C extends Code>({ bucket, key }: BlobRef, codes: ReadonlyArray<C>) =>
  (cause: unknown): InstanceType<(typeof ERRORS)[C]> | BlobUnavailable => {
    const { code, message } = thrown(cause)
    if (code === "NoBucket") return new BlobNotFound({ bucket, key: "", message }) as InstanceType<(typeof ERRORS)[C]>
    const known = codes.find((one) => one === code)
    return known === undefined
      ? new BlobUnavailable({ bucket, key, message })
      : (new ERRORS[known]({ bucket, key, message }) as InstanceType<(typeof ERRORS)[C]>)
  }

const isInfo = checker(
  "BlobInfo",
  Schema.Struct({ bucket: Schema.String, key: Schema.NonEmptyString, size: Whole, etag: Schema.String })
)

/** What the store says of just the object that it was asked for. */
const infoOf = (ref: BlobRef) => (answer: unknown) => {
  const info = isInfo(answer)
  if (info.bucket === ref.bucket && info.key === ref.key) return info
  throw new Error(`The adapter answered for ${info.bucket}/${info.key} when it was asked for ${ref.bucket}/${ref.key}.`)
}

/** Chunks until the source ends, fails or `signal` aborts; the last two throw. */
async function* feed(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  aborted.catch(nothing)
  const abort = () => {
    reject(new Error("The write was given up.", { cause: signal.reason }))
    // Now, and not when the host asks for more: one that is busy with a chunk may never do so.
    void chunks.return?.()
  }
  signal.addEventListener("abort", abort, { once: true })
  try {
    for (;;) {
      if (signal.aborted) abort()
      const next = await Promise.race([aborted, chunks.next()])
      if (next.done === true) return
      yield next.value
    }
  } finally {
    signal.removeEventListener("abort", abort)
    void chunks.return?.()
  }
}

/** The port over a host's Promises: answers are checked, links and paths are not supported. */
export const layerPromisedBlobStore = (store: PromisedBlobStore): Layer.Layer<BlobStore> => {
  demandAdapter("BlobStore", store, ["list", "stat", "read", "write", "delete", "probe"])
  const missing = (capability: string) =>
    Effect.fail(new Unsupported({ capability, message: `This store of the host has no ${capability}.` }))
  const iterate = <A, C extends Code>(
    ref: BlobRef,
    codes: ReadonlyArray<C>,
    items: () => AsyncIterable<unknown>,
    check: (item: unknown) => A
  ) => {
    const refuse = refusal(ref, codes)
    return Stream.suspend(() => Stream.fromAsyncIterable(items(), refuse)).pipe(
      Stream.mapEffect((item) => Effect.try({ try: () => check(item), catch: refuse }))
    )
  }
  return Layer.succeed(
    BlobStore,
    BlobStore.of({
      capabilities: { signedLinks: false, localPaths: false },
      list: (bucket, prefix) =>
        iterate({ bucket, key: "" }, ["NotFound", "Denied"], () => store.list(bucket, prefix), isInfo),
      stat: (ref) => call(() => store.stat(ref), infoOf(ref), refusal(ref, ["NotFound", "Denied"])),
      read: (ref, options = {}) =>
        iterate(ref, ["NotFound", "Changed", "Denied"], () => store.read(ref, options), checkBytes("chunk of bytes")),
      write: <E, R>(ref: BlobRef, source: Uint8Array | Stream.Stream<Uint8Array, E, R>, { mode }: WriteOptions) =>
        Effect.gen(function* () {
          let broken: Cause.Cause<E> | undefined
          const stream: Stream.Stream<Uint8Array, E, R> = source instanceof Uint8Array ? Stream.succeed(source) : source
          const chunks = yield* Stream.toAsyncIterableEffect(
            Stream.tapCause(stream, (cause) => Effect.sync(() => void (broken = cause)))
          )
          const written = call(
            (signal) => store.write(ref, feed(chunks, signal), { mode, signal }),
            infoOf(ref),
            refusal(ref, ["NotFound", "Exists", "Denied"])
          )
          // The failure of the source is the caller's, whatever the store made of it.
          return yield* written.pipe(
            Effect.catch((error) =>
              Effect.suspend((): Effect.Effect<never, E | typeof error> =>
                broken === undefined ? Effect.fail(error) : Effect.failCause(broken)
              )
            )
          )
        }),
      delete: (ref) => call(() => store.delete(ref), nothing, refusal(ref, ["NotFound", "Denied"])),
      probe: (ref) => call(() => store.probe(ref), nothing, refusal(ref, ["NotFound", "Denied"])),
      signedLink: () => missing("signedLinks"),
      localPath: () => missing("localPaths")
    })
  )
}
