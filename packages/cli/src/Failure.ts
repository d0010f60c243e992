/** The command line was wrong: exit 2, the sentence and how to get help. */
export class UsageError extends Error {
  override readonly name = "UsageError"
}

/** The command was right but could not be done: exit 1, one sentence that says what to do next. */
export class CommandError extends Error {
  override readonly name = "CommandError"
}
