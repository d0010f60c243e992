/** What an adapter turns out to guarantee: each law, whether it holds, and what the adapter lacks for the whole of it. */
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { JobQueue } from "@sotto/core/ports/JobQueue"
import { JobStore } from "@sotto/core/ports/JobStore"
import { KeyRing } from "@sotto/core/ports/KeyRing"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { Records } from "@sotto/core/ports/Records"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { catches, checkLaw, type Law, type LawOptions } from "./Law.ts"

export interface Verdict {
  readonly law: string
  readonly rule: string
  /** `degraded`: it holds, and what the adapter lacks answers as the port says. */
  readonly verdict: "holds" | "degraded" | "broken"
  /** The capabilities that the law needs and the adapter has not. */
  readonly lacks: ReadonlyArray<string>
  /** How many wrong variants of this adapter the law was tried on, and how many it caught; none unless it holds in full. */
  readonly mutants?: { readonly tried: number; readonly caught: number }
  readonly failure?: string
}

export interface VerdictOptions extends LawOptions {
  /** Try the law's mutants over the adapter too: shows that the law has teeth here. */
  readonly mutants?: boolean
}

export type Capabilities = Readonly<Record<string, unknown>>

// oxlint-disable-next-line typescript/no-explicit-any
const PORTS: Readonly<Record<string, Context.Key<any, object>>> = {
  BlobStore,
  BudgetLedger,
  JobQueue,
  JobStore,
  KeyRing,
  LedgerKeys,
  Records
}

/** What the adapter of this port says that it can do; nothing for a port without capabilities. */
export const capabilitiesOf = <Port>(port: string, subject: Layer.Layer<Port>): Promise<Capabilities> => {
  const key = PORTS[port]
  return key === undefined
    ? Promise.resolve({})
    : Effect.runPromise(
        Effect.scoped(
          Effect.map(Layer.build(Layer.fresh(subject)), (context) => {
            const service: { readonly capabilities?: Capabilities } = Context.get(
              context as Context.Context<unknown>,
              key
            )
            return service.capabilities ?? {}
          })
        )
      )
}

/** The capabilities that this law needs and an adapter with `capabilities` has not. */
export const lacksFor = <Port>({ needs = [] }: Law<Port>, capabilities: Capabilities): ReadonlyArray<string> =>
  needs.filter((need) => capabilities[need] !== true)

export const verdictOn = async <Port>(
  law: Law<Port>,
  subject: Layer.Layer<Port>,
  capabilities: Capabilities,
  { mutants = false, ...options }: VerdictOptions = {}
): Promise<Verdict> => {
  const lacks = lacksFor(law, capabilities)
  const failure = await checkLaw(law, subject, options).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error))
  )
  const tried = mutants && failure === undefined && lacks.length === 0 ? law.mutants : []
  let caught = 0
  for (const mutant of tried) {
    if (await catches(law, mutant, subject, options.seed === undefined ? {} : { seed: options.seed })) caught++
  }
  return {
    law: law.id,
    rule: law.rule,
    verdict: failure !== undefined ? "broken" : lacks.length > 0 ? "degraded" : "holds",
    lacks,
    ...(mutants ? { mutants: { tried: tried.length, caught } } : {}),
    ...(failure === undefined ? {} : { failure })
  }
}
