import * as Layer from "effect/Layer"
import { httpInterface } from "../Interface.ts"
import { automationJobs } from "./AutomationJobs.ts"
import type { Prefix } from "./Declare.ts"
import { automationVault } from "./Vault.ts"
import { automationWork } from "./Work.ts"

export interface AutomationInterfaceOptions {
  /** Where it lies; `/automation` unless told, so that the other interfaces keep their addresses. */
  readonly prefix?: Prefix
}

/**
 * The automation interface: jobs at `<prefix>/jobs`, the vault at `<prefix>/vault`, client credentials at
 * `<prefix>/oauth2/token`, workers outside at `<prefix>/worker`. With the handlers of `Automations` and `OutsideWork`.
 */
export const automationInterface = ({ prefix = "/automation" }: AutomationInterfaceOptions = {}) => {
  const parts = [automationJobs(prefix), automationVault(prefix), automationWork(prefix)] as const
  const [jobs, vault, work] = parts
  return httpInterface(
    parts.map(({ group }) => group),
    Layer.mergeAll(jobs.layer, vault.layer, work.layer)
  )
}
