import type * as Layer from "effect/Layer"
import * as fc from "fast-check"

/**
 * A sentence that every adapter of a port keeps, with the property that tests it.
 *
 * Laws are data: a host runs them with any test runner against an adapter that we never heard of.
 */
export interface Law<Port> {
  readonly id: string
  readonly port: string
  readonly rule: string
  /** What is usually behind a broken law; if absent, what its mutants do wrong. */
  readonly causes?: ReadonlyArray<string>
  /** Capabilities without which the law tests less: that what is missing answers as the port says. */
  readonly needs?: ReadonlyArray<string>
  /** `subject` is built anew, and empty, for every run of the property. */
  readonly property: (subject: Layer.Layer<Port>) => fc.IAsyncProperty<unknown>
  /** Wrong adapters that this law catches: what shows that the law can fail. */
  readonly mutants: ReadonlyArray<Mutant<Port>>
}

export interface Mutant<Port> {
  readonly name: string
  readonly apply: (subject: Layer.Layer<Port>) => Layer.Layer<Port>
}

export interface LawOptions {
  readonly runs?: number
  readonly seed?: number
}

/** Rejects with law, rule, shrunk counterexample, seed and usual causes when the adapter breaks the law. */
export const checkLaw = async <Port>(
  law: Law<Port>,
  subject: Layer.Layer<Port>,
  { runs = 50, seed }: LawOptions = {}
): Promise<void> => {
  const details = await fc.check(law.property(subject), { numRuns: runs, ...(seed === undefined ? {} : { seed }) })
  if (details.failed)
    throw new Error(
      [
        `${law.port} breaks the law ${law.id}: ${law.rule}`,
        fc.defaultReportMessage(details),
        ...(details.errorInstance instanceof Error ? [details.errorInstance.message] : []),
        "Usual causes:",
        ...causesOf(law).map((cause) => `- ${cause}`)
      ].join("\n"),
      { cause: details.errorInstance }
    )
}

/** A law's mutants break it in the usual ways. */
const causesOf = <Port>({ causes, mutants }: Law<Port>): ReadonlyArray<string> =>
  causes ?? mutants.map(({ name }) => name)

/** Whether the law catches this mutant of a right adapter within `runs`. */
export const catches = async <Port>(
  law: Law<Port>,
  mutant: Mutant<Port>,
  subject: Layer.Layer<Port>,
  { runs = 200, seed }: LawOptions = {}
): Promise<boolean> =>
  (
    await fc.check(law.property(mutant.apply(subject)), {
      numRuns: runs,
      endOnFailure: true,
      ...(seed === undefined ? {} : { seed })
    })
  ).failed
