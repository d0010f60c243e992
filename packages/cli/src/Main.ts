/**
 * The command `sotto`: parses, runs one command, turns every failure into one sentence and an exit code
 * (0 done, 1 could not be done, 2 wrong usage, 130 and 143 stopped by a signal).
 */
import { Command, CommanderError } from "commander"
import { defineCommands } from "./Commands.ts"
import { CommandError, Interrupted, UsageError } from "./Failure.ts"
import { note } from "./Terminal.ts"

/** The original's tool writes `--input_data_avro_file`; one spelling is enough for the definitions. */
const kebab = (argument: string): string => {
  if (!/^--[A-Za-z]/.test(argument)) return argument
  const [name = "", ...value] = argument.split("=")
  return [name.replaceAll("_", "-"), ...value].join("=")
}

/** Everything after a bare `--` is left alone. */
const normalise = (argv: ReadonlyArray<string>): Array<string> => {
  const end = argv.indexOf("--")
  return argv.map((argument, i) => (end >= 0 && i > end ? argument : kebab(argument)))
}

const sentence = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const code = (error as NodeJS.ErrnoException).code
  return code === "ENOSPC"
    ? `The disk is full: ${error.message}. Free some room and run the same command again.`
    : error.message
}

/** Exit code of one failure, after telling it. */
const report = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if ((error as NodeJS.ErrnoException | undefined)?.code === "EPIPE") return 0
  if (error instanceof UsageError) {
    note(`sotto: ${error.message}`)
    return 2
  }
  if (error instanceof Interrupted) {
    note(`sotto: ${error.message}`)
    return error.signal === "SIGTERM" ? 143 : 130
  }
  note(`sotto: ${sentence(error)}`)
  if (!(error instanceof CommandError) && process.env["SOTTO_DEBUG"] !== undefined) note((error as Error).stack ?? "")
  return 1
}

export const program = (): Command => {
  const root = new Command("sotto")
    .description("Private aggregation: encrypted reports become a noised summary under a privacy budget.")
    .version("0.1.0", "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showHelpAfterError("(run it with --help to see what it takes)")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "sotto: ")) })
    .exitOverride()
  defineCommands(root)
  return root
}

/** Runs the command line `argv` (without node and script) and resolves to the exit code. */
export const main = async (argv: ReadonlyArray<string>): Promise<number> => {
  // A reader that went away (`sotto show … | head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0)
    throw error
  })
  const root = program()
  try {
    if (argv.length === 0) {
      root.outputHelp()
      return 0
    }
    await root.parseAsync(normalise(argv), { from: "user" })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return report(error)
  }
}
