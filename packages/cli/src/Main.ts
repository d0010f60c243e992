/**
 * The command `sotto`: parses, runs one command, turns every failure into one sentence and an exit code
 * (0 done, 1 could not be done, 2 wrong usage, 130 and 143 stopped by a signal).
 */
import { Command, CommanderError, Help, type Option } from "commander"
import { defineCommands } from "./Commands.ts"
import { CommandError, Interrupted, UsageError } from "./Failure.ts"
import { note } from "./Terminal.ts"
import { VERSION } from "./Version.ts"

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

/** What the operating system refused, for somebody who does not know its codes. */
const TROUBLES: Readonly<Record<string, string>> = {
  EACCES: "permission is denied",
  EFBIG: "the file grew larger than the system allows",
  EISDIR: "this is a folder, not a file",
  ENOENT: "there is no such file or folder",
  ENOSPC: "the disk is full; free some room and run the same command again",
  ENOTDIR: "a part of this path is a file, not a folder",
  EPERM: "permission is denied",
  EROFS: "the file system is read-only"
}

const sentence = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const { code = "", path, message } = error as NodeJS.ErrnoException
  const trouble = error instanceof CommandError ? undefined : TROUBLES[code]
  return trouble === undefined ? message : `${path ?? "output"}: ${trouble}.`
}

/** A command that could not be done says so before it prints. */
const soFar = (): number => Number(process.exitCode ?? 0)

/** Exit code of one failure, after telling it. */
const report = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if ((error as NodeJS.ErrnoException | undefined)?.code === "EPIPE") return soFar()
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

/** A switch is off unless given, which needs no words; a flag that must be given does. */
const describeOption = function (this: Help, option: Option): string {
  const text = Help.prototype.optionDescription.call(this, option).replace(/ ?\(default: false\)/, "")
  return option.mandatory ? `${text} (required)` : text
}

export const program = (): Command => {
  const root = new Command("sotto")
    .description("Private aggregation: encrypted reports become a noised summary under a privacy budget.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp({ optionDescription: describeOption })
    .showHelpAfterError("(run it with --help to see what it takes)")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "sotto: ")) })
    .exitOverride()
  defineCommands(root)
  return root
}

/** Runs the command line `argv` (without node and script) and resolves to the exit code. */
export const main = async (argv: ReadonlyArray<string>): Promise<number> => {
  // A reader that went away (`sotto show … | head`) is no failure; what else goes wrong, `print` tells.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(soFar())
  })
  const root = program()
  try {
    if (argv.length === 0) {
      root.outputHelp()
      return 0
    }
    await root.parseAsync(normalise(argv), { from: "user" })
    return soFar()
  } catch (error) {
    return report(error)
  }
}
