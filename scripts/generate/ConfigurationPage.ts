import { configSchema } from "../../packages/cli/src/serve/ServerConfig.ts"

interface Part {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: ReadonlyArray<string>
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Part>>
  readonly patternProperties?: Readonly<Record<string, Part>>
  readonly additionalProperties?: Part | boolean
  readonly required?: ReadonlyArray<string>
  readonly items?: Part
  readonly anyOf?: ReadonlyArray<Part>
}

/** The text of `docs/sotto.schema.json`, which the package `sotto` ships too. */
export const configSchemaFile = (): string => JSON.stringify(configSchema())

/** What a value may be, in few words. */
const valueOf = (part: Part): string => {
  if (part.enum !== undefined) return part.enum.map((one) => `\`"${one}"\``).join(", ")
  if (part.anyOf !== undefined) return [...new Set(part.anyOf.map(valueOf))].join(" or ")
  if (part.type === "integer") return `${part.minimum} to ${part.maximum}`
  if (part.type === "array") return `list of ${valueOf(part.items ?? {})}`
  if (part.type === "boolean") return "true, false"
  return part.type === "string" ? "text" : "object"
}

const defaultOf = ({ default: value }: Part): string => (value === undefined ? "" : `\`${JSON.stringify(value)}\``)

/** A row for a field, and rows for those inside it: `<name>` stands for a name of the writer's choice, `[]` for an item. */
const rowsOf = (path: string, part: Part, required: boolean): ReadonlyArray<string> => [
  ...(part.description === undefined
    ? []
    : [
        `| \`${path}\` | ${valueOf(part)} | ${required ? "required" : defaultOf(part)} | ${part.description.replaceAll("|", "\\|")} |`
      ]),
  ...insideOf(path, part)
]

const insideOf = (path: string, part: Part): ReadonlyArray<string> => {
  const named = [...Object.values(part.patternProperties ?? {}), part.additionalProperties].find(
    (one) => typeof one === "object"
  )
  return [
    ...(part.anyOf ?? []).flatMap((one) => insideOf(path, one)),
    ...Object.entries(part.properties ?? {}).flatMap(([name, field]) =>
      rowsOf(path === "" ? name : `${path}.${name}`, field, part.required?.includes(name) === true)
    ),
    ...(part.items === undefined ? [] : insideOf(`${path}[]`, part.items)),
    ...(named === undefined ? [] : insideOf(`${path}.<name>`, named))
  ]
}

/** `docs/configuration.md`: every field of `sotto.json`, from the schema that reads it. */
export const configurationPage =
  (): string => `<!-- Made by \`npm run generate\` from packages/cli/src/serve/ServerConfig.ts. -->

# sotto.json

What [\`sotto serve\` and \`sotto worker\`](server.md) read: the file named by \`--config\`, else \`sotto.json\` of the current
folder if there is one. Every field has a default, so that the file may be absent or hold only what is different.

A field that is not listed here is an error, as is a value of another form; all faults are told at once, each with its
path. \`sotto serve --check-config\` reads the file, says what would run, and starts nothing. Editors check it while it is
written if \`"$schema"\` leads to [sotto.schema.json](sotto.schema.json), which lies in the package \`sotto\` as well:
\`"./node_modules/sotto/sotto.schema.json"\`.

A secret never stands in the file: where one belongs, \`{ "file": "path" }\` or \`{ "env": "NAME" }\` says where it is.

| Field | Value | Default | |
| --- | --- | --- | --- |
${insideOf("", configSchema() as Part).join("\n")}
`
