/**
 * Writes the files that are made from other files; with `--check` only says which ones differ.
 *
 * A generator is a file name and a function that gives its text. Add yours to the list: `npm run generate` writes it
 * and `npm run check` fails while the committed file differs.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as prettier from "prettier"
import { commandLinePage } from "./generate/CommandLinePage.ts"
import { configSchemaFile, configurationPage } from "./generate/ConfigurationPage.ts"
import { jobsDiagramsPage } from "./generate/JobsDiagramsPage.ts"
import { kindsPage } from "./generate/KindsSection.ts"
import { packagesPage } from "./generate/PackagesPage.ts"
import { root } from "./support/Project.ts"

/** File, relative to the root → its text before formatting. */
const generators: Readonly<Record<string, () => string | Promise<string>>> = {
  "docs/cli.md": commandLinePage,
  "docs/configuration.md": configurationPage,
  "docs/jobs-diagrams.md": jobsDiagramsPage,
  "docs/kinds.md": kindsPage,
  "docs/packages.md": packagesPage,
  "docs/sotto.schema.json": configSchemaFile,
  "packages/sotto/sotto.schema.json": configSchemaFile
}

/** Each generated file with the text it should have, formatted as the rest of the project is. */
export const generated = (): Promise<
  ReadonlyArray<{ readonly file: string; readonly text: string; readonly current: boolean }>
> =>
  Promise.all(
    Object.entries(generators).map(async ([file, generate]) => {
      const path = join(root, file)
      const options = await prettier.resolveConfig(path)
      const text = await prettier.format(await generate(), { ...options, filepath: path })
      return { file, text, current: existsSync(path) && readFileSync(path, "utf8") === text }
    })
  )

if (process.argv[1] === import.meta.filename) {
  const stale = (await generated()).filter(({ current }) => !current)
  const check = process.argv.includes("--check")
  for (const { file, text } of stale) {
    if (!check) {
      mkdirSync(dirname(join(root, file)), { recursive: true })
      writeFileSync(join(root, file), text)
    }
    process.stdout.write(check ? `${file} is out of date: npm run generate\n` : `${file} written\n`)
  }
  if (check && stale.length > 0) process.exitCode = 1
}
