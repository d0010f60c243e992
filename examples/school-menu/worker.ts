/** The School Menu's script outside: a loop over the worker routes, with nothing but `fetch`. */
import { INGREDIENTS, menuWithout } from "./menu.ts"

export interface WorkerOptions {
  /** Where the interface lies, e.g. `http://127.0.0.1:8787/automation`. */
  readonly url: string
  /** A key of an operator. */
  readonly key: string
  readonly serviceId: string
  readonly signal: AbortSignal
  /** How long to wait when there is nothing to do; default 1 s. */
  readonly pollMs?: number
}

/** What the routes answer, as far as the loop looks at it. */
interface Said {
  readonly job?: { readonly id: string; readonly lease: string } | null
  readonly parked?: boolean
  readonly data?: unknown
  readonly message?: string
}

/** Takes jobs until it is told to stop. */
export const work = async ({ url, key, serviceId, signal, pollMs = 1_000 }: WorkerOptions): Promise<void> => {
  const post = async (path: string, body: object): Promise<Said | undefined> => {
    const answer = await fetch(`${url}/worker${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(body)
    })
    const said = (await answer.json()) as Said
    // 409: the lease is over, because the job was cancelled, reset, or took too long.
    if (answer.status === 409) return undefined
    if (!answer.ok) throw new Error(said.message ?? `status ${answer.status}`)
    return said
  }

  while (!signal.aborted) {
    const job = (await post(`/services/${serviceId}/claim`, { worker: "school-kitchen" }))?.job
    if (job === null || job === undefined) {
      await new Promise((resolve) => setTimeout(resolve, pollMs))
      continue
    }
    const call = (what: string, body: object = {}) => post(`/jobs/${job.id}/${what}`, { lease: job.lease, ...body })
    await call("heartbeat", { progress: { done: 1, total: 3 } })
    await call("output", { key: "ingredients", data: INGREDIENTS })
    const asked = await call("ask", { key: "ingredientToAvoid" })
    // Parked: the job is claimed again when the client has answered, and the loop comes here once more.
    if (asked === undefined || asked.parked) continue
    await call("output", { key: "menu", data: menuWithout(String(asked.data)) })
    await call("succeed", { code: null })
  }
}
