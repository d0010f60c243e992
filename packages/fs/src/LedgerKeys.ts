/**
 * Ledger keys in two files beside each other.
 *
 * `FILE` holds the secrets and is replaced as a whole: `{"ledgerId","fingerprintKey","noiseKeys":{id:key},"activeNoiseKey"}`,
 * hexadecimal. `FILE.heads` holds how far each ledger chain had come and is only ever appended to, one JSON line each: the
 * head of a scope is a fold over its lines, so processes that raise it at once need no lock and none loses the higher one.
 */
import { Buffer } from "node:buffer"
import { randomUUID } from "node:crypto"
import { type FileHandle, link, open, rename, stat, unlink } from "node:fs/promises"
import { dirname } from "node:path"
import process from "node:process"
import { type ChainHash, type Head, keyCheck } from "@sotto/core/budget"
import { Entropy } from "@sotto/core/ports/Entropy"
import { HeadMoved, LedgerKeys, LedgerKeysUnavailable, NoiseKeyMissing } from "@sotto/core/ports/LedgerKeys"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * The keys of a file that only its owner can read (mode 0600). Both files are read anew for every answer, so that a key
 * added by the command line is used at once; of the heads only what was appended since.
 */
export const layerFileLedgerKeys = (file: string) =>
  Layer.effect(
    LedgerKeys,
    Effect.gen(function* () {
      const first = yield* edge(file, () => readKeys(file))
      const heads = new Heads(file, first.ledgerId)
      yield* edge(file, () => heads.read())

      const keyNamed = (id: string, keys: Keys) => {
        const key = keys.noiseKeys.get(id)
        return key === undefined ? Effect.fail(missing(file, id)) : Effect.succeed({ id, key: new SecretBytes(key) })
      }
      return LedgerKeys.of({
        capabilities: { head: true },
        ledgerId: Effect.sync(() => bytesOf(first.ledgerId)),
        fingerprintKey: Effect.map(
          edge(file, () => readKeys(file)),
          (keys) => new SecretBytes(keys.fingerprintKey)
        ),
        activeNoiseKey: Effect.flatMap(
          edge(file, () => readKeys(file)),
          (keys) => keyNamed(keys.activeNoiseKey, keys)
        ),
        noiseKey: (id) =>
          Effect.flatMap(
            edge(file, () => readKeys(file)),
            (keys) => keyNamed(id, keys)
          ),
        head: (scope) =>
          Effect.map(
            edge(file, () => heads.read()),
            (state) => state.get(scope)
          ),
        raiseHead: (scope, head) =>
          edge(file, async () => {
            const held = (await heads.read()).get(scope)
            if (held === undefined || held.sequence < head.sequence) await heads.append({ scope, raise: head })
          }),
        lowerHead: (scope, lost, head) =>
          Effect.flatMap(
            edge(file, async () => {
              const before = (await heads.read()).get(scope)
              if (before?.hash !== lost.hash) return false
              await heads.append({ scope, lower: head, lost })
              // Another process may have raised it between the two; then the line above changed nothing.
              return (await heads.read()).get(scope)?.hash === head.hash
            }),
            (done) =>
              done
                ? Effect.void
                : Effect.fail(
                    new HeadMoved({
                      scope,
                      message: `The head of scope "${scope}" changed in the meantime. Look at the ledger again before you accept.`
                    })
                  )
          )
      })
    })
  )

/** Makes new keys in `file` and the empty `file.heads`; refuses to overwrite either. Answers what is public. */
export const generateLedgerKeys = Effect.fn("generateLedgerKeys")(function* (file: string) {
  const entropy = yield* Entropy
  const ledgerId = hex(yield* entropy.bytes(16))
  const fingerprintKey = yield* entropy.bytes(32)
  const noiseKey = yield* entropy.bytes(32)
  const noiseKeyId = nameOf(noiseKey)
  yield* edge(file, async () => {
    if (await exists(file)) {
      throw new Refusal(
        `${file} exists. Ledger keys are never overwritten: a ledger without its keys forgets its questions.`
      )
    }
    await create(`${file}.heads`, `${JSON.stringify({ ledgerId })}\n`)
    const keys = { ledgerId, fingerprintKey, noiseKeys: new Map([[noiseKeyId, noiseKey]]), activeNoiseKey: noiseKeyId }
    await create(file, print(keys))
  })
  return { ledgerId, noiseKeyId }
})

/** Adds a noise key and makes it the active one; the older ones stay, to repeat old questions. Answers its public id. */
export const addNoiseKey = Effect.fn("addNoiseKey")(function* (file: string) {
  const entropy = yield* Entropy
  const key = yield* entropy.bytes(32)
  const noiseKeyId = nameOf(key)
  yield* edge(file, () =>
    alone(file, async () => {
      const keys = await readKeys(file)
      await replace(
        file,
        print({ ...keys, noiseKeys: new Map([...keys.noiseKeys, [noiseKeyId, key]]), activeNoiseKey: noiseKeyId })
      )
    })
  )
  return { noiseKeyId }
})

interface Keys {
  readonly ledgerId: string
  readonly fingerprintKey: Uint8Array
  readonly noiseKeys: ReadonlyMap<string, Uint8Array>
  readonly activeNoiseKey: string
}

/** A sentence for whoever looks after the files. Never holds what is in them. */
class Refusal extends Error {}

const edge = <A>(file: string, body: () => Promise<A>): Effect.Effect<A, LedgerKeysUnavailable> =>
  Effect.tryPromise({
    try: body,
    catch: (cause) => {
      if (cause instanceof Refusal) return new LedgerKeysUnavailable({ message: cause.message })
      const code = (cause as NodeJS.ErrnoException).code ?? "unknown error"
      const message =
        code === "ENOENT"
          ? `There are no ledger keys at ${file}. Make them with "sotto keys ledger", or name the file that holds them.`
          : `The ledger keys ${file} cannot be used (${code}). Check the disk and the permissions of the file and its folder.`
      return new LedgerKeysUnavailable({ message })
    }
  })

const readKeys = async (file: string): Promise<Keys> => {
  const handle = await open(file, "r")
  try {
    await requirePrivate(file, handle)
    return parse(file, await handle.readFile("utf8"))
  } finally {
    await handle.close()
  }
}

const requirePrivate = async (file: string, handle: FileHandle): Promise<void> => {
  // Windows has no such bits.
  if (process.platform === "win32") return
  const mode = (await handle.stat()).mode & 0o777
  if ((mode & 0o077) !== 0) {
    throw new Refusal(
      `${file} holds secret keys and others can read or change it (mode 0${mode.toString(8)}). Run: chmod 600 '${file}'`
    )
  }
}

// Messages name the member and never its value; JSON.parse would quote the text.
const parse = (file: string, text: string): Keys => {
  const refuse = (what: string): never => {
    throw new Refusal(
      `${file} is not a file of ledger keys: ${what}. Restore it, or name the file that "sotto keys ledger" made.`
    )
  }
  const object = (value: unknown, what: string): Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : refuse(`${what} is not an object`)
  const bytes = (value: unknown, length: number, what: string): Uint8Array =>
    typeof value === "string" && value.length === 2 * length && /^[0-9a-f]*$/.test(value)
      ? bytesOf(value)
      : refuse(`${what} is not ${2 * length} lower-case hexadecimal digits`)

  const whole = object(json(text), "its content")
  const noiseKeys = Object.entries(object(whole["noiseKeys"], "noiseKeys"))
  const activeNoiseKey = whole["activeNoiseKey"]
  return {
    ledgerId: hex(bytes(whole["ledgerId"], 16, "ledgerId")),
    fingerprintKey: bytes(whole["fingerprintKey"], 32, "fingerprintKey"),
    noiseKeys: new Map(noiseKeys.map(([id, key]) => [id, bytes(key, 32, `noise key "${id}"`)])),
    activeNoiseKey: typeof activeNoiseKey === "string" ? activeNoiseKey : refuse("activeNoiseKey is not a text")
  }
}

const print = (keys: Keys): string =>
  `${JSON.stringify(
    {
      ledgerId: keys.ledgerId,
      fingerprintKey: hex(keys.fingerprintKey),
      noiseKeys: Object.fromEntries([...keys.noiseKeys].map(([id, key]) => [id, hex(key)])),
      activeNoiseKey: keys.activeNoiseKey
    },
    null,
    2
  )}\n`

type HeadLine = { readonly scope: string } & ({ readonly raise: Head } | { readonly lower: Head; readonly lost: Head })

/** The fold of `FILE.heads`, continued from where the last read ended. */
class Heads {
  readonly #file: string
  readonly #ledgerId: string
  #inode: number | undefined
  #offset = 0
  #state = new Map<string, Head>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(file: string, ledgerId: string) {
    this.#file = `${file}.heads`
    this.#ledgerId = ledgerId
  }

  /** One after another: two readers at one offset would both move it, past lines that are not written yet. */
  read(): Promise<ReadonlyMap<string, Head>> {
    const state = this.#turn.then(() => this.#readOn())
    this.#turn = state.catch(() => {})
    return state
  }

  /** Durable when it returns. Starts with a line end, so that a torn line before it stays alone. */
  async append(line: HeadLine): Promise<void> {
    const handle = await open(this.#file, "a")
    try {
      await handle.appendFile(`\n${JSON.stringify(line)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  async #readOn(): Promise<ReadonlyMap<string, Head>> {
    const handle = await open(this.#file, "r").catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") throw cause
      throw new Refusal(
        `${this.#file} is missing: it remembers how far the ledger had come, and belongs to the ledger keys. Restore it; ` +
          `if it is lost and the ledger is the newest one, write the line {"ledgerId":"${this.#ledgerId}"} into a new one.`
      )
    })
    try {
      const { ino, size } = await handle.stat()
      if (ino !== this.#inode || size < this.#offset) {
        this.#inode = ino
        this.#offset = 0
        this.#state = new Map()
      }
      const fresh = Buffer.alloc(size - this.#offset)
      const { bytesRead } = await handle.read(fresh, 0, fresh.length, this.#offset)
      // What follows the last line end is still being written, or was when a machine stopped.
      const end = fresh.subarray(0, bytesRead).lastIndexOf(10) + 1
      const lines = fresh.toString("utf8", 0, end).split("\n")
      if (this.#offset === 0) this.#requireOwn(lines[0] ?? "")
      for (const line of lines) this.#apply(line)
      this.#offset += end
      return this.#state
    } finally {
      await handle.close()
    }
  }

  #requireOwn(first: string): void {
    const header = json(first) as { readonly ledgerId?: unknown } | undefined
    if (header?.ledgerId !== this.#ledgerId) {
      throw new Refusal(`${this.#file} belongs to other ledger keys. Restore the one that was made with them.`)
    }
  }

  #apply(text: string): void {
    const line = json(text) as Partial<HeadLine & { raise: Head; lower: Head; lost: Head }> | undefined
    if (line?.scope === undefined) return
    const held = this.#state.get(line.scope)
    if (line.raise !== undefined && line.raise.sequence > (held?.sequence ?? -1)) this.#set(line.scope, line.raise)
    if (line.lower !== undefined && held?.hash === line.lost?.hash) this.#set(line.scope, line.lower)
  }

  #set(scope: string, head: Head): void {
    this.#state.set(scope, { sequence: Number(head.sequence), hash: String(head.hash) as ChainHash })
  }
}

/** Runs alone among the commands that change `file`. */
const alone = async <A>(file: string, body: () => Promise<A>): Promise<A> => {
  const lock = `${file}.lock`
  const handle = await open(lock, "wx", 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST") throw cause
    throw new Refusal(
      `Another command is changing ${file}. If none is running, one was killed: delete ${lock} and try again.`
    )
  })
  try {
    return await body()
  } finally {
    await handle.close()
    await unlink(lock)
  }
}

/** Writes a new file completely, or none; refuses one that exists. */
const create = async (file: string, text: string): Promise<void> => {
  const temporary = await written(file, text)
  try {
    await link(temporary, file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new Refusal(`${file} exists and is never overwritten.`)
    throw cause
  } finally {
    await unlink(temporary)
  }
  await syncFolder(file)
}

/** Readers see the old text or the new one, never a part, also after a power cut. */
const replace = async (file: string, text: string): Promise<void> => {
  await rename(await written(file, text), file)
  await syncFolder(file)
}

const written = async (file: string, text: string): Promise<string> => {
  const temporary = `${file}.${randomUUID()}.tmp`
  const handle = await open(temporary, "wx", 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } catch (cause) {
    await unlink(temporary)
    throw cause
  } finally {
    await handle.close()
  }
  return temporary
}

const syncFolder = async (file: string): Promise<void> => {
  // A folder cannot be opened on Windows, where renames are journalled.
  if (process.platform === "win32") return
  const handle = await open(dirname(file), "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const exists = async (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false
  )

const missing = (file: string, id: string) =>
  new NoiseKeyMissing({
    noiseKeyId: id,
    message: `${file} holds no noise key "${id}". Restore it to repeat the questions that were noised with it.`
  })

/** The public name of a noise key follows from the key, so that two keys never share one by mistake. */
const nameOf = (key: Uint8Array): string => `noise-${keyCheck(key).slice(0, 8)}`

const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"))
