/** What a configuration comes to, before anything is started. */
import { automationKind } from "@sotto/core/automation"
import { sqlRunKind } from "@sotto/core/launcher"
import { onDemandKind } from "@sotto/core/tabular"
import { tenantFaults } from "@sotto/http"
import { siteOf } from "@sotto/local"
import { CommandError } from "../Failure.ts"
import { apiKeysOf, placesOf, type Running, tenantsOf } from "./Compose.ts"
import { serverKeyOf } from "./Automation.ts"
import type { Settings } from "./ServerConfig.ts"

/** Refuses what each field may say but all of them together may not. */
export const checkSettings = (settings: Settings): void => {
  const faults = tenantFaults(tenantsOf(settings.config), siteOf)
  if (faults.length > 0)
    throw new CommandError(`${settings.file ?? "The configuration"}:\n${faults.map((one) => `  ${one}`).join("\n")}`)
  apiKeysOf(settings)
  serverKeyOf(settings)
}

/** What would run, with nothing that is secret. */
export interface Plan {
  readonly config: string
  readonly store: string
  readonly keys: string
  readonly ledgerKeys: string
  readonly buckets: Readonly<Record<string, string>>
  readonly tenants: ReadonlyArray<string>
  readonly models?: ReadonlyArray<string>
  /** The bucket of its collections. */
  readonly launcher?: string
  readonly services?: ReadonlyArray<string>
  readonly workers: string
}

export const planOf = (settings: Settings, { workers, models, services }: Running): Plan => {
  const { config, file } = settings
  const { concurrency } = config.workers
  const kinds = config.workers.kinds.filter(
    (kind) =>
      (kind !== onDemandKind.name || models.length > 0) &&
      (kind !== automationKind.name || services.length > 0) &&
      (kind !== sqlRunKind.name || config.launcher !== undefined)
  )
  return {
    config: file ?? "none: everything as unless told",
    ...placesOf(settings),
    tenants: Object.keys(config.tenants),
    ...(models.length === 0 ? {} : { models: models.map(({ name }) => name) }),
    ...(services.length === 0 ? {} : { services: services.map(({ name }) => name) }),
    ...(config.launcher === undefined ? {} : { launcher: config.launcher.bucket }),
    workers: workers ? `${concurrency} jobs at a time: ${kinds.join(", ")}` : "none"
  }
}

/** A line for each fact, for people. */
export const planLines = (plan: object): string =>
  Object.entries(plan)
    .map(([name, value]) => `${name.padEnd(10)} ${cell(value)}`)
    .join("\n")

const cell = (value: unknown): string =>
  Array.isArray(value)
    ? value.join(", ")
    : typeof value === "object" && value !== null
      ? Object.entries(value)
          .map(([name, folder]) => `${name} = ${folder}`)
          .join(`\n${" ".repeat(11)}`)
      : String(value)
