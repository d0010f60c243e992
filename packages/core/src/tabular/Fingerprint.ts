/** Whether two submissions ask for the same: then a repeated one is answered with the first job and bills nothing (spec: ondemand §1). */
import { sha256 } from "@noble/hashes/sha2.js"
import { concat, lp, toHex, u32 } from "../internal/Bytes.ts"
import type { DataPart } from "./DataPart.ts"

/** Hashes a file as it passes. */
export interface FileDigest {
  update(chunk: Uint8Array): void
  /** SHA-256 in hexadecimal; asked for once, at the end. */
  digest(): string
}

export const fileDigest = (): FileDigest => {
  const hash = sha256.create()
  return { update: (chunk) => void hash.update(chunk), digest: () => toHex(hash.digest()) }
}

/** What a submission asks for. Its name is left out: a job may be renamed at any time. */
export interface AskedFor {
  readonly model: string
  readonly data: Pick<DataPart, "version" | "mapping" | "outputMapping">
  readonly inputMime: string
  readonly inputFileName: string
  /** `FileDigest` of the file. */
  readonly fileSha256: string
}

/** 64 hexadecimal digits. */
export const fingerprintOf = ({ model, data, inputMime, inputFileName, fileSha256 }: AskedFor): string => {
  const entries = [data.mapping, data.outputMapping].flatMap((list) => [
    u32(list.length),
    ...list.flatMap(({ source, destination, defaultValue }) =>
      [source, destination, JSON.stringify(defaultValue)].map(lp)
    )
  ])
  const version = data.version === null ? u32(0) : concat(u32(1), lp(data.version))
  const asked = concat(
    lp("sotto/on-demand/1"),
    lp(model),
    version,
    lp(inputMime),
    lp(inputFileName),
    lp(fileSha256),
    ...entries
  )
  return toHex(sha256(asked))
}
