/** What was wrong with a call or its set-up. `code` is stable and for programs, `message` says what to do. */
export class SottoError extends Error {
  override readonly name = "SottoError"
  /** `InvalidArgument`, `FolderUnavailable`, `Aborted`, `Closed`, or the tag of what failed, such as `KeyFileRejected` or `LedgerUnavailable`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
