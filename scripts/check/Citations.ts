/**
 * Comments say where a rule comes from: `spec: ledger §3`, `spec: aggregation §4.2, §17-11`. This looks every citation up
 * in `docs/spec`, so that a reader finds what is cited.
 */
import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { root } from "../support/Project.ts"
import { atLeast, type Findings } from "../support/Step.ts"

/** One section of a page; without a section, the page as a whole. */
export interface Citation {
  readonly page: string
  /** `4.1`, or `4.1-7` for item 7 of a table or list in it. */
  readonly section?: string
}

/** What a file cites. A citation may go on in the next line of its comment. */
export const citationsOf = (text: string): ReadonlyArray<Citation> => {
  const joined = text.replace(/\s*\n\s*(?:\*(?!\/)|\/\/|#)?\s*/g, " ")
  return [...joined.matchAll(/\bspec: ([a-z]+)((?:(?:,| and| or| to)? §\w+(?:\.\d+)?(?:-\d+)?)*)/g)].flatMap(
    ([, page = "", list = ""]): ReadonlyArray<Citation> => {
      const sections = list.match(/(?<=§)\w+(?:\.\d+)?(?:-\d+)?/g)
      return sections === null ? [{ page }] : sections.map((section) => ({ page, section }))
    }
  )
}

/** Everything of a page that can be cited: numbers of headings, and of rows and items below them as `17-11`. */
export const placesOf = (markdown: string): ReadonlySet<string> => {
  const places = new Set<string>()
  let section = ""
  for (const line of markdown.split("\n")) {
    const heading = /^#+ (\d+(?:\.\d+)?)\b/.exec(line)?.[1]
    if (heading !== undefined) places.add((section = heading))
    const item = /^(?:\| *(\d+) *\||(\d+)\. )/.exec(line)
    if (item !== null) places.add(`${section}-${item[1] ?? item[2]}`)
  }
  return places
}

/** The citations that lead nowhere, as a reader would write them. */
export const unresolved = (
  citations: ReadonlyArray<Citation>,
  pages: ReadonlyMap<string, ReadonlySet<string>>
): ReadonlyArray<string> =>
  citations
    .filter(({ page, section }) => !(section === undefined ? pages.has(page) : pages.get(page)?.has(section)))
    .map(({ page, section }) => (section === undefined ? page : `${page} §${section}`))

export const citations = async (): Promise<Findings> => {
  const pages = new Map(
    globSync("docs/spec/*.md", { cwd: root }).map((file) => [
      basename(file, ".md"),
      placesOf(readFileSync(join(root, file), "utf8"))
    ])
  )
  const files = globSync("{packages/*/{src,test,bin,examples},scripts,test,bench,docs}/**/*.{ts,js,py,md,html}", {
    cwd: root,
    exclude: ["**/node_modules/**", "test/Citations.test.ts"]
  })
  const found = files.map((file) => ({ file, cited: citationsOf(readFileSync(join(root, file), "utf8")) }))
  const count = found.reduce((sum, { cited }) => sum + cited.length, 0)
  return {
    read: `${count} citations in ${files.length} files`,
    faults: [
      ...atLeast(2, pages.size, "pages of docs/spec"),
      ...atLeast(50, count, "citations"),
      ...found.flatMap(({ file, cited }) =>
        unresolved(cited, pages).map((citation) => `${file} cites ${citation}, which docs/spec does not have`)
      )
    ]
  }
}
