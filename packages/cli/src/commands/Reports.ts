import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ReportApi } from "@sotto/client"
import { readKeys } from "@sotto/fs"
import { CommandError, UsageError } from "../Failure.ts"
import { makeFolder, needFolderOf } from "../Folders.ts"
import { asOfOf } from "../Options.ts"
import { generateFiles } from "../reports/Generate.ts"
import { campaignKeySpace, csvKeySpace } from "../reports/KeySpace.ts"
import { packFiles } from "../reports/Pack.ts"
import { unsealFile } from "../reports/Unseal.ts"
import { run } from "../Run.ts"
import { grouped, note, progress } from "../Terminal.ts"

export interface GenerateOptions {
  readonly count: number
  readonly out: string
  readonly keys?: string
  readonly cleartext: boolean
  readonly seed: string
  readonly distribution?: string
  readonly campaigns: number
  readonly regions: number
  readonly api: ReportApi
  readonly origin: string
  readonly debugMode: boolean
  readonly asOf?: string
}

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    throw new CommandError(`${file} cannot be read: ${(error as Error).message}.`)
  }
}

export const generate = async (options: GenerateOptions): Promise<void> => {
  if (options.cleartext === (options.keys !== undefined))
    throw new UsageError("Give --keys FILE to seal the reports, or --cleartext to leave them open.")
  const [key] = options.keys === undefined ? [] : await run(readKeys(options.keys))
  if (options.keys !== undefined && key === undefined)
    throw new CommandError(`${options.keys} holds no key; make one with \`sotto keys generate --out ${options.keys}\`.`)
  makeFolder(options.out)
  const line = progress("reports")
  const truth = await generateFiles(
    {
      count: options.count,
      seed: options.seed,
      keySpace:
        options.distribution === undefined
          ? campaignKeySpace(options.campaigns, options.regions)
          : csvKeySpace(textOf(options.distribution), options.distribution),
      publicKey: key === undefined ? undefined : { id: key.id, key: key.publicKey },
      api: options.api,
      origin: options.origin,
      debugMode: options.debugMode,
      asOf: Math.floor(asOfOf(options.asOf) / 1000),
      onProgress: (done, total) => line.update(done, total, "reports")
    },
    options.out
  ).finally(line.end)
  note(`${grouped(options.count)} reports in ${join(options.out, "reports.avro")}`)
  note(
    `${grouped(truth.size)} keys in ${join(options.out, "domain.avro")}, their true sums in ${join(options.out, "truth.json")}`
  )
}

export const pack = async (
  files: ReadonlyArray<string>,
  options: { readonly out: string; readonly cleartext: boolean }
): Promise<void> => {
  needFolderOf(options.out)
  const count = await packFiles(files, options.out, { cleartext: options.cleartext })
  note(
    `${grouped(count)} ${options.cleartext ? "cleartext " : ""}${count === 1 ? "report" : "reports"} in ${options.out}`
  )
}

export const unseal = async (options: {
  readonly keys: string
  readonly in: string
  readonly out: string
}): Promise<void> => {
  needFolderOf(options.out)
  const keys = await run(readKeys(options.keys))
  const { opened, refused, first } = await unsealFile(
    options.in,
    options.out,
    keys.map(({ id, privateKey }) => ({ id, privateKey: privateKey.reveal() }))
  )
  note(`${grouped(opened)} reports in ${options.out}. This is raw data: it is not noised, and no budget protects it.`)
  if (refused === 0) return
  const why = first !== undefined && first._tag !== "Opened" ? ` The first, row ${first.index}: ${first.hint}` : ""
  throw new CommandError(`${grouped(refused)} reports did not open and are left out.${why}`)
}
