/** The command line was wrong: exit 2, the sentence and how to get help. */
export class UsageError extends Error {
  override readonly name = "UsageError"
}

/** The command was right but could not be done: exit 1, one sentence that says what to do next. */
export class CommandError extends Error {
  override readonly name = "CommandError"
}

/** Somebody stopped the command: exit 130 for SIGINT, 143 for SIGTERM, as shells expect. */
export class Interrupted extends Error {
  override readonly name = "Interrupted"
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals, message = "Interrupted.") {
    super(message)
    this.signal = signal
  }
}
