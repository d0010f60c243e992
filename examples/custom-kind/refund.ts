/**
 * A kind of job that stops to ask a person. While it waits it takes no worker, and a restart of the service loses nothing:
 * the handler starts anew and finds its outputs and answers there.
 */
import { defineKind, JobError } from "sotto"

interface Refund {
  readonly order: string
  readonly cents: number
}

const readRefund = (value: unknown): Refund => {
  const { order, cents } = (value ?? {}) as Partial<Refund>
  if (typeof order !== "string" || typeof cents !== "number") throw new Error("order is a text, cents a number")
  return { order, cents }
}

export const refunds = (pay: (refund: Refund) => Promise<string>) =>
  defineKind({
    name: "refund",
    parameters: readRefund,
    inputMs: 24 * 3_600_000,
    async run({ parameters, progress, ask, once }) {
      progress(0, 2, "checking")
      if (parameters.cents > 10_000) {
        const approval = await ask("approval", {
          stage: `a refund of ${parameters.cents / 100} for ${parameters.order}`
        })
        if (approval !== "yes") {
          throw new JobError("Declined", "The refund was declined.", { category: "client", details: approval })
        }
      }
      progress(1, 2, "paying")
      // Remembered when it is done, so that a retry does not do it again.
      const receipt = await once("receipt", () => pay(parameters))
      return { receipt }
    }
  })
