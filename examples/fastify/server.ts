/**
 * A Fastify service that takes aggregations as jobs and owns its engine: closing the service closes both.
 *
 *   POST   /jobs             {"kind": …, "parameters": …, "key": …}  -> 202 {"id": …}
 *   GET    /jobs/ID                                                  -> state, progress and outcome: poll it, or
 *   GET    /jobs/ID/events                                           -> its events as a stream (SSE) until it ends
 *   DELETE /jobs/ID                                                  -> cancels it
 */
import { Readable } from "node:stream"
import Fastify, { type FastifyInstance } from "fastify"
import { SottoError, type SottoEngine } from "sotto"

interface Submission {
  readonly kind: string
  readonly parameters: unknown
  readonly key?: string
}
interface OneJob {
  readonly Params: { readonly id: string }
}

const STATUS: Readonly<Record<string, number>> = {
  UnknownJob: 404,
  UnknownKind: 404,
  InvalidSubmission: 400,
  KeyTaken: 409,
  CommandRefused: 409
}

const SUBMISSION = {
  type: "object",
  required: ["kind", "parameters"],
  properties: { kind: { type: "string" }, parameters: {}, key: { type: "string" } }
}

async function* stream(engine: SottoEngine, id: string, after: number, signal: AbortSignal) {
  try {
    for await (const { seq, _tag, state } of engine.events(id, { after, signal })) {
      yield `id: ${seq}\nevent: ${_tag}\ndata: ${JSON.stringify({ state })}\n\n`
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

export const serviceOf = (engine: SottoEngine): FastifyInstance => {
  const service = Fastify()
  const closing = new AbortController()
  service.addHook("preClose", async () => closing.abort())
  service.addHook("onClose", () => engine.close())

  service.setErrorHandler((error, _, reply) => {
    if (!(error instanceof SottoError)) throw error
    const { code, message } = error
    return reply.code(STATUS[code] ?? 500).send({ code, message })
  })

  service.post<{ Body: Submission }>("/jobs", { schema: { body: SUBMISSION } }, async ({ body }, reply) => {
    const { kind, parameters, key = null } = body
    const { job, created } = await engine.submit(kind, parameters, { key })
    return reply.code(created ? 202 : 200).send({ id: job.id })
  })

  service.get<OneJob>("/jobs/:id", async ({ params: { id } }) => {
    const { job, progress } = await engine.get(id)
    return { id, state: job.state, progress, outcome: job.outcome }
  })

  service.get<OneJob>("/jobs/:id/events", async ({ params: { id }, headers }, reply) => {
    await engine.get(id)
    // A browser that lost the connection says how far it came.
    const after = Number(headers["last-event-id"] ?? 0) || 0
    // The connection carries nothing else, so that it is free when the stream ends.
    reply.header("connection", "close").type("text/event-stream")
    return reply.send(Readable.from(stream(engine, id, after, closing.signal)))
  })

  service.delete<OneJob>("/jobs/:id", async ({ params: { id } }) => {
    const { state } = await engine.cancel(id)
    return { id, state }
  })
  return service
}
