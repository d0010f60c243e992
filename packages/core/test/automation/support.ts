/** Automation jobs after commands, with the log that led there. */
import { type AutomationFacts, automationKind, type AutomationParameters } from "@sotto/core/automation"
import { type Command, decide, type Job, type JobEvent, submissionOf } from "@sotto/core/job"

export const parameters: AutomationParameters = {
  serviceId: "bd80b73a-af55-4087-a5d4-91f6c8619948",
  serviceName: "School Menu",
  domainId: "Generic",
  category: "test",
  callbackUrl: null,
  dataKey: "key-1"
}

export interface Lived {
  readonly job: Job
  readonly log: ReadonlyArray<JobEvent>
}

/** Commands one every millisecond from 1000; each must be taken. A function may look at the job and say when. */
/** A command, and when it comes if not a millisecond after the last. */
export type Move = (job: Job) => Command | readonly [Command, number]

export const lived = (...commands: ReadonlyArray<Move>): Lived => {
  const submission = submissionOf(automationKind, parameters, { id: "job-1", tenant: "t" })
  let { job, log } = taken(undefined, { _tag: "Submit", submission }, 1_000)
  for (const [i, command] of commands.entries()) {
    const given = command(job)
    const [one, now] = "_tag" in given ? [given, 1_001 + i] : given
    const next = taken(job, one, now)
    job = next.job
    log = [...log, ...next.log]
  }
  return { job, log }
}

const taken = (job: Job | undefined, command: Command, now: number): Lived => {
  const decision = decide(automationKind, job, command, now)
  if (decision._tag === "Rejected") throw new Error(decision.message)
  return { job: decision.job, log: decision.events }
}

export const claim = (): Command => ({ _tag: "Claim", worker: "w" })
export const start = ({ epoch }: Job): Command => ({ _tag: "Start", epoch })
export const emit =
  (key: string) =>
  ({ epoch }: Job): Command => ({ _tag: "Emit", epoch, key })
export const ask =
  (key: string, rejects = false) =>
  ({ epoch }: Job): Command => ({ _tag: "Ask", epoch, key, stage: "", waitMs: 900_000, rejects })
export const give = (key: string) => (): Command => ({ _tag: "GiveInput", key, data: "almond" })
export const succeed =
  (code: string | null) =>
  ({ epoch }: Job): Command => ({ _tag: "Succeed", epoch, result: { code } })
export const cancel = (): Command => ({ _tag: "Cancel", by: "client", reason: null })
export const reset = (): Command => ({ _tag: "Reset", by: "client", fromInput: null, preserve: [] })
export const challenge =
  (id: string) =>
  ({ epoch }: Job): Command => ({ _tag: "AskExternal", epoch, id, data: null, waitMs: 900_000 })
export const challenged = (id: string) => (): Command => ({ _tag: "FinishExternal", id, data: null })

export const facts = (job: Job, more: Partial<AutomationFacts> = {}): AutomationFacts => ({
  job,
  word: automationKind.outward.word(job, { slotFree: true }),
  progress: null,
  piiRemoved: false,
  now: 5_000,
  ...more
})
