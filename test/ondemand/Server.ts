/** `sotto serve` with models, as a process, and its clients. */
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { serve, type Server } from "../../packages/cli/test/serve/Server.ts"

/** A new folder with a configuration that offers the models of a module of this repository. */
export const folderWith = (module: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "sotto-models-"))
  const file = join(import.meta.dirname, "../..", module)
  writeFileSync(join(folder, "sotto.json"), JSON.stringify({ folder: ".", models: { module: file } }))
  return folder
}

export const serveModels = (folder: string): Promise<Server> => serve(["--config", join(folder, "sotto.json")])

/** The envelope of an answer, with its status. */
export const ask = async (url: string, line: string, init: RequestInit = {}) => {
  const [method = "", path = ""] = line.split(" ")
  const answer = await fetch(`${url}/api/v1/${path}`, { method, ...init })
  // oxlint-disable-next-line typescript/no-explicit-any
  return { status: answer.status, body: (await answer.json()) as any }
}

export const submission = (data: unknown, file: string, fileName = "example.csv"): FormData => {
  const form = new FormData()
  form.append("data", JSON.stringify(data))
  form.append("file", new Blob([file]), fileName)
  return form
}

export const resultOf = async (url: string, id: string): Promise<string> => {
  const { body } = await ask(url, `GET jobs/result-link/${id}`)
  return (await fetch(body.data)).text()
}
