import { conditionsOf, type Machine } from "./Machine.ts"

/**
 * The machine as a Mermaid state diagram.
 *
 * One arrow for each pair of states, in the order of the rows, so that the text changes only when the rows do. Rows by
 * which nothing happens are left out, and so are rows that stay where they are unless `loops` is set.
 */
export const toMermaid = (
  machine: Machine<string, string, string>,
  options: { readonly loops?: boolean } = {}
): string => {
  const arrows = new Map<string, Array<string>>()
  for (const row of machine.rows) {
    if (row.same === true || (row.from === row.to && options.loops !== true)) continue
    const arrow = `${row.from === machine.start ? "[*]" : row.from} --> ${row.to}`
    const conditions = conditionsOf(row)
    const label = conditions.length === 0 ? row.on : `${row.on} [${conditions.join(", ")}]`
    arrows.set(arrow, [...(arrows.get(arrow) ?? []), label])
  }
  return [
    "stateDiagram-v2",
    ...[...arrows].map(([arrow, labels]) => `  ${arrow}: ${labels.join("<br/>")}`),
    ...machine.terminal.map((state) => `  ${state} --> [*]`),
    ""
  ].join("\n")
}
