import * as Schema from "effect/Schema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Plain } from "../../src/job/Plain.ts"
import type { RecordForm } from "../../src/tabular/MimeType.ts"
import { describeError, errorForm, errorRow, type RecordError } from "../../src/tabular/RecordErrors.ts"
import { type PlanRequest, planRecords, type RecordPlan } from "../../src/tabular/RecordPlan.ts"
import { offer } from "./support.ts"

const CSV: RecordForm = { _tag: "Csv", header: true }
const BARE: RecordForm = { _tag: "Csv", header: false }
const JSON_FORM: RecordForm = { _tag: "Json" }

const Point = Schema.Struct({ x: Schema.Finite, y: Schema.Finite })
const model = offer(
  Point as never,
  Schema.Struct({ z: Schema.Finite, note: Schema.optionalKey(Schema.String) }) as never
)

const request = (more: Partial<PlanRequest>): PlanRequest => ({
  form: CSV,
  firstRow: ["x", "y"],
  mapping: [],
  outputMapping: [],
  ...more
})

const plan = (more: Partial<PlanRequest> = {}, of = model) => {
  const made = planRecords(of, request(more))
  if (made._tag === "PlanRejected") throw new Error(made.faults.join())
  return made as RecordPlan<unknown, unknown>
}

const to = (source: string, destination: string) => ({ source, destination, defaultValue: null })

describe("a plan", () => {
  it("reads rows by their header and writes rows under one", () => {
    const made = plan()
    expect(made.header).toEqual(["z", "note"])
    expect(made.read(["3", "4"])).toEqual({ _tag: "Planned", value: { x: 3, y: 4 } })
    expect(made.write({ z: 5 })).toEqual({ _tag: "Planned", value: ["5", ""] })
  })

  it("without a header reads by position and writes none", () => {
    const made = plan({ form: BARE, firstRow: ["9", "3", "4"], mapping: [to("/2", "x"), to("/3", "y")] })
    expect(made.header).toBeNull()
    expect(made.read(["9", "3", "4"])).toEqual({ _tag: "Planned", value: { x: 3, y: 4 } })
    expect(made.write({ z: 5 })).toEqual({ _tag: "Planned", value: ["5", ""] })
  })

  it("reads and writes objects of JSON as they are", () => {
    const made = plan({ form: JSON_FORM, firstRow: undefined })
    expect(made.read({ x: 3, y: 4, more: 1 })).toEqual({ _tag: "Planned", value: { x: 3, y: 4 } })
    expect(made.write({ z: 5 })).toEqual({ _tag: "Planned", value: { z: 5 } })
  })

  it("writes the columns of an output mapping, in its order", () => {
    const made = plan({ outputMapping: [to("note", "Note"), to("z", "Alpha")] })
    expect(made.header).toEqual(["Note", "Alpha"])
    expect(made.write({ z: 5, note: "n" })).toEqual({ _tag: "Planned", value: ["n", "5"] })
  })

  it.each<[string, Plain, RegExp]>([
    ["a row that is too short", ["1"], /expected 2 fields and not 1/],
    ["a row that is too long", ["1", "2", "3"], /expected 2 fields and not 3/],
    ["a cell of another type", ["1", "two"], /expected a number/],
    ["a cell that is empty", ["1", ""], /y/]
  ])("says what is wrong with %s", (_, cells, hint) => {
    expect(plan().read(cells)).toMatchObject({ _tag: "Faulty", faults: [{ hint: expect.stringMatching(hint) }] })
  })

  it.each<[string, Plain]>([
    ["no object", 5],
    ["a list", [1]],
    ["null", null],
    ["a field of another type", { x: "3", y: 4 }],
    ["a field that is missing", { x: 3 }]
  ])("says in one line what is wrong with %s in JSON", (_, value) => {
    const read = plan({ form: JSON_FORM, firstRow: undefined }).read(value)
    expect(read).toMatchObject({ _tag: "Faulty", faults: [{ hint: expect.stringMatching(/^[^\n]+$/) }] })
  })

  it("says what is wrong with what the model gave", () => {
    expect(plan().write({ z: "five" })).toMatchObject({
      _tag: "Faulty",
      faults: [{ hint: expect.stringMatching(/z/) }]
    })
  })

  it.each<[string, Partial<PlanRequest>, RegExp]>([
    ["an empty file", { firstRow: undefined }, /empty; its first line should be the header/],
    ["an empty file without a header", { form: BARE, firstRow: undefined }, /The file is empty/],
    ["columns that clash", { firstRow: ["x", "x/a", "y"] }, /name the same place/],
    ["a missing column", { firstRow: ["x"] }, /wants "y"/],
    [
      "a result that is too wide",
      { outputMapping: [to("z", "v[0-9999]"), to("note", "n")] },
      /would have 10001 columns/
    ],
    ["faults of both mappings", { mapping: [to("q", "x")], outputMapping: [to("q", "x")] }, /reads "q".*no output "q"/]
  ])("refuses %s before anything is paid", (_, more, message) => {
    const made = planRecords(model, request(more))
    expect(made._tag === "PlanRejected" ? made.faults.join(" ") : "").toMatch(message)
  })

  it("reads back what it wrote, for a model that takes what it gives", () => {
    const Wide = Schema.Struct({
      text: Schema.String,
      n: Schema.Finite,
      yes: Schema.Boolean,
      maybe: Schema.NullOr(Schema.Int),
      pair: Schema.Tuple([Schema.Finite, Schema.Finite]),
      list: Schema.Array(Schema.Finite),
      deep: Schema.Struct({ er: Schema.String })
    })
    const same = offer(Wide as never, Wide as never)
    const header = plan({ firstRow: ["text", "n", "yes", "maybe", "pair", "pair", "list", "deep/er"] }, same).header
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n))
    const records = fc.record({
      text: fc.string(),
      n: finite,
      yes: fc.boolean(),
      maybe: fc.option(fc.integer()),
      pair: fc.tuple(finite, finite),
      list: fc.array(finite),
      deep: fc.record({ er: fc.string() })
    })
    const csv = plan({ firstRow: header ?? [] }, same)
    const json = plan({ form: JSON_FORM, firstRow: undefined }, same)
    fc.assert(
      fc.property(records, (value) => {
        for (const made of [csv, json]) {
          const written = made.write(value)
          expect(written._tag === "Planned" ? made.read(written.value) : written).toEqual({ _tag: "Planned", value })
        }
      })
    )
  })
})

describe("an error of a record", () => {
  const error: RecordError = { record: 3, line: 5, stage: "input", path: "x", message: "no number" }

  it("is a row of CSV with a header of its own, even beside a result without one", () => {
    expect(errorForm(BARE)).toEqual({ form: CSV, header: ["record", "line", "stage", "path", "message"] })
    expect(errorRow(BARE, error)).toEqual(["3", "5", "input", "x", "no number"])
  })

  it("is an object of JSON", () => {
    expect(errorForm(JSON_FORM)).toEqual({ form: JSON_FORM, header: null })
    expect(errorRow(JSON_FORM, error)).toEqual(error)
  })

  it("is told in a line", () => {
    expect(describeError(error)).toBe("record 3 (line 5), x: no number")
    expect(describeError({ ...error, path: "" })).toBe("record 3 (line 5): no number")
  })
})
