import {
  BlobNotFound,
  BlobStore,
  compareKeys,
  type BlobChanged,
  type BlobExists,
  type BlobInfo,
  type BlobRef,
  type ReadOptions
} from "@sotto/core/ports/BlobStore"
import { Unsupported } from "@sotto/core/ports/Unsupported"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { BigIntStats } from "node:fs"
import * as fs from "node:fs/promises"
import { basename, dirname, join, resolve, sep } from "node:path"
import {
  GONE,
  absent,
  changed,
  codeOf,
  denied,
  named,
  nameOf,
  taken,
  troubleOf,
  type Trouble
} from "./internal/Trouble.ts"
import { isPartial, partialName, sweepPartials } from "./internal/Partial.ts"

const CHUNK_BYTES = 262_144

/**
 * Folders as buckets: `{ buckets: { reports: "/data/reports" } }`. A folder that is not there yet holds nothing and is
 * made by the first write.
 *
 * The key `a/b.avro` is the file `b.avro` in the folder `a`. Keys that no file can have (`..`, an empty part, NUL) are
 * denied, and so is what a symbolic link finds outside the bucket's folder. Every plain file is an object, whoever made
 * it. An unfinished write lives under a hidden name beside its object; what a killed process left is removed when a
 * later one first writes into the same folder.
 */
export const layerFsBlobStore = (options: {
  readonly buckets: { readonly [bucket: string]: string }
}): Layer.Layer<BlobStore> =>
  Layer.sync(BlobStore, () =>
    makeFsBlobStore(new Map(Object.entries(options.buckets).map(([bucket, folder]) => [bucket, resolve(folder)])))
  )

const makeFsBlobStore = (roots: ReadonlyMap<string, string>): BlobStore["Service"] => {
  const swept = new Set<string>()

  const rootOf = (bucket: string): string => {
    const root = roots.get(bucket)
    if (root !== undefined) return root
    throw new BlobNotFound({ bucket, key: "", message: `there is no bucket ${bucket}: name a folder for it` })
  }

  const pathOf = ({ bucket, key }: BlobRef): string => {
    const root = rootOf(bucket)
    const problem = keyProblem(key)
    if (problem !== undefined) throw denied({ bucket, key }, problem)
    return join(root, ...key.split("/"))
  }

  /** The true path of what exists at `path`, which must lie in the bucket. */
  const insideOf = async (ref: BlobRef, path: string): Promise<string> => {
    const [root, real] = await Promise.all([fs.realpath(rootOf(ref.bucket)), fs.realpath(path)])
    if (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep)) return real
    throw denied(
      ref,
      `${nameOf(ref)} leads out of the bucket by a symbolic link; make a bucket of where it leads instead`
    )
  }

  const infoOf = async (ref: BlobRef, path: string): Promise<BlobInfo> => {
    const stat = await fs.stat(path, { bigint: true })
    if (!stat.isFile()) throw absent(ref, `${nameOf(ref)} is not a file`)
    return { ...named(ref), size: Number(stat.size), etag: etagOf(stat) }
  }

  async function* entries(bucket: string, prefix: string): AsyncGenerator<BlobInfo> {
    const root = rootOf(bucket)
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1)
    if (folder !== "" && keyProblem(folder.slice(0, -1)) !== undefined) return
    yield* walk(bucket, join(root, ...folder.split("/")), folder, prefix, [])
  }

  async function* walk(
    bucket: string,
    path: string,
    folder: string,
    prefix: string,
    above: ReadonlyArray<string>
  ): AsyncGenerator<BlobInfo> {
    const here = { bucket, key: folder }
    const real = await ifPresent(insideOf(here, path))
    const names = real === undefined ? undefined : await ifPresent(fs.readdir(real, { withFileTypes: true }))
    if (real === undefined || names === undefined) return
    if (above.includes(real)) throw denied(here, `${nameOf(here)} leads back to a folder above it; remove that link`)
    const children: Array<{ readonly key: string; readonly folder: boolean }> = []
    for (const entry of names) {
      const key = folder + entry.name
      const folderKey = `${key}/`
      if (
        isPartial(entry.name) ||
        !(key.startsWith(prefix) || folderKey.startsWith(prefix) || prefix.startsWith(folderKey))
      )
        continue
      if (entry.name.includes("\ufffd") && !(await exists(join(real, entry.name))))
        throw denied({ bucket, key }, `a name in ${nameOf(here)} is not UTF-8; rename that file`)
      const type = entry.isSymbolicLink() ? await ifPresent(fs.stat(join(real, entry.name))) : entry
      if (type === undefined) throw denied({ bucket, key }, `${bucket}/${key} links to nothing; remove that link`)
      if (type.isDirectory()) children.push({ key: folderKey, folder: true })
      else if (type.isFile() && key.startsWith(prefix)) children.push({ key, folder: false })
    }
    // Folders sort with their slash, so that going down in this order gives all keys in byte order.
    children.sort((a, b) => compareKeys(a.key, b.key))
    for (const child of children) {
      const name = child.key.slice(folder.length, child.folder ? -1 : undefined)
      if (child.folder) yield* walk(bucket, join(real, name), child.key, prefix, [...above, real])
      else {
        const ref = { bucket, key: child.key }
        const info = await ifPresent(insideOf(ref, join(real, name)).then((file) => infoOf(ref, file)))
        if (info !== undefined) yield info
      }
    }
  }

  async function* chunks(ref: BlobRef, { offset = 0, length, ifMatch }: ReadOptions): AsyncGenerator<Uint8Array> {
    const path = await insideOf(ref, pathOf(ref))
    if (!(await fs.stat(path)).isFile()) throw absent(ref, `${nameOf(ref)} is not a file`)
    const file = await fs.open(path, "r")
    try {
      const stat = await file.stat({ bigint: true })
      const etag = etagOf(stat)
      if (ifMatch !== undefined && ifMatch !== etag) throw changed(ref)
      const size = Number(stat.size)
      const end = Math.min(size, offset + (length ?? size))
      for (let at = offset; at < end;) {
        const buffer = new Uint8Array(Math.min(CHUNK_BYTES, end - at))
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
        // A file that is written in place while it is read would give a mixture.
        if (bytesRead === 0 || etagOf(await file.stat({ bigint: true })) !== etag) throw changed(ref)
        yield buffer.subarray(0, bytesRead)
        at += bytesRead
      }
    } finally {
      await file.close()
    }
  }

  /** Opens a hidden file beside the object, making folders as needed. */
  const openPartial = async (ref: BlobRef, attempt = 1): Promise<Partial> => {
    const path = pathOf(ref)
    const made: Array<string> = []
    try {
      await makeFolders(ref, dirname(path), made)
      const folder = await insideOf(ref, dirname(path))
      const target = join(folder, basename(path))
      if ((await ifPresent(fs.lstat(target)))?.isFile() === false)
        throw denied(ref, `${nameOf(ref)} is not a plain file; choose another key`)
      if (!swept.has(folder)) {
        swept.add(folder)
        await sweepPartials(folder)
      }
      const partial = join(folder, partialName())
      return { ref, folder, target, partial, file: await fs.open(partial, "wx"), made }
    } catch (error) {
      await removeFolders(made)
      // A failed write beside us may have taken back a folder that we found.
      if (codeOf(error) === "ENOENT" && attempt < 5) return openPartial(ref, attempt + 1)
      throw codeOf(error) === "ENOTDIR" ? denied(ref, `a part of ${nameOf(ref)} is a file; choose another key`) : error
    }
  }

  const makeFolders = async (ref: BlobRef, folder: string, made: Array<string>): Promise<void> => {
    const missing: Array<string> = []
    for (let at = folder; !(await exists(at)); at = dirname(at)) missing.unshift(at)
    const [first] = missing
    if (first !== undefined && first.length > rootOf(ref.bucket).length) await insideOf(ref, dirname(first))
    for (const at of missing) {
      try {
        await fs.mkdir(at)
        made.push(at)
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error
      }
    }
  }

  const commit = async ({ ref, folder, target, partial, file, made }: Partial, mode: "create" | "replace") => {
    await file.sync()
    if (mode === "replace") await fs.rename(partial, target)
    else {
      // Unlike a rename, a link never replaces: the file system decides between concurrent creators.
      await fs.link(partial, target).catch((error: unknown) => {
        throw codeOf(error) === "EEXIST" ? taken(ref) : error
      })
      await fs.unlink(partial)
    }
    for (const changed of [folder, ...made.map(dirname)]) await syncFolder(changed)
    return infoOf(ref, target)
  }

  const io = <A>(ref: BlobRef, run: () => Promise<A>): Effect.Effect<A, Trouble> =>
    Effect.uninterruptible(Effect.tryPromise({ try: run, catch: (cause) => troubleOf(ref, cause) }))

  const never = { BlobExists: Effect.die, BlobChanged: Effect.die } as const
  const reading = <A, R>(effect: Effect.Effect<A, Trouble, R>) => Effect.catchTags(effect, never)

  return BlobStore.of({
    capabilities: { signedLinks: false, localPaths: true },

    list: (bucket, prefix) =>
      Stream.fromAsyncIterable(
        { [Symbol.asyncIterator]: () => entries(bucket, prefix) },
        (cause) => troubleOf({ bucket, key: prefix }, cause) as Exclude<Trouble, BlobExists | BlobChanged>
      ),

    stat: (ref) => reading(io(ref, async () => infoOf(ref, await insideOf(ref, pathOf(ref))))),

    read: (ref, options = {}) =>
      Stream.fromAsyncIterable(
        { [Symbol.asyncIterator]: () => chunks(ref, options) },
        (cause) => troubleOf(ref, cause) as Exclude<Trouble, BlobExists>
      ),

    write: <E, R>(
      ref: BlobRef,
      source: Uint8Array | Stream.Stream<Uint8Array, E, R>,
      { mode }: { readonly mode: "create" | "replace" }
    ) =>
      Effect.acquireUseRelease(
        io(ref, async () => {
          if (mode === "create" && (await exists(pathOf(ref)))) throw taken(ref)
          return openPartial(ref)
        }),
        (partial) =>
          Effect.gen(function* () {
            const append = (bytes: Uint8Array) => io(ref, () => partial.file.writeFile(bytes))
            if (source instanceof Uint8Array) yield* append(source)
            else yield* Stream.runForEach(source, append)
            return yield* io(ref, () => commit(partial, mode))
          }),
        ({ file, partial, made }, exit) =>
          io(ref, async () => {
            await file.close()
            if (Exit.isSuccess(exit)) return
            await fs.rm(partial, { force: true })
            await removeFolders(made)
          }).pipe(Effect.ignore)
      ).pipe(Effect.catchTag("BlobChanged", Effect.die)),

    delete: (ref) =>
      reading(
        io(ref, async () => {
          const path = pathOf(ref)
          const folder = await ifPresent(insideOf(ref, dirname(path)))
          if (folder === undefined) return
          if ((await ifPresent(fs.lstat(path)))?.isDirectory() === true) return
          await ifPresent(fs.unlink(path))
          await syncFolder(folder)
        })
      ),

    probe: (ref) =>
      reading(
        io(ref, async () => {
          const { file, partial, made } = await openPartial(ref)
          try {
            await file.writeFile(new Uint8Array(4096))
          } finally {
            await file.close()
            await fs.rm(partial, { force: true })
            await removeFolders(made)
          }
        })
      ),

    signedLink: () =>
      Effect.fail(
        new Unsupported({ capability: "signedLinks", message: "files have no signed links: hand out their paths" })
      ),

    localPath: (ref) =>
      reading(
        io(ref, async () => {
          const path = await insideOf(ref, pathOf(ref))
          await infoOf(ref, path)
          return path
        })
      )
  })
}

interface Partial {
  readonly ref: BlobRef
  readonly folder: string
  readonly target: string
  readonly partial: string
  readonly file: fs.FileHandle
  /** Folders made for this write, outermost first. */
  readonly made: ReadonlyArray<string>
}

/** Why no file can have this key. */
const keyProblem = (key: string): string | undefined => {
  if (key === "") return "a key is not empty"
  if (!key.isWellFormed() || key.includes("\0")) return "a file's key is well-formed text without NUL"
  for (const part of key.split("/")) {
    if (part === "" || part === "." || part === "..") return `a file's key has no part ${JSON.stringify(part)}`
    if (isPartial(part)) return "names of this form are kept for unfinished writes"
    if (process.platform === "win32" && /[\\:*?"<>|]|[. ]$/.test(part)) return `${part} is no file name on Windows`
  }
  return undefined
}

const etagOf = ({ size, mtimeNs, ino }: BigIntStats): string =>
  `${size.toString(36)}-${mtimeNs.toString(36)}-${ino.toString(36)}`

/** `undefined` when there is nothing at a path. */
const ifPresent = <A>(found: Promise<A>): Promise<A | undefined> =>
  found.catch((error: unknown) => (GONE.has(codeOf(error)) ? undefined : Promise.reject(error)))

const exists = async (path: string): Promise<boolean> => (await ifPresent(fs.lstat(path))) !== undefined

/** Takes back what a failed write made; a folder that has got other files stays. */
const removeFolders = async (made: ReadonlyArray<string>): Promise<void> => {
  for (const folder of made.toReversed()) await fs.rmdir(folder).catch(() => undefined)
}

/** Makes a new name durable. Some file systems cannot sync a folder; then there is nothing more to do. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await fs.open(folder, "r").catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
