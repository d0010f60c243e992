/** The log of a server, on standard error: JSON lines for machines, lines to read on a terminal. */
import { styleText } from "node:util"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { MinimumLogLevel } from "effect/References"
import type { ServerConfig } from "./ServerConfig.ts"

const LEVELS = { trace: "Trace", debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

interface Entry {
  readonly at: Date
  readonly level: string
  readonly message: string
  readonly cause: string | undefined
  readonly annotations: Readonly<Record<string, unknown>>
}

const entryOf = (options: Logger.Options<unknown>): Entry => {
  const { message, cause, annotations } = Logger.formatStructured.log(options)
  return {
    at: options.date,
    level: options.logLevel.toLowerCase(),
    message: [message].flat().map(String).join(" "),
    cause,
    annotations
  }
}

/** One object on one line: `at` (RFC 3339), `level`, `message`, what else is known, and `cause` if something failed. */
export const jsonLine = ({ at, level, message, cause, annotations }: Entry): string =>
  JSON.stringify({ at: at.toISOString(), level, message, ...annotations, ...(cause === undefined ? {} : { cause }) })

const COLOURS = { warn: "yellow", error: "red", fatal: "red" } as const

/** `12:34:56 message name=value …`, without values that the message has; a level is told only when it matters. */
export const textLine = ({ at, level, message, cause, annotations }: Entry, colours: boolean): string => {
  const paint = (how: Parameters<typeof styleText>[0], text: string) =>
    colours ? styleText(how, text, { validateStream: false }) : text
  const colour = COLOURS[level as keyof typeof COLOURS]
  const told = new Set(message.split(" "))
  const rest = Object.entries(annotations)
    .map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)] as const)
    .filter(([, value]) => !told.has(value))
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")
  return [
    paint("dim", at.toTimeString().slice(0, 8)),
    ...(colour === undefined ? [] : [paint(colour, level)]),
    message,
    ...(rest === "" ? [] : [paint("dim", rest)])
  ]
    .join(" ")
    .concat(cause === undefined ? "" : `\n${cause}`)
}

/** Whether people read the log. */
export const isReadable = ({ format }: ServerConfig["log"]): boolean =>
  format === "auto" ? process.stderr.isTTY === true : format === "text"

export const layerLog = (log: ServerConfig["log"]): Layer.Layer<never> => {
  const readable = isReadable(log)
  const colours = readable && process.stderr.isTTY === true
  const logger = Logger.make<unknown, void>((options) => {
    const entry = entryOf(options)
    process.stderr.write(`${readable ? textLine(entry, colours) : jsonLine(entry)}\n`)
  })
  return Layer.merge(Logger.layer([logger]), Layer.succeed(MinimumLogLevel, LEVELS[log.level]))
}
