/**
 * A second decoder of payloads, written the plain way: the whole CBOR item as a tree, then the meaning of the tree.
 */
import type { Contribution } from "@sotto/core/aggregation"

export type Tree =
  | { readonly kind: "int" | "simple" }
  | { readonly kind: "bytes" | "text"; readonly bytes: ReadonlyArray<number> }
  | { readonly kind: "array"; readonly items: ReadonlyArray<Tree> }
  | { readonly kind: "map"; readonly entries: ReadonlyArray<readonly [Tree, Tree]> }
  | { readonly kind: "tag"; readonly item: Tree }

class Malformed extends Error {}

const read = (bytes: ReadonlyArray<number>, start: number, depth: number): readonly [Tree | "break", number] => {
  if (depth > 66) throw new Malformed("deep")
  let at = start
  const next = () => {
    const byte = bytes[at++]
    if (byte === undefined) throw new Malformed("end")
    return byte
  }
  const initial = next()
  const major = initial >> 5
  const info = initial & 31
  let argument = BigInt(info)
  if (info >= 24 && info <= 27) {
    argument = 0n
    for (let i = 0; i < 2 ** (info - 24); i++) argument = argument * 256n + BigInt(next())
  } else if (info >= 28 && info !== 31) throw new Malformed("reserved")
  const indefinite = info === 31
  const item = (): Tree | "break" => {
    const [tree, end] = read(bytes, at, depth + 1)
    at = end
    return tree
  }
  const value = (): Tree => {
    const tree = item()
    if (tree === "break") throw new Malformed("break")
    return tree
  }
  const fits = (unit: bigint) => {
    if (argument * unit > BigInt(bytes.length - at)) throw new Malformed("too long")
  }
  const items = (): ReadonlyArray<Tree> => {
    const list: Array<Tree> = []
    if (!indefinite) {
      fits(1n)
      for (let i = 0n; i < argument; i++) list.push(value())
      return list
    }
    for (let tree = item(); tree !== "break"; tree = item()) list.push(tree)
    return list
  }
  switch (major) {
    case 0:
    case 1:
      if (indefinite) throw new Malformed("int")
      return [{ kind: "int" }, at]
    case 2:
    case 3: {
      const kind = major === 2 ? "bytes" : "text"
      if (!indefinite) {
        fits(1n)
        const end = at + Number(argument)
        return [{ kind, bytes: bytes.slice(at, end) }, end]
      }
      const chunks = []
      while (bytes[at] !== 0xff) {
        const head = bytes[at]
        if (head === undefined || head >> 5 !== major || (head & 31) === 31) throw new Malformed("chunk")
        chunks.push(value())
      }
      return [{ kind, bytes: chunks.flatMap((chunk) => ("bytes" in chunk ? chunk.bytes : [])) }, at + 1]
    }
    case 4:
      return [{ kind: "array", items: items() }, at]
    case 5: {
      const entries: Array<readonly [Tree, Tree]> = []
      if (indefinite) {
        for (let key = item(); key !== "break"; key = item()) entries.push([key, value()])
      } else {
        fits(2n)
        for (let i = 0n; i < argument; i++) entries.push([value(), value()])
      }
      return [{ kind: "map", entries }, at]
    }
    case 6:
      if (indefinite) throw new Malformed("tag")
      return [{ kind: "tag", item: value() }, at]
    default:
      if (indefinite) return ["break", at]
      if (info === 24 && argument < 32n) throw new Malformed("simple")
      return [{ kind: "simple" }, at]
  }
}

const members = (tree: Tree): ReadonlyMap<string, Tree> => {
  if (tree.kind !== "map") throw new Malformed("not a map")
  const found = new Map<string, Tree>()
  for (const [key, value] of tree.entries) {
    if (key.kind === "int") continue
    if (key.kind !== "text") throw new Malformed("key")
    const name = String.fromCharCode(...key.bytes)
    if (found.has(name) && ["data", "operation", "bucket", "value", "id"].includes(name)) throw new Malformed("twice")
    found.set(name, value)
  }
  return found
}

const integer = (tree: Tree | undefined, size: number): bigint => {
  if (tree?.kind !== "bytes" || tree.bytes.length > size) throw new Malformed("integer")
  return tree.bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
}

export interface Decoded {
  readonly operation: string
  readonly contributions: ReadonlyArray<Contribution>
}

/** `undefined` for whatever is malformed. */
export const decodeReference = (bytes: Uint8Array): Decoded | undefined => {
  try {
    const [tree] = read([...bytes], 0, 0)
    if (tree === "break") return undefined
    const top = members(tree)
    const operation = top.get("operation")
    if (operation?.kind !== "text") return undefined
    const data = top.get("data")
    if (data !== undefined && data.kind !== "array") return undefined
    return {
      operation: String.fromCharCode(...operation.bytes),
      contributions: (data?.items ?? []).map((item) => {
        const own = members(item)
        const id = own.get("id")
        return {
          bucket: integer(own.get("bucket"), 16),
          value: Number(integer(own.get("value"), 4)),
          id: id === undefined ? 0n : integer(id, 8)
        }
      })
    }
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}
