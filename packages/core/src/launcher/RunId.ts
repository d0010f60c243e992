/** Names of runs: 12 lower-case letters, as the launcher gives them (other systems A2). */
import { sha256 } from "@noble/hashes/sha2.js"
import { utf8 } from "../Bytes.ts"

const LETTERS = 12

/** The name that 8 bytes or more give; from uniform bytes it is uniform to one part in 190. */
export const runIdOf = (bytes: Uint8Array): string => {
  let rest = bytes.subarray(0, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  let id = ""
  while (id.length < LETTERS) {
    id += String.fromCharCode(97 + Number(rest % 26n))
    rest /= 26n
  }
  return id
}

/** The name of the run that a trigger starts at a time: the same in every process, so that it is launched once. */
export const runIdAt = (tenant: string, configuration: string, at: number): string =>
  runIdOf(sha256(utf8(JSON.stringify([tenant, configuration, at]))))
