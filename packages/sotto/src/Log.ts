/** Where an embedded engine logs: to stderr, so that the stdout of its host stays the host's. */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { MinimumLogLevel } from "effect/References"

const LEVELS = { debug: "Debug", info: "Info", warn: "Warn", error: "Error", none: "None" } as const

/** One line of the log. */
export interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error"
  readonly at: Date
  readonly message: string
  /** What went wrong, with its stack; absent if nothing did. */
  readonly cause?: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** The least level that is written to stderr as logfmt, or who is given every entry. What it throws is ignored. */
export type Log = keyof typeof LEVELS | ((entry: LogEntry) => void)

const levelOf = (name: string): LogEntry["level"] => {
  switch (name) {
    case "Trace":
    case "Debug":
      return "debug"
    case "Warn":
      return "warn"
    case "Error":
    case "Fatal":
      return "error"
    default:
      return "info"
  }
}

const toHost = (write: (entry: LogEntry) => void) =>
  Logger.make<unknown, void>((options) => {
    const { message, cause, annotations } = Logger.formatStructured.log(options)
    const entry = {
      level: levelOf(options.logLevel),
      at: options.date,
      message: [message].flat().map(String).join(" "),
      ...(cause === undefined ? {} : { cause }),
      annotations
    }
    try {
      write(entry)
    } catch {
      // A log that is full or gone must not stop jobs.
    }
  })

export const LOG_LEVELS = Object.keys(LEVELS)

export const isLog = (log: unknown): log is Log | undefined =>
  log === undefined || typeof log === "function" || (typeof log === "string" && Object.hasOwn(LEVELS, log))

/** The logger of an engine; takes the place of every other one. */
export const layerLog = (log: Log = "info"): Layer.Layer<never> =>
  typeof log === "function"
    ? Layer.merge(Logger.layer([toHost(log)]), Layer.succeed(MinimumLogLevel, "Debug"))
    : Layer.merge(
        Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]),
        Layer.succeed(MinimumLogLevel, LEVELS[log])
      )
