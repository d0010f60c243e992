import type * as Schema from "effect/Schema"
import fc from "fast-check"
import type { Plain } from "../../src/job/Plain.ts"
import { type RecordsOffer, recordSchema } from "../../src/tabular/Model.ts"
import type { SchemaPath, Vector } from "../../src/tabular/SchemaPath.ts"

const names = fc.constantFrom("a", "b", "c d", "é", "1", "constructor")

export const vectors: fc.Arbitrary<Vector> = fc
  .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 3 }), fc.option(fc.integer({ min: 0, max: 3 })))
  .map(([start, step, more]) => ({
    start,
    step: more === 0 ? 1 : step,
    end: more === null ? null : start + more * step
  }))

export const paths: fc.Arbitrary<SchemaPath> = fc.array(
  fc.record({ name: names, vectors: fc.array(vectors, { maxLength: 2 }) }),
  { minLength: 1, maxLength: 3 }
)

/** A version of a model that works on records. */
export const offer = <I, O>(
  input: Schema.Codec<I, unknown>,
  output: Schema.Codec<O, unknown>,
  more: Partial<RecordsOffer<I, O>> = {}
): RecordsOffer<I, O> => ({
  _tag: "Records",
  version: "1",
  active: true,
  groupSize: 5,
  groupPrice: 20,
  input: recordSchema(input),
  output: recordSchema(output),
  ...more
})

/** What a test found, as plain data whose objects have no prototype of their own kind. */
export const plain = (value: unknown): Plain => JSON.parse(JSON.stringify(value)) as Plain
