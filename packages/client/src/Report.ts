import { ClientError } from "./ClientError.ts"
import type { Contributions } from "./Contributions.ts"
import type { Environment } from "./Environment.ts"
import { toBase64 } from "./internal/Base64.ts"
import { encodePayload } from "./Payload.ts"
import { type PublicKey, seal } from "./Seal.ts"
import { sharedInfo, type SharedInfoFields } from "./SharedInfo.ts"

/** A report in the JSON shape in which browsers send it. */
export interface Report {
  readonly aggregation_service_payloads: ReadonlyArray<{
    readonly payload: string
    readonly key_id: string
    readonly debug_cleartext_payload?: string
  }>
  readonly shared_info: string
}

export interface ReportOptions extends Environment, Omit<SharedInfoFields, "version"> {
  readonly publicKey: PublicKey
  readonly contributions: Contributions
  /** Adds the payload in the clear, for tests; anybody who sees the report can read it. Needs `debugMode`. */
  readonly debugCleartext?: boolean
}

/**
 * Pads, encodes and seals contributions: everything between a measured value and a report to send as JSON.
 *
 * Rejects with a `ClientError` of the parts: `SharedInfoRejected`, `PublicKeyRejected`, `CryptoUnavailable`, and
 * `OptionRejected` for `debugCleartext` without `debugMode`.
 */
export const report = async (options: ReportOptions): Promise<Report> => {
  if (options.debugCleartext === true && options.debugMode !== true)
    throw new ClientError("OptionRejected", "debugCleartext shows the contributions to anybody: set debugMode as well.")
  const version = options.contributions.filteringIdBytes === 0 ? "0.1" : "1.0"
  const payload = encodePayload(options.contributions)
  const sealed = await seal(
    options.publicKey,
    { sharedInfo: sharedInfo({ ...options, version }, options), payload },
    options
  )
  return {
    aggregation_service_payloads: [
      {
        payload: sealed.payload,
        key_id: sealed.key_id,
        ...(options.debugCleartext === true ? { debug_cleartext_payload: toBase64(payload) } : {})
      }
    ],
    shared_info: sealed.shared_info
  }
}
