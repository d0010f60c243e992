/** What went wrong, for a program; the message says what to do about it, for a person. */
export type ClientErrorTag =
  | "BudgetExceeded"
  | "TooManyEntries"
  | "BucketRejected"
  | "ValueRejected"
  | "FilteringIdRejected"
  | "MeasureRejected"
  | "OptionRejected"
  | "SharedInfoRejected"
  | "PublicKeyRejected"
  | "CryptoUnavailable"

/** The only error this package throws by itself. Nothing has been added, sealed or sent when it is thrown. */
export class ClientError extends Error {
  readonly _tag: ClientErrorTag
  constructor(tag: ClientErrorTag, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.name = "ClientError"
    this._tag = tag
  }
}
