/** What `GET /jobs` may be asked: `state` repeats and means any of them, all else must hold together (other systems A3). */
import type { JobState, Millis } from "../job/Lifecycle.ts"
import { AUTOMATION_WORDS, type AutomationWord, CATEGORIES } from "./AutomationKind.ts"

export interface ListQuery {
  readonly serviceId: string | undefined
  readonly category: (typeof CATEGORIES)[number] | undefined
  /** Empty: any. */
  readonly words: ReadonlyArray<AutomationWord>
  readonly sort: "createdAt" | "-createdAt"
  /** Both inclusive. */
  readonly since: Millis | undefined
  readonly until: Millis | undefined
  readonly limit: number
  readonly offset: number
}

export interface ListQueryRejected {
  readonly _tag: "ListQueryRejected"
  /** A sentence for each parameter. */
  readonly messages: ReadonlyArray<string>
}

const LIMIT = 100
const MOST = 1_000

const KNOWN = ["serviceId", "category", "state", "sort", "period", "since", "until", "limit", "offset"]

/** Reads the parameters of a query, in their order and with repetitions. Unknown ones are ignored. */
export const parseListQuery = (
  parameters: Iterable<readonly [name: string, value: string]>
): ListQuery | ListQueryRejected => {
  const messages: Array<string> = []
  const values = new Map<string, ReadonlyArray<string>>()
  for (const [name, value] of parameters) {
    if (KNOWN.includes(name) && value !== "") values.set(name, [...(values.get(name) ?? []), value])
  }
  const one = (name: string): string | undefined => {
    const given = values.get(name) ?? []
    if (given.length > 1) messages.push(`${name}: give it once`)
    return given[0]
  }
  const choice = <const C extends string>(name: string, text: string | undefined, choices: ReadonlyArray<C>) => {
    const found = choices.find((choice) => choice === text)
    if (text !== undefined && found === undefined) messages.push(`${name}: write one of ${choices.join(", ")}`)
    return found
  }
  const number = (name: string, least: number, most: number): number | undefined => {
    const text = one(name)
    const value = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (text === undefined) return undefined
    if (value >= least && value <= most) return value
    messages.push(`${name}: write a whole number from ${least} to ${most}`)
    return undefined
  }
  const period = choice("period", one("period"), ["range"])
  const [since, until] = [number("since", 0, Number.MAX_SAFE_INTEGER), number("until", 0, Number.MAX_SAFE_INTEGER)]
  const query: ListQuery = {
    serviceId: one("serviceId"),
    category: choice("category", one("category"), CATEGORIES),
    words: (values.get("state") ?? []).flatMap((text) => choice("state", text, AUTOMATION_WORDS) ?? []),
    sort: choice("sort", one("sort"), ["createdAt", "-createdAt"]) ?? "-createdAt",
    since: period === undefined ? undefined : since,
    until: period === undefined ? undefined : until,
    limit: number("limit", 1, MOST) ?? LIMIT,
    offset: number("offset", 0, Number.MAX_SAFE_INTEGER) ?? 0
  }
  return messages.length > 0 ? { _tag: "ListQueryRejected", messages } : query
}

/** The states in which a job can bear one of the words; `undefined`: any. Whether it does is to be looked at. */
export const statesOfWords = (words: ReadonlyArray<AutomationWord>): ReadonlyArray<JobState> | undefined =>
  words.length === 0 ? undefined : [...new Set(words.flatMap((word) => STATES_OF[word]))]

const STATES_OF: Readonly<Record<AutomationWord, ReadonlyArray<JobState>>> = {
  created: [],
  scheduled: [],
  pending: ["Queued"],
  processing: ["Queued", "Starting", "Running", "Finishing"],
  awaitingInput: ["AwaitingInput"],
  awaitingTds: ["AwaitingExternal"],
  success: ["Succeeded"],
  fail: ["Failed", "Cancelled"]
}
