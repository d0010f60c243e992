import { leased, reported } from "../../packages/core/src/job/index.ts"
import { type Machine, statesOf, toMermaid } from "../../packages/core/src/machine/index.ts"

const picture = (machine: Machine<string, string, string>): string => `\`\`\`mermaid\n${toMermaid(machine)}\`\`\``

/** Rows that stay where they are, which the picture leaves out: event → states. */
const staying = ({ rows }: Machine<string, string, string>): string => {
  const events = new Map<string, Set<string>>()
  for (const { from, on, to } of rows) if (from === to) events.set(on, (events.get(on) ?? new Set()).add(from))
  return [...events].map(([on, states]) => `| \`${on}\` | ${[...states].join(", ")} |`).join("\n")
}

const section = (title: string, machine: Machine<string, string, string>): string => `## ${title}

${statesOf(machine).length - 1} states, ${machine.rows.length} rows.

${picture(machine)}

Accepted without a change of state (once more the same, or beside the state):

| event | in |
| --- | --- |
${staying(machine)}
`

/** `docs/jobs-diagrams.md`: both relations of the lifecycle as pictures. */
export const jobsDiagramsPage =
  (): string => `<!-- Made by \`npm run generate\` from packages/core/src/job/Lifecycle.ts. -->

# The two relations of a job's lifecycle

What they mean is told in [jobs.md](jobs.md). A name in brackets is a guard that must hold, \`not\` before it that it must
not. What no row lists is refused.

${section("leased: our workers run the job", leased)}
${section("reported: an outside driver runs it and tells", reported)}`
