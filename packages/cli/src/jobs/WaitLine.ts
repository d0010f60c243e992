import { note, seconds } from "../Terminal.ts"
import type { ShownJob } from "./JobsClient.ts"

/** What is shown while somebody waits for a job. */
export interface WaitLine {
  readonly update: (job: ShownJob) => void
  readonly end: () => void
}

const CELLS = 24

/** `reports [████████░░░░░░░░] 33 %, 2.4 s left` as far as a job tells it. */
export const progressText = ({ word, progress }: Pick<ShownJob, "word" | "progress">): string => {
  if (progress === null) return word
  const { done, total, phase, details } = progress
  if (total === null || total <= 0) return `${phase ?? word} ${done}`
  const share = Math.min(1, done / total)
  const full = Math.floor(share * CELLS)
  const left = (details as { readonly secondsLeft?: unknown } | null)?.secondsLeft
  const rest = typeof left === "number" && left > 0 ? `, ${seconds(left * 1_000)} left` : ""
  return `${phase ?? word} [${"█".repeat(full)}${"░".repeat(CELLS - full)}] ${Math.floor(100 * share)} %${rest}`
}

/** A bar that redraws itself on a terminal; elsewhere a line whenever the job enters another state or phase. */
export const waitLine = (bar: boolean, write: (text: string) => void = note): WaitLine => {
  let told = ""
  if (bar) {
    return {
      update: (job) => void process.stderr.write(`\r\u001b[K${progressText(job)}`),
      end: () => void process.stderr.write("\r\u001b[K")
    }
  }
  return {
    update: (job) => {
      const { word, progress } = job
      const now = progress?.phase == null ? word : `${word}: ${progress.phase}`
      if (now === told) return
      told = now
      write(now)
    },
    end: () => {}
  }
}
