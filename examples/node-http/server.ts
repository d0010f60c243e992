/**
 * A plain node:http service that takes aggregations as jobs: no framework, no database to set up.
 *
 *   POST /jobs          {"kind": …, "parameters": …}  -> 202 {"id": …}
 *   GET  /jobs/ID                                     -> the job
 *   GET  /jobs/ID/events                              -> its events, one JSON line each, until it ends
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { json } from "node:stream/consumers"
import { SottoError, type SottoEngine } from "sotto"

const STATUS: Readonly<Record<string, number>> = {
  UnknownJob: 404,
  UnknownKind: 404,
  InvalidSubmission: 400,
  KeyTaken: 409
}

const answer = (response: ServerResponse, status: number, body: unknown): void =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))

const route = async (engine: SottoEngine, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const [, jobs, id = "", events] = (request.url ?? "").split("/")
  if (jobs !== "jobs") return answer(response, 404, { message: "There is only /jobs." })
  if (request.method === "POST") {
    const { kind, parameters, key } = (await json(request)) as { kind: string; parameters: unknown; key?: string }
    const { job, created } = await engine.submit(kind, parameters, { key: key ?? null })
    return answer(response, created ? 202 : 200, { id: job.id })
  }
  if (events !== "events") return answer(response, 200, await engine.get(id))
  const gone = new AbortController()
  response.on("close", () => gone.abort())
  await engine.get(id)
  response.writeHead(200, { "content-type": "application/x-ndjson" })
  for await (const event of engine.events(id, { signal: gone.signal })) response.write(`${JSON.stringify(event)}\n`)
  response.end()
}

export const serviceOf = (engine: SottoEngine) =>
  createServer((request, response) => {
    route(engine, request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy()
      const { code, message } =
        error instanceof SottoError ? error : { code: "Defect", message: "Something went wrong." }
      answer(response, STATUS[code] ?? 500, { code, message })
    })
  })
