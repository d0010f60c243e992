import { existsSync } from "node:fs"
import {
  addNoiseKey,
  generateKeyPair,
  generateLedgerKeys,
  layerSystemEntropy,
  publicKeys,
  readKeys,
  writeKeys
} from "@sotto/fs"
import * as Effect from "effect/Effect"
import { CommandError } from "../Failure.ts"
import { needFolderOf } from "../Folders.ts"
import { run } from "../Run.ts"
import { note, printJson } from "../Terminal.ts"

export const generate = async (options: {
  readonly out: string
  readonly id?: string
  readonly public: boolean
}): Promise<void> => {
  const { out } = options
  if (options.public) return printJson(publicKeys(await run(readKeys(out))))
  needFolderOf(out)
  const kept = existsSync(out) ? await run(readKeys(out)) : []
  if (kept.some(({ id }) => id === options.id))
    throw new CommandError(`${out} already holds a key with the id ${options.id}. Choose another --id.`)
  const pair = await run(generateKeyPair(options.id))
  await run(writeKeys(out, [...kept, pair], { mode: kept.length === 0 ? "create" : "replace" }))
  note(
    `${kept.length === 0 ? "Made" : "Added to"} ${out}: key ${pair.id}, public key ${Buffer.from(pair.publicKey).toString("base64")}\n` +
      `Keep the file to yourself; clients need only what --public prints.`
  )
}

export const ledger = async (options: { readonly out: string; readonly rotate: boolean }): Promise<void> => {
  const { out, rotate } = options
  if (rotate) {
    const { noiseKeyId } = await run(addNoiseKey(out).pipe(Effect.provide(layerSystemEntropy)))
    return note(`${out}: new questions use noise key ${noiseKeyId}; older keys stay, to repeat old questions.`)
  }
  needFolderOf(out)
  const { ledgerId, noiseKeyId } = await run(generateLedgerKeys(out).pipe(Effect.provide(layerSystemEntropy)))
  note(
    `Made ${out}: ledger ${ledgerId}, noise key ${noiseKeyId}; ${out}.heads remembers how far the ledger has come.\n` +
      `Keep both apart from copies of the ledger: who holds both can remove the noise. Without them old questions cannot be repeated.`
  )
}
