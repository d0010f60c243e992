/** Laws as tests of whatever runner a host has. */
import type * as Layer from "effect/Layer"
import { catches, checkLaw, type Law, type LawOptions } from "./Law.ts"
import { capabilitiesOf, lacksFor } from "./Verdict.ts"

type Suite = (name: string, body: () => void) => unknown
type Test = (name: string, run: () => Promise<void>) => unknown

/** `{ describe, it }` of vitest, `node:test` or `bun:test`, or two functions of any other runner. */
export type LawRunner = { readonly describe: Suite; readonly it: Test } | { readonly suite: Suite; readonly test: Test }

export interface RegisterOptions extends LawOptions {
  /** One more test for each mutant of a law that applies in full: that the law catches it over this adapter. */
  readonly mutants?: boolean
}

/** How many laws were registered, and how many of them test less because the adapter lacks what they need. */
export interface Registered {
  readonly laws: number
  readonly degraded: number
}

/**
 * One suite for each port with one test for each law. No law is left out: one whose capability is missing is registered
 * with the capability in its name, and tests that what is missing answers as the port says.
 *
 * Await it at the top of a test file: it builds one adapter to ask what it can do.
 */
export const registerLaws = async <Port>(
  runner: LawRunner,
  laws: ReadonlyArray<Law<Port>>,
  subject: Layer.Layer<Port>,
  { mutants = false, ...options }: RegisterOptions = {}
): Promise<Registered> => {
  const [suite, test] = "suite" in runner ? [runner.suite, runner.test] : [runner.describe, runner.it]
  let degraded = 0
  for (const port of new Set(laws.map((law) => law.port))) {
    const capabilities = await capabilitiesOf(port, subject)
    const own = laws.filter((law) => law.port === port).map((law) => ({ law, lacks: lacksFor(law, capabilities) }))
    const fewer = own.filter(({ lacks }) => lacks.length > 0).length
    degraded += fewer
    suite(`${port}: ${own.length} laws, ${fewer} degraded`, () => {
      for (const { law, lacks } of own) {
        test(lacks.length === 0 ? law.id : `${law.id}, degraded without ${lacks.join(", ")}`, () =>
          checkLaw(law, subject, options)
        )
        for (const mutant of mutants && lacks.length === 0 ? law.mutants : []) {
          test(`${law.id} catches: ${mutant.name}`, async () => {
            if (!(await catches(law, mutant, subject, options.seed === undefined ? {} : { seed: options.seed })))
              throw new Error(`The law ${law.id} of ${port} does not notice an adapter with this fault: ${mutant.name}`)
          })
        }
      }
    })
  }
  return { laws: laws.length, degraded }
}
