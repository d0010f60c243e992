/** Automations that a server offers: services that a module of the host exports. */
import { fromHex } from "@sotto/core/Bytes"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import {
  type AutomationService,
  layerAutomations,
  layerOutsideWork,
  layerPersonalData,
  serviceFaults
} from "@sotto/engine"
import { layerAddressGuard, layerGuardedFiles } from "@sotto/webhooks"
import * as Layer from "effect/Layer"
import { CommandError } from "../Failure.ts"
import { exportsOf } from "./HostModule.ts"
import { readSecret, type Settings } from "./ServerConfig.ts"

/** What the module exports, checked; none without a module. */
export const loadServices = async ({ config, folder }: Settings): Promise<ReadonlyArray<AutomationService>> => {
  if (config.automation === undefined) return []
  const { services } = config.automation
  const found = (await exportsOf(folder, services, "automation.services")).filter(isService)
  if (found.length === 0) {
    throw new CommandError(`automation.services: ${services} exports no service. Export what \`defineService\` gives.`)
  }
  const faults = serviceFaults(found)
  if (faults.length > 0) throw new CommandError(`automation.services: ${faults.join("; ")}.`)
  return found
}

const isService = (value: unknown): value is AutomationService => {
  const { _tag, id, name } = (value ?? {}) as Partial<AutomationService>
  return (_tag === "Inside" || _tag === "Outside") && typeof id === "string" && typeof name === "string"
}

const KEY_BYTES = 32

/** The key that wraps those of jobs; without one the store keeps its own. */
export const serverKeyOf = ({ config, folder }: Settings): SecretBytes | undefined => {
  const key = config.automation?.key
  if (key === undefined) return undefined
  const bytes = fromHex(readSecret(key, folder, "automation.key"))
  if (bytes?.length === KEY_BYTES) return new SecretBytes(bytes)
  throw new CommandError("automation.key: what is there is no key. Write 64 characters of 0-9 a-f.")
}

/** Seals what people give and get, and fetches the files that they name. */
export const layerPersonalDataOf = (settings: Settings) => {
  const serverKey = serverKeyOf(settings)
  const { allow } = settings.config.webhooks
  return Layer.merge(
    layerPersonalData(serverKey === undefined ? {} : { serverKey }),
    layerGuardedFiles().pipe(Layer.provide(layerAddressGuard({ allow })))
  )
}

/** Automations for clients, and for workers outside. */
export const layerAutomationOf = ({ services }: { readonly services: ReadonlyArray<AutomationService> }) =>
  Layer.merge(layerAutomations({ services }), layerOutsideWork({ services }))
