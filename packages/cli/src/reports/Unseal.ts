/** Encrypted rows into cleartext rows. The result is raw data: whoever reads it reads what each report contributed. */
import { DESCRIPTOR, ENC_BYTES, OPENED, open, type Recipient, recipient, TAG_BYTES } from "@sotto/aggregator/hpke"
import { AVRO_SCHEMAS } from "@sotto/core/aggregation"
import { CommandError } from "../Failure.ts"
import { type ReportRow, readReports, rowBlocks, writeAvro } from "./ReportFile.ts"

/** A row that opened, or why not; `index` counts the rows from 0. */
export type Unsealed =
  | { readonly _tag: "Opened"; readonly index: number; readonly row: ReportRow }
  | {
      readonly _tag: "KeyNotFound" | "NotOpened"
      readonly index: number
      readonly keyId: string
      readonly hint: string
    }

/** Raw 32 bytes of X25519 and the id by which reports name it. */
export interface PrivateKey {
  readonly id: string
  readonly privateKey: Uint8Array
}

/**
 * Opens row after row with the key that each names.
 *
 * Throws `CommandError` for a key of another length than 32 bytes. A row that does not
 * open does not stop the others. `key_id` and `shared_info` are kept.
 */
export function* unseal(rows: Iterable<ReportRow>, keys: Iterable<PrivateKey>): Generator<Unsealed> {
  const recipients = new Map<string, Recipient>()
  for (const { id, privateKey } of keys) {
    const holder = recipient(privateKey)
    if (holder === undefined)
      throw new CommandError(
        `The private key ${JSON.stringify(id)} has ${privateKey.length} bytes; an X25519 key has 32.`
      )
    recipients.set(id, holder)
  }
  let index = 0
  for (const row of rows) {
    const holder = recipients.get(row.key_id)
    const failed = { index, keyId: row.key_id }
    if (holder === undefined)
      yield {
        ...failed,
        _tag: "KeyNotFound",
        hint: `no key has the id ${JSON.stringify(row.key_id)}; add it to the key file`
      }
    else {
      const payload = openWith(holder, row)
      if (payload === undefined)
        yield { ...failed, _tag: "NotOpened", hint: "sealed for another key, or payload or shared_info were changed" }
      else yield { _tag: "Opened", index, row: { ...row, payload } }
    }
    index++
  }
}

const openWith = (holder: Recipient, { payload, shared_info }: ReportRow): Uint8Array | undefined => {
  const bytes = Buffer.concat([payload, Buffer.from(shared_info)])
  const status = new Uint8Array(1)
  const descriptor = new Uint32Array(DESCRIPTOR)
  descriptor.set([0, payload.length, payload.length, bytes.length - payload.length])
  open(holder, bytes, descriptor, 1, status)
  return status[0] === OPENED ? Uint8Array.from(bytes.subarray(ENC_BYTES, payload.length - TAG_BYTES)) : undefined
}

/**
 * The cleartext of the reports file `input` as the reports file `out`, without the rows that do not open; those are
 * counted, the first of them in full. Throws `CommandError` when no row of a file that has some opens.
 */
export const unsealFile = async (
  input: string,
  out: string,
  keys: Iterable<PrivateKey>
): Promise<{ readonly opened: number; readonly refused: number; readonly first?: Unsealed }> =>
  writeAvro(out, AVRO_SCHEMAS.reports, "unsealed", (write) => {
    let opened = 0
    let refused = 0
    let first: Exclude<Unsealed, { _tag: "Opened" }> | undefined
    const cleartext = function* (): Generator<ReportRow> {
      for (const unsealed of unseal(readReports(input), keys)) {
        if (unsealed._tag === "Opened") {
          opened++
          yield unsealed.row
        } else {
          refused++
          first ??= unsealed
        }
      }
    }
    rowBlocks(cleartext(), write)
    if (opened === 0 && first !== undefined)
      throw new CommandError(
        `None of the ${refused} reports of ${input} opens; the first (row ${first.index}): ${first.hint}.`
      )
    return { opened, refused, ...(first === undefined ? {} : { first }) }
  })
