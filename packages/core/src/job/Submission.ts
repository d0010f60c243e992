import type { Command } from "./Command.ts"
import type { Submission } from "./Event.ts"
import type { Relation } from "./Lifecycle.ts"
import { retryFaults } from "./Retry.ts"

/** The longest id, tenant, kind, key or concurrency key, in UTF-16 units. */
export const MAX_NAME = 200

export const MAX_PRIORITY = 100

/** A sentence for everything in a submission that is out of range; empty for a sound one. */
export const submissionFaults = (
  kind: { readonly name: string; readonly relation: Relation },
  submission: Submission
): ReadonlyArray<string> => {
  const { relation, key, concurrencyKey, priority, notBefore, deadlineMs, silenceMs, retentionMs, inputs } = submission
  const fault = (sound: boolean, sentence: string) => (sound ? [] : [sentence])
  return [
    ...fault(submission.kind === kind.name && relation === kind.relation, `the submission is not of kind ${kind.name}`),
    ...fault(/^[!-~]{1,200}$/.test(submission.id), "id is a text of 1 to 200 visible ASCII characters"),
    ...fault(isName(submission.tenant), `tenant ${NAME_RULE}`),
    ...fault(key === null || isName(key), `key ${NAME_RULE}`),
    ...fault(submission.name === null || isName(submission.name), `name ${NAME_RULE}`),
    ...fault(concurrencyKey === null || isName(concurrencyKey), `concurrencyKey ${NAME_RULE}`),
    ...fault(
      Number.isInteger(priority) && Math.abs(priority) <= MAX_PRIORITY,
      `priority is a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}, not ${priority}`
    ),
    ...fault(notBefore === null || isMillis(notBefore), "notBefore is a time in whole milliseconds since 1970"),
    ...fault(deadlineMs === null || isDuration(deadlineMs), "deadlineMs is a whole number of milliseconds from 1"),
    ...fault(silenceMs === null || isDuration(silenceMs), "silenceMs is a whole number of milliseconds from 1"),
    ...fault(isDuration(retentionMs), "retentionMs is a whole number of milliseconds from 1"),
    ...fault(
      new Set(inputs.map(({ key }) => key)).size === inputs.length && inputs.every(({ key }) => isName(key)),
      `the keys of inputs differ, and each ${NAME_RULE}`
    ),
    ...fault(relation === "leased" || deadlineMs === null, "a reported job has no deadline: its driver runs it"),
    ...fault(relation === "leased" || notBefore === null, "a reported job has no notBefore: its driver runs it"),
    ...fault(
      relation === "reported" || silenceMs === null,
      "a leased job has no silenceMs: its lease says if it lives"
    ),
    ...retryFaults(submission.retry)
  ]
}

const NAME_RULE = `is a text of 1 to ${MAX_NAME} characters without control characters`

/** Databases, headers and logs agree on texts without control characters. */
export const isName = (text: string): boolean =>
  text.length >= 1 && text.length <= MAX_NAME && ![...text].some((c) => c < " " || c === "\u007f")

/** A sentence for everything in a command that is out of range: keys are names, waits are durations. */
export const commandFaults = (command: Command): ReadonlyArray<string> => {
  const named = [
    ...("key" in command ? [command.key] : []),
    ...("id" in command ? [command.id] : []),
    ...("by" in command ? [command.by] : []),
    ...("worker" in command ? [command.worker] : []),
    ...(command._tag === "Rename" && command.name !== null ? [command.name] : [])
  ]
  return [
    ...named.filter((text) => !isName(text)).map((text) => `${JSON.stringify(text)} is no name: a name ${NAME_RULE}`),
    ...("waitMs" in command && !isDuration(command.waitMs)
      ? [`waitMs is a whole number of milliseconds from 1, not ${command.waitMs}`]
      : [])
  ]
}

const isMillis = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/** Up to a thousand years, so that no sum with a time leaves the safe integers. */
const isDuration = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 31_536_000_000_000
