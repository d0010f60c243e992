import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { Unsupported } from "./Unsupported.ts"

/**
 * Where an object is: a bucket is a name that configuration maps to a place, a key is any non-empty text.
 *
 * Keys are opaque: `a/b`, `a%2Fb` and `a\b` are three keys, and no part of a key means "the folder above". A store that
 * cannot hold some key answers `BlobDenied`.
 */
export interface BlobRef {
  readonly bucket: string
  readonly key: string
}

/** Orders keys by their UTF-8 bytes, which is the order of code points and not that of `<`. */
export const compareKeys = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    // Surrogates stand for code points above all others, though their units lie below U+E000 … U+FFFF.
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

const rank = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)

/** `etag` changes whenever the content does; it is compared, never interpreted. `size` in bytes. */
export interface BlobInfo extends BlobRef {
  readonly size: number
  readonly etag: string
}

const fields = { bucket: Schema.String, key: Schema.String, message: Schema.String }

/** No such object, or no such bucket (`key` is then empty). */
export class BlobNotFound extends Schema.TaggedError<BlobNotFound>()("BlobNotFound", fields) {}

/** A create-only write met an object that is already there; it was left as it is. */
export class BlobExists extends Schema.TaggedError<BlobExists>()("BlobExists", fields) {}

/** The object is no longer the one that `ifMatch` names; nothing read so far may be trusted as one whole. */
export class BlobChanged extends Schema.TaggedError<BlobChanged>()("BlobChanged", fields) {}

/** The store refuses: rights, a read-only place, a key that it cannot hold or that leads out of its root. Trying again is useless. */
export class BlobDenied extends Schema.TaggedError<BlobDenied>()("BlobDenied", fields) {}

/** The store cannot, now: disk full, not reachable, input/output error. Trying again may help; `message` says what to do. */
export class BlobUnavailable extends Schema.TaggedError<BlobUnavailable>()("BlobUnavailable", fields) {}

export type BlobError = BlobNotFound | BlobExists | BlobChanged | BlobDenied | BlobUnavailable

/** What a store offers beyond the port's promise; a missing one answers `Unsupported`. */
export interface BlobStoreCapabilities {
  readonly signedLinks: boolean
  readonly localPaths: boolean
}

/** Bytes `offset` (default 0) to `offset + length` (default: the end), both whole numbers ≥ 0; what lies past the end is absent. */
export interface ReadOptions {
  readonly offset?: number
  readonly length?: number
  /** Reads only the object with this etag and fails with `BlobChanged` otherwise, in the middle of a read too. */
  readonly ifMatch?: string
}

export interface WriteOptions {
  readonly mode: "create" | "replace"
}

/** Objects in buckets: what an aggregation reads and writes. */
export class BlobStore extends Context.Service<
  BlobStore,
  {
    readonly capabilities: BlobStoreCapabilities

    /**
     * Every object whose key starts with `prefix` (plain text, no delimiter), sorted by the UTF-8 bytes of the key.
     * Unfinished writes are never listed. A prefix that matches nothing gives an empty stream.
     */
    list(bucket: string, prefix: string): Stream.Stream<BlobInfo, BlobNotFound | BlobDenied | BlobUnavailable>

    stat(ref: BlobRef): Effect.Effect<BlobInfo, BlobNotFound | BlobDenied | BlobUnavailable>

    /** The bytes of a range in order, in chunks of the store's choice. */
    read(
      ref: BlobRef,
      options?: ReadOptions
    ): Stream.Stream<Uint8Array, BlobNotFound | BlobChanged | BlobDenied | BlobUnavailable>

    /**
     * Writes all or nothing: until it succeeds every reader sees what was there before, and a failure, an interruption or
     * a crash leaves just that. Of concurrent `create`s of one key exactly one succeeds, the others get `BlobExists`.
     */
    write<E = never, R = never>(
      ref: BlobRef,
      source: Uint8Array | Stream.Stream<Uint8Array, E, R>,
      options: WriteOptions
    ): Effect.Effect<BlobInfo, E | BlobNotFound | BlobExists | BlobDenied | BlobUnavailable, R>

    /** Succeeds when the object is gone afterwards, also if it never was. */
    delete(ref: BlobRef): Effect.Effect<void, BlobNotFound | BlobDenied | BlobUnavailable>

    /** Tries whether an object could be written here and leaves nothing behind; asked before a budget is spent. */
    probe(ref: BlobRef): Effect.Effect<void, BlobNotFound | BlobDenied | BlobUnavailable>

    /** A link that lets its bearer read this object for `seconds`. Needs `signedLinks`. */
    signedLink(
      ref: BlobRef,
      seconds: number
    ): Effect.Effect<string, Unsupported | BlobNotFound | BlobDenied | BlobUnavailable>

    /** The path of an existing object in the file system of this machine, for readers in other threads. Needs `localPaths`. */
    localPath(ref: BlobRef): Effect.Effect<string, Unsupported | BlobNotFound | BlobDenied | BlobUnavailable>
  }
>()("@sotto/core/ports/BlobStore") {}
