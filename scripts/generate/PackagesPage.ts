import { readFileSync } from "node:fs"
import { join } from "node:path"
import { packages, root } from "../support/Project.ts"

interface Imports {
  readonly workspace: ReadonlyArray<string>
  readonly npm: ReadonlyArray<string>
  readonly node: boolean
}

/** `docs/packages.md`: every package, what it is, and what it may import. */
export const packagesPage = (): string => {
  const imports: Readonly<Record<string, Imports>> = JSON.parse(
    readFileSync(join(root, "scripts/imports.json"), "utf8")
  )
  const all = packages()
  const nameOf = (folder: string) => all.find((one) => one.folder === folder)?.name ?? folder
  const rows = all.map(({ folder, name, manifest }) => {
    const { workspace = [], npm = [], node = false } = imports[folder] ?? {}
    const may = [...workspace.map(nameOf), ...npm].map((one) => `\`${one}\``).join(", ")
    return `| \`${name}\` | ${manifest.description ?? ""} | ${may || "nothing"} | ${node ? "Node" : "Node, browser"} |`
  })
  return `<!-- Made by \`npm run generate\` from the package.json files and scripts/imports.json. -->

# Packages

| Package | What it is | May import | Runs in |
| --- | --- | --- | --- |
${rows.join("\n")}

Inside \`@sotto/core\`, \`budget\`, \`noise\` and \`aggregation\` import only \`@noble/hashes\` and one another, so that the
threads of the data plane never load \`effect\`; \`ports\` import few sub-paths of \`effect\` whose symbols are marked stable.
No adapter imports another adapter or the engine; only \`sotto\`, \`@sotto/cli\`, tests and hosts put them together.
\`npm run check\` holds all of this against the sources.
`
}
