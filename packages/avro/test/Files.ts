import avsc from "avsc"
import fc from "fast-check"
import { deflateRawSync, crc32 } from "node:zlib"
import { compress } from "snappyjs"
import type { Codec } from "@sotto/avro"

/** Containers made by hand around avsc's encoder: what the readers under test are compared with. */
export const SYNC = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i)

/** Schemas of the original, as its files carry them. */
export const REPORT_SCHEMA =
  '{"type":"record","name":"AggregatableReport","fields":[{"name":"payload","type":"bytes"},{"name":"key_id","type":"string"},{"name":"shared_info","type":"string"}]}'
export const DOMAIN_SCHEMA = '{"type":"record","name":"AggregationBucket","fields":[{"name":"bucket","type":"bytes"}]}'
export const FACT_SCHEMA =
  '{"type":"record","name":"AggregatedFact","fields":[{"name":"bucket","type":"bytes"},{"name":"metric","type":"long"}]}'
export const DEBUG_SCHEMA =
  '{"type":"record","name":"DebugAggregatedFact","fields":[{"name":"bucket","type":"bytes"},{"name":"unnoised_metric","type":"long"},{"name":"noise","type":"long"},{"name":"annotations","type":{"type":"array","items":{"type":"enum","name":"bucket_tags","symbols":["in_domain","in_reports"]}}}]}'

export const varint = (value: bigint | number): Uint8Array => {
  let raw = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const out: Array<number> = []
  for (; raw >= 128n; raw >>= 7n) out.push(Number(raw & 127n) | 128)
  return Uint8Array.from([...out, Number(raw)])
}

export const join = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

const text = (value: string): Uint8Array => {
  const bytes = new TextEncoder().encode(value)
  return join(varint(bytes.length), bytes)
}

export const header = (schema: string, codec?: string): Uint8Array =>
  join(
    new TextEncoder().encode("Obj\u0001"),
    varint(codec === undefined ? 1 : 2),
    text("avro.schema"),
    text(schema),
    ...(codec === undefined ? [] : [text("avro.codec"), text(codec)]),
    varint(0),
    SYNC
  )

export const block = (rows: bigint | number, stored: Uint8Array): Uint8Array =>
  join(varint(rows), varint(stored.length), stored, SYNC)

export const store = (codec: Codec, data: Uint8Array): Uint8Array => {
  if (codec === "null") return data
  if (codec === "deflate") return new Uint8Array(deflateRawSync(data))
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(data))
  return join(compress(new Uint8Array(data)), sum)
}

/** A file of `blocks`, each a list of values of `schema`, through avsc's encoder. */
export const file = (
  schema: string,
  blocks: ReadonlyArray<ReadonlyArray<unknown>>,
  codec: Codec = "null"
): Uint8Array => {
  const type = avsc.Type.forSchema(JSON.parse(schema), { wrapUnions: "always" })
  return join(
    header(schema, codec === "null" ? undefined : codec),
    ...blocks.map((values) =>
      block(values.length, store(codec, new Uint8Array(Buffer.concat(values.map((value) => type.toBuffer(value))))))
    )
  )
}

export const codecs = fc.constantFrom<Codec>("null", "deflate", "snappy")

export interface Extra {
  readonly schema: unknown
  readonly value: fc.Arbitrary<unknown>
}

let names = 0
const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value))

/** avsc rounds what lies beyond. */
export const longs = fc.integer({ min: -(2 ** 51), max: 2 ** 51 })

const primitives: ReadonlyArray<Extra> = [
  { schema: "null", value: fc.constant(null) },
  { schema: "boolean", value: fc.boolean() },
  { schema: "int", value: fc.integer() },
  { schema: "long", value: longs },
  { schema: "float", value: fc.float({ noNaN: true }) },
  { schema: "double", value: fc.double({ noNaN: true }) },
  { schema: "bytes", value: bytes },
  { schema: "string", value: fc.string({ unit: "grapheme", maxLength: 80 }) }
]

/** Any Avro type with a generator of its values (avsc's wrapped unions). */
export const extras = (depth = 3): fc.Arbitrary<Extra> => {
  const leaves = fc.oneof(
    fc.constantFrom(...primitives),
    fc.nat(20).map((size): Extra => ({
      schema: { type: "fixed", name: `F${names++}`, size: size + 1 },
      value: fc.uint8Array({ minLength: size + 1, maxLength: size + 1 }).map((value) => Buffer.from(value))
    })),
    fc.constant(undefined).map((): Extra => ({
      schema: { type: "enum", name: `E${names++}`, symbols: ["A", "B", "C"] },
      value: fc.constantFrom("A", "B", "C")
    })),
    // A list, the usual recursive schema.
    fc.nat(6).map((length): Extra => {
      const name = `list.L${names++}`
      let value: unknown = null
      for (let i = 0; i < length; i++) value = { [name]: { v: i, next: value } }
      return {
        schema: [
          "null",
          {
            type: "record",
            name,
            fields: [
              { name: "v", type: "int" },
              { name: "next", type: ["null", name] }
            ]
          }
        ],
        value: fc.constant(value)
      }
    })
  )
  if (depth === 0) return leaves
  const inner = extras(depth - 1)
  return fc.oneof(
    { weight: 3, arbitrary: leaves },
    inner.map(({ schema, value }): Extra => ({
      schema: { type: "array", items: schema },
      value: fc.array(value, { maxLength: 4 })
    })),
    inner.map(({ schema, value }): Extra => ({
      schema: { type: "map", values: schema },
      value: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), value, { maxKeys: 3 })
    })),
    fc.array(inner, { minLength: 1, maxLength: 3 }).map((fields): Extra => ({
      schema: {
        type: "record",
        name: `R${names++}`,
        fields: fields.map(({ schema }, i) => ({ name: `f${i}`, type: schema }))
      },
      value: fc
        .tuple(...fields.map(({ value }) => value))
        .map((values) => Object.fromEntries(values.map((value, i) => [`f${i}`, value])))
    })),
    fc.uniqueArray(fc.constantFrom(...primitives), { minLength: 1, maxLength: 4 }).map((branches): Extra => ({
      schema: branches.map(({ schema }) => schema),
      value: fc.oneof(
        ...branches.map(({ schema, value }) =>
          value.map((inner) => (schema === "null" ? null : { [schema as string]: inner }))
        )
      )
    }))
  )
}

/**
 * Rows of the given fields among random extra ones, in a random order, under a random record name.
 *
 * Gives the schema, the rows as avsc writes them, and those rows cut into blocks.
 */
export const tables = (
  fields: ReadonlyArray<Extra & { readonly name: string }>
): fc.Arbitrary<{ readonly schema: string; readonly blocks: ReadonlyArray<ReadonlyArray<Record<string, unknown>>> }> =>
  fc
    .array(extras(), { maxLength: 4 })
    .chain((more) =>
      fc.tuple(
        fc.shuffledSubarray([...fields, ...more.map((extra, i) => ({ ...extra, name: `extra${i}` }))], {
          minLength: fields.length + more.length
        }),
        fc.constantFrom("Row", "topLevelRecord", "AggregatableReport"),
        fc.option(fc.constantFrom("a.b", "org.example"), { nil: undefined })
      )
    )
    .chain(([columns, name, namespace]) =>
      fc
        .array(
          fc.array(
            fc
              .tuple(...columns.map(({ value }) => value))
              .map((values) => Object.fromEntries(values.map((value, i) => [columns[i]!.name, value]))),
            { maxLength: 6 }
          ),
          { maxLength: 3 }
        )
        .map((blocks) => ({
          schema: JSON.stringify({
            type: "record",
            name,
            ...(namespace === undefined ? {} : { namespace }),
            fields: columns.map((column) => ({ name: column.name, type: column.schema }))
          }),
          blocks
        }))
    )
