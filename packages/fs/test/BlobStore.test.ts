import { BlobStore } from "@sotto/core/ports/BlobStore"
import { blobStoreLaws, checkLaw, LAW_BUCKETS } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { hostname, tmpdir } from "node:os"
import { createHash, randomUUID } from "node:crypto"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { layerFsBlobStore } from "@sotto/fs"
import { troubleOf } from "../src/internal/Trouble.ts"

const home = fs.mkdtempSync(join(tmpdir(), "sotto-blobs-"))
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

const folder = () => fs.mkdtempSync(join(home, "store-"))

/** A store over folders of its own for each build, side by side as the law ROOT likes them. */
const fresh = Layer.unwrap(
  Effect.sync(() => {
    const root = folder()
    return layerFsBlobStore({ buckets: Object.fromEntries(LAW_BUCKETS.map((name) => [name, join(root, name)])) })
  })
)

const over = <A, E>(root: string, use: (store: BlobStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.runPromise(Effect.provide(Effect.flatMap(BlobStore, use), layerFsBlobStore({ buckets: { b: root } })))

const ref = (key: string) => ({ bucket: "b", key })
const bytes = (text: string) => new TextEncoder().encode(text)
const keysOf = (store: BlobStore["Service"], prefix = "") =>
  Effect.map(Stream.runCollect(store.list("b", prefix)), (infos) => infos.map((info) => info.key))
const hidden = (root: string) =>
  fs.readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.includes(".sotto-"))

describe("BlobStore on files", () => {
  it.each(blobStoreLaws)("$id: $rule", (law) => checkLaw(law, fresh, { runs: 15 }))

  it("reads and lists what others put there, and only plain files", async () => {
    const root = folder()
    fs.mkdirSync(join(root, "a"))
    fs.writeFileSync(join(root, "a", "x.avro"), "x")
    fs.writeFileSync(join(root, "a.avro"), "y")
    fs.mkdirSync(join(root, "empty"))
    const found = await over(root, (store) => keysOf(store))
    expect(found).toEqual(["a.avro", "a/x.avro"])
  })

  it("lists in the order of UTF-8 bytes, folders in the place of their slash", async () => {
    const root = folder()
    const keys = ["a-b", "a.b", "a/b", "a0", "\uff5e", "\u{1f600}"]
    const found = await over(root, (store) =>
      Effect.andThen(
        Effect.forEach(keys.toReversed(), (key) => store.write(ref(key), bytes(key), { mode: "create" })),
        keysOf(store)
      )
    )
    expect(found).toEqual(keys)
  })

  it("lists a missing folder as empty and makes it when writing", async () => {
    const root = join(folder(), "not", "yet")
    expect(await over(root, (store) => keysOf(store))).toEqual([])
    await over(root, (store) => store.write(ref("a/b"), bytes("1"), { mode: "create" }))
    expect(fs.readFileSync(join(root, "a", "b"), "utf8")).toBe("1")
  })

  it("denies what symbolic links find outside, and follows those that stay inside", async () => {
    const root = folder()
    // Its path starts with the bucket's and is not in it.
    const outside = `${root}-beside`
    fs.mkdirSync(outside)
    fs.writeFileSync(join(outside, "secret"), "secret")
    fs.writeFileSync(join(root, "plain"), "plain")
    fs.symlinkSync(join(outside, "secret"), join(root, "file-link"))
    fs.symlinkSync(outside, join(root, "folder-link"))
    fs.symlinkSync(join(root, "plain"), join(root, "inside-link"))
    for (const key of ["file-link", "folder-link/secret"]) {
      const denied = expect.objectContaining({
        _tag: "BlobDenied",
        message: expect.stringMatching(new RegExp(`^[^/]+/${key} leads out of the bucket by a symbolic link`))
      })
      expect(await over(root, (store) => Effect.flip(store.stat(ref(key))))).toEqual(denied)
      expect(await over(root, (store) => Effect.flip(Stream.runCollect(store.read(ref(key)))))).toEqual(denied)
      expect(await over(root, (store) => Effect.flip(store.localPath(ref(key))))).toEqual(denied)
    }
    for (const mode of ["create", "replace"] as const)
      for (const key of ["file-link", "folder-link/new", "folder-link/new/er"])
        expect(await over(root, (store) => Effect.flip(store.write(ref(key), bytes("!"), { mode })))).toMatchObject({
          _tag: expect.stringMatching(/^Blob(Denied|Exists)$/)
        })
    await over(root, (store) => Effect.ignore(store.delete(ref("folder-link/secret"))))
    expect(fs.readdirSync(outside)).toEqual(["secret"])
    expect(fs.readFileSync(join(outside, "secret"), "utf8")).toBe("secret")
    // A listing that left out an input would be a wrong sum; it fails and says why.
    expect(await over(root, (store) => Effect.flip(keysOf(store, "f")))).toMatchObject({ _tag: "BlobDenied" })
    expect(await over(root, (store) => keysOf(store, "i"))).toEqual(["inside-link"])
    expect(await over(root, (store) => Effect.map(store.stat(ref("inside-link")), (info) => info.size))).toBe(5)
  })

  it("ends at links that lead in a circle or to nothing", async () => {
    const root = folder()
    fs.mkdirSync(join(root, "a"))
    fs.symlinkSync(join(root, "a"), join(root, "a", "again"))
    expect(await over(root, (store) => Effect.flip(keysOf(store)))).toMatchObject({ _tag: "BlobDenied" })
    fs.unlinkSync(join(root, "a", "again"))
    fs.symlinkSync(join(root, "gone"), join(root, "a", "dangling"))
    expect(await over(root, (store) => Effect.flip(keysOf(store)))).toMatchObject({
      _tag: "BlobDenied",
      message: expect.stringContaining("links to nothing")
    })
  })

  it("says what to do when a key is a folder or goes through a file", async () => {
    const root = folder()
    await over(root, (store) => store.write(ref("a/b"), bytes("1"), { mode: "create" }))
    for (const key of ["a", "a/b/c", "a/b/c/d"]) {
      expect(await over(root, (store) => Effect.flip(store.stat(ref(key))))).toMatchObject({ _tag: "BlobNotFound" })
      expect(
        await over(root, (store) => Effect.flip(store.write(ref(key), bytes("2"), { mode: "replace" })))
      ).toMatchObject({ _tag: "BlobDenied", message: expect.stringContaining("choose another key") })
      expect(await over(root, (store) => Effect.flip(store.probe(ref(key))))).toMatchObject({ _tag: "BlobDenied" })
    }
    expect(await over(root, (store) => keysOf(store))).toEqual(["a/b"])
  })

  it("notices a file that is written in place while it is read", async () => {
    const root = folder()
    const path = join(root, "a")
    fs.writeFileSync(path, Buffer.alloc(1_000_000, 1))
    const reading = over(root, (store) =>
      Stream.runForEach(store.read(ref("a")), () => Effect.sync(() => fs.appendFileSync(path, "more"))).pipe(
        Effect.flip
      )
    )
    expect(await reading).toMatchObject({ _tag: "BlobChanged" })
  })

  it("leaves no file open and no folder behind when a write is interrupted", async () => {
    const root = folder()
    const open = () => fs.readdirSync("/proc/self/fd").length
    const before = process.platform === "linux" ? open() : 0
    await over(root, (store) =>
      Effect.gen(function* () {
        yield* store.write(ref("keep"), new Uint8Array(600_000), { mode: "create" })
        yield* Stream.runCollect(Stream.take(store.read(ref("keep")), 1))
        const endless = Stream.concat(Stream.fromIterable([bytes("1")]), Stream.fromEffect(Effect.never))
        yield* Effect.timeoutOption(store.write(ref("new/er/a"), endless, { mode: "create" }), "50 millis")
      })
    )
    expect(fs.readdirSync(root)).toEqual(["keep"])
    if (process.platform === "linux") expect(open()).toBe(before)
  })

  it("shows nothing of a writer that was killed, and sweeps it up at the next write there", async () => {
    const root = folder()
    const script = `
      import { BlobStore } from "@sotto/core/ports/BlobStore"
      import { layerFsBlobStore } from "@sotto/fs"
      import * as Effect from "effect/Effect"
      import * as Stream from "effect/Stream"
      const source = Stream.concat(
        Stream.fromIterable([new Uint8Array(100_000)]),
        Stream.fromEffect(Effect.andThen(Effect.sync(() => process.stdout.write("written\\n")), Effect.never))
      )
      setInterval(() => {}, 1000)
      Effect.runPromise(
        Effect.provide(
          Effect.flatMap(BlobStore, (store) => store.write({ bucket: "b", key: "out/a" }, source, { mode: "create" })),
          layerFsBlobStore({ buckets: { b: ${JSON.stringify(root)} } })
        )
      )`
    const child = spawn(process.execPath, ["--conditions=@sotto/source", "--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    await new Promise((resolve) => child.stdout.once("data", resolve))
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    await gone
    expect(hidden(root)).toHaveLength(1)
    expect(await over(root, (store) => keysOf(store))).toEqual([])
    await over(root, (store) => store.write(ref("out/a"), bytes("1"), { mode: "create" }))
    expect(hidden(root)).toEqual([])
  })

  it("leaves unfinished writes of living writers, and of other machines until they are a day old", async () => {
    const root = folder()
    const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8)
    const living = `.sotto-${host}-${process.pid}-${randomUUID()}.part`
    const elsewhere = `.sotto-00000000-1-${randomUUID()}.part`
    const old = `.sotto-00000000-1-${randomUUID()}.part`
    for (const name of [living, elsewhere, old]) fs.writeFileSync(join(root, name), "")
    const twoDaysAgo = Date.now() / 1000 - 2 * 86_400
    fs.utimesSync(join(root, old), twoDaysAgo, twoDaysAgo)
    await over(root, (store) => store.write(ref("a"), bytes("1"), { mode: "create" }))
    expect(hidden(root).sort()).toEqual([living, elsewhere].sort())
    expect(await over(root, (store) => keysOf(store))).toEqual(["a"])
    expect(await over(root, (store) => Effect.flip(store.stat(ref(living))))).toMatchObject({ _tag: "BlobDenied" })
  })

  it("says what to do without the right to write", async () => {
    const root = folder()
    fs.chmodSync(home, 0o755)
    fs.chmodSync(root, 0o555)
    // Root may write everywhere, so it becomes nobody for a moment.
    const isRoot = process.geteuid?.() === 0
    if (isRoot) process.seteuid?.(65_534)
    const probe = over(root, (store) => Effect.flip(store.probe(ref("a"))))
    const write = over(root, (store) => Effect.flip(store.write(ref("a/b"), bytes("1"), { mode: "create" })))
    const refusals = await Promise.all([probe, write]).finally(() => isRoot && process.seteuid?.(0))
    for (const refusal of refusals)
      expect(refusal).toMatchObject({
        _tag: "BlobDenied",
        message: expect.stringContaining("change its owner or mode")
      })
    fs.chmodSync(root, 0o755)
  })

  it.each([
    ["ENOSPC", "BlobUnavailable", "the disk is full; free some space and try again"],
    ["EDQUOT", "BlobUnavailable", "the disk is full"],
    ["EIO", "BlobUnavailable", "try again"],
    ["EROFS", "BlobDenied", "read-only; choose another place"],
    ["ENAMETOOLONG", "BlobDenied", "choose a shorter one"],
    ["ENOENT", "BlobNotFound", "there is no"]
  ])("makes %s a %s: %s", (code, tag, message) => {
    const error = Object.assign(new Error(`${code}: it went wrong, open '/data/a'`), { code, path: "/data/a" })
    expect(troubleOf(ref("a"), error)).toMatchObject({ _tag: tag, message: expect.stringContaining(message) })
    // Who names buckets is not told where they lie.
    expect(troubleOf(ref("a"), error).message).not.toContain("/data")
  })

  it("does not take a device for an object", async () => {
    expect(await over("/dev", (store) => Effect.flip(store.stat(ref("null"))))).toMatchObject({ _tag: "BlobNotFound" })
    expect(
      await over("/dev", (store) => Effect.flip(store.write(ref("null"), bytes("1"), { mode: "replace" })))
    ).toMatchObject({ _tag: "BlobDenied" })
  })
})
