import { program } from "../../packages/cli/src/Main.ts"

type Command = ReturnType<typeof program>

/** What `addHelpText` put behind the help of a command: its examples, as pairs of comment and command. */
const examplesOf = (command: Command): ReadonlyArray<string> => {
  let text = ""
  command.configureOutput({ writeOut: (piece) => void (text += piece) })
  command.outputHelp()
  return text.split("\nExamples:\n")[1]?.trimEnd().split("\n") ?? []
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const section = (command: Command, path: string, depth: number): string => {
  const help = command.createHelp()
  const flags = help.visibleOptions(command).map((option) => [option.flags, help.optionDescription(option)] as const)
  const args = help.visibleArguments(command).map((argument) => [argument.name(), argument.description] as const)
  const commands = help.visibleCommands(command).filter((one) => one.name() !== "help")
  const examples = examplesOf(command)
  return [
    `${"#".repeat(depth)} ${path}`,
    `${command.description()}${/[.!?]$/.test(command.description()) ? "" : "."}`,
    `\`\`\`\n${path} ${command.usage()}\n\`\`\``,
    ...(args.length === 0
      ? []
      : [`| Argument | |\n| --- | --- |\n${args.map(([name, text]) => `| \`${name}\` | ${cell(text)} |`).join("\n")}`]),
    `| Flag | |\n| --- | --- |\n${flags.map(([name, text]) => `| \`${cell(name)}\` | ${cell(text)} |`).join("\n")}`,
    ...(examples.length === 0
      ? []
      : [`\`\`\`sh\n${examples.map((line) => line.trim().replace(/^\$ /, "")).join("\n")}\n\`\`\``]),
    ...commands.map((one) => section(one, `${path} ${one.name()}`, depth + 1))
  ].join("\n\n")
}

/** `docs/cli.md`: every command with its flags and examples, as the program itself defines them. */
export const commandLinePage = (): string => {
  const root = program()
  return `<!-- Made by \`npm run generate\` from packages/cli/src/Commands.ts. -->

# The command line

Flags may be written \`--like-this\`, \`--like_this\` and \`--like-this=value\`. Documents go to standard output, everything
else to standard error; with \`--json\` there is one JSON document on standard output and nothing else. Long work shows its
progress on a terminal and is quiet in a pipe.

| Exit code | |
| --- | --- |
| 0 | done; for \`aggregate\` exactly when its return code is a success |
| 1 | could not be done; one sentence says why and what to do next |
| 2 | the command line is wrong |
| 130, 143 | stopped by Ctrl-C or SIGTERM |

${section(root, "sotto", 2)}
`
}
