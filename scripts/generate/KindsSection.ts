import { readFileSync } from "node:fs"
import { join } from "node:path"
import { automationKind } from "@sotto/core/automation"
import { begin, type Failure, JOB_STATES, type Job, type JobKind, type JobState, submissionOf } from "@sotto/core/job"
import { launcherKind } from "@sotto/core/launcher"
import { statesOf, toMermaid } from "@sotto/core/machine"
import { onDemandKind } from "@sotto/core/tabular"
import { aggregationKind } from "@sotto/engine"
import { root } from "../support/Project.ts"

const FILE = "docs/kinds.md"
const [BEGIN, END] = ["<!-- Made by `npm run generate` from the kinds themselves: -->", "<!-- Made so far. -->"]

// oxlint-disable-next-line typescript/no-explicit-any
type AnyKind = JobKind<string, any, any, any, string>

const kinds: ReadonlyArray<AnyKind> = [aggregationKind, onDemandKind, launcherKind, automationKind]

/** A job of the kind in a state; only what words look at. */
const jobIn = (kind: AnyKind, state: JobState, more: Partial<Job>): Job => ({
  ...begin({
    _tag: "Submitted",
    submission: submissionOf(kind, null, { id: "job", tenant: "tenant" }),
    report: null,
    seq: 1,
    at: 0,
    state,
    epoch: 0,
    session: 1,
    outward: []
  }),
  ...more
})

const failedBy = (category: Failure["category"]): Partial<Job> => ({
  epoch: 1,
  outcome: { _tag: "Failed", failure: { code: "", category, message: "", details: null, retryable: false } }
})

/** What a job is that was never begun, and one that was. */
const FRESH: ReadonlyArray<Partial<Job>> = [{}]
const BEGUN: ReadonlyArray<Partial<Job>> = [{ epoch: 1 }, failedBy("client"), failedBy("server")]

/** The words of a state, with a free slot and without. */
const wordsOf = (kind: AnyKind, state: JobState, jobs: ReadonlyArray<Partial<Job>>): ReadonlyArray<string> =>
  statesOf(kind.lifecycle).includes(state)
    ? [
        ...new Set(
          jobs
            .filter(({ outcome }) => (outcome?._tag === "Failed") === (state === "Failed"))
            .flatMap((more) => [false, true].map((slotFree) => ({ job: jobIn(kind, state, more), slotFree })))
            .map(({ job, slotFree }) => kind.outward.word(job, { slotFree }))
        )
      ]
    : []

const table = (): string =>
  [
    `| state | ${kinds.map(({ name }) => name).join(" | ")} |`,
    `| --- |${kinds.map(() => " --- |").join("")}`,
    ...JOB_STATES.map((state) => {
      const words = kinds.map(
        (kind) =>
          wordsOf(kind, state, [...FRESH, ...BEGUN])
            .map((word) => `\`${word}\``)
            .join(" or ") || "–"
      )
      return `| ${state} | ${words.join(" | ")} |`
    })
  ].join("\n")

/** The machine as a client sees it: its states are words, and what changes no word is left out. */
const picture = (kind: AnyKind): string => {
  const { start } = kind.lifecycle
  const said = (state: string, jobs: ReadonlyArray<Partial<Job>>) =>
    state === start ? [state] : wordsOf(kind, state as JobState, jobs)
  const moves = kind.lifecycle.rows.filter(({ from, to }) => from !== to)
  const arrows = moves.flatMap(({ from, on, to }) =>
    said(from, [...FRESH, ...BEGUN]).flatMap((one) =>
      said(to, from === start ? FRESH : BEGUN).map((other) => ({ from: one, on, to: other }))
    )
  )
  const rows = [
    ...new Map(arrows.filter(({ from, to }) => from !== to).map((row) => [Object.values(row).join(" "), row])).values()
  ]
  const terminal = [...new Set(kind.lifecycle.terminal.flatMap((state) => said(state, BEGUN)))].filter((word) =>
    rows.some(({ to }) => to === word)
  )
  return `### ${kind.name}: ${kind.relation}\n\n\`\`\`mermaid\n${toMermaid({ start, terminal, rows })}\`\`\``
}

/** `docs/kinds.md` with its section on the four machines made anew. */
export const kindsPage = (): string => {
  const page = readFileSync(join(root, FILE), "utf8")
  const [before, rest = ""] = page.split(BEGIN)
  const after = rest.split(END)[1]
  if (after === undefined) throw new Error(`${FILE} has lost the lines between which its pictures are written.`)
  return `${before}${BEGIN}\n\n${table()}\n\n${kinds.map(picture).join("\n\n")}\n\n${END}${after}`
}
