import * as Schema from "effect/Schema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { bill, MAX_GROUP_PRICE, MAX_RECORDS } from "../../src/tabular/Billing.ts"
import {
  type FileOffer,
  modelFaults,
  type ModelOffer,
  ModelRejected,
  modelView,
  versionOf
} from "../../src/tabular/Model.ts"
import { printUnits } from "../../src/tabular/JobObject.ts"
import { offer } from "./support.ts"

const Field = Schema.Struct({ x: Schema.Finite }) as never
const version = (name: string, more: object = {}) => offer(Field, Field, { version: name, ...more })
const file: FileOffer = { _tag: "File", version: "f", active: true, groupSize: 1, groupPrice: 5, accepts: ["image/*"] }
const model = (...versions: ModelOffer["versions"]): ModelOffer => ({ name: "m", versions })

describe("a bill", () => {
  it.each([
    [3, 1, 20],
    [5, 1, 20],
    [6, 2, 40],
    [10, 2, 40],
    [0, 0, 0]
  ])("for %i records in groups of 5 at 20 units is for %i groups and %i units", (records, groups, units) => {
    expect(bill({ groupSize: 5, groupPrice: 20 }, records)).toEqual({
      recordCount: records,
      groupSize: 5,
      recordGroupCount: groups,
      groupPrice: 20,
      billedUsage: units
    })
  })

  it("counts begun groups, exactly, however large the numbers", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: MAX_RECORDS }),
        fc.integer({ min: 1, max: MAX_RECORDS }),
        fc.integer({ min: 0, max: MAX_GROUP_PRICE }),
        (records, groupSize, groupPrice) => {
          const { recordGroupCount, billedUsage } = bill({ groupSize, groupPrice }, records)
          const groups = (BigInt(records) + BigInt(groupSize) - 1n) / BigInt(groupSize)
          expect([BigInt(recordGroupCount), BigInt(billedUsage)]).toEqual([groups, groups * BigInt(groupPrice)])
          expect(Number.isSafeInteger(billedUsage)).toBe(true)
        }
      )
    ))

  it("is printed in dollars: a unit is a tenth of a cent", () => {
    expect([0, 20, 1, 1000, 12_345].map(printUnits)).toEqual(["$0.00", "$0.02", "$0.001", "$1.00", "$12.345"])
  })
})

describe("a model", () => {
  it("is sound with records and with files", () => {
    expect(modelFaults(model(version("1"), file))).toEqual([])
  })

  it.each<[string, ModelOffer, RegExp]>([
    ["no name", { name: "", versions: [version("1")] }, /its name/],
    ["no version", model(), /no version/],
    ["a version without a name", model(version("")), /version 1 has no name/],
    ["one version twice", model(version("1"), version("1")), /1 is there twice/],
    ["a group of nothing", model(version("1", { groupSize: 0 })), /groupSize is a whole number from 1, not 0/],
    ["half a record in a group", model(version("1", { groupSize: 1.5 })), /groupSize/],
    ["a negative price", model(version("1", { groupPrice: -1 })), /groupPrice/],
    ["a price that is no number of units", model(version("1", { groupPrice: 0.02 })), /groupPrice/],
    ["a file of no type", model({ ...file, accepts: [] }), /accepts no media type/],
    ["a file of what is no type", model({ ...file, accepts: ["png"] }), /"png" is no media type/],
    ["records that are no structs", model(offer(Schema.Finite as never, Field)), /input schema is no struct/],
    ["results without fields", model(offer(Field, Schema.Json as never)), /output schema is no struct/]
  ])("is refused with %s", (_, faulty, fault) => {
    expect(modelFaults(faulty).join("; ")).toMatch(fault)
    expect(new ModelRejected("m", modelFaults(faulty)).message).toMatch(fault)
  })

  const three = model(version("0.0.1"), version("0.0.2"), version("0.0.3", { active: false }))

  it("answers with its most recent active version when none is named", () => {
    expect(versionOf(three, null)).toMatchObject({ version: "0.0.2" })
    expect(versionOf(three, "0.0.1")).toMatchObject({ version: "0.0.1" })
  })

  it("refuses versions that it has not, or that are not active, and names those that are", () => {
    expect(versionOf(three, "9")).toMatchObject({
      message: expect.stringMatching(/no active version "9".*0\.0\.1, 0\.0\.2/)
    })
    expect(versionOf(three, "0.0.3")).toMatchObject({ _tag: "VersionRefused" })
    expect(versionOf(model(version("1", { active: false })), null)).toMatchObject({
      message: expect.stringMatching(/takes no jobs at the moment/)
    })
  })

  it("is shown with its prices and its JSON Schemas", () => {
    expect(modelView(model(version("1"), file))).toEqual({
      name: "m",
      versions: [
        {
          version: "1",
          active: true,
          recordGroupSize: 5,
          recordGroupPrice: 20,
          input: { type: "object", properties: { x: { type: "number" } }, required: ["x"], additionalProperties: true },
          output: { type: "object", properties: { x: { type: "number" } }, required: ["x"], additionalProperties: true }
        },
        { version: "f", active: true, recordGroupSize: 1, recordGroupPrice: 5, accepts: ["image/*"] }
      ]
    })
  })
})
