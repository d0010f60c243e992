import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, expectTypeOf, it } from "vitest"
import {
  createEngine,
  defineModel,
  failedRecord,
  ModelError,
  onFiles,
  onRecords,
  type RecordOf,
  type SottoEngine
} from "../src/index.ts"

const opened: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

type Model = ReturnType<typeof defineModel>

const open = async (...models: ReadonlyArray<Model>): Promise<SottoEngine> => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-model-"))
  const engine = await createEngine({ folder, models, log: () => undefined })
  opened.push(async () => {
    await engine.close()
    await rm(folder, { recursive: true })
  })
  return engine
}

const price = { version: "1", groupSize: 1, groupPrice: 1 }

const records = (run: Parameters<typeof onRecords<{ a: "text" }, { b: "text" }>>[0]["run"]) =>
  defineModel({ name: "m", versions: [onRecords({ ...price, input: { a: "text" }, output: { b: "text" }, run })] })

const text = async (engine: SottoEngine, id: string) => Buffer.from((await engine.models.result(id)).content).toString()

describe("defineModel", () => {
  it("gives records the types of their fields", () => {
    expectTypeOf<RecordOf<{ a: "number"; b: "text?"; c: "integer[]" }>>().toEqualTypeOf<
      { readonly a: number; readonly c: ReadonlyArray<number> } & { readonly b?: string }
    >()
  })

  it("reads every type of field, missing ones and lists", async () => {
    const model = defineModel({
      name: "m",
      versions: [
        onRecords({
          ...price,
          input: { n: "number", i: "integer", t: "text", b: "boolean", o: "number?", l: "integer[]" },
          output: { all: "text" },
          run: (some) => some.map((one) => ({ all: JSON.stringify(one) }))
        })
      ]
    })
    const engine = await open(model)
    const record = { n: 1.5, i: 2, t: "x", b: true, l: [1, 2] }
    const file = JSON.stringify([record, { ...record, o: 3 }])
    const { job } = await engine.models.submit({ model: "m", file, mimeType: "application/json" })
    const rows = JSON.parse(await text(engine, job.id)).map(({ all }: { all: string }) => JSON.parse(all))
    expect(rows).toEqual([record, { ...record, o: 3 }])
  })

  it("refuses a type of field that there is not", () => {
    const wrong = { a: "date" } as never
    expect(() => onRecords({ ...price, input: wrong, output: { b: "text" }, run: () => [] })).toThrow(
      /The field a is one of number, integer, text, boolean/
    )
  })

  it("refuses a model that cannot be offered, with all that is wrong", () => {
    expect(() => defineModel({ name: "", versions: [] })).toThrow(/its name.*no version/)
  })

  it("takes a promise that is rejected for the model's fault", async () => {
    const engine = await open(records(() => Promise.reject(new Error("the weights are lost"))))
    const { job } = await engine.models.submit({ model: "m", file: "a\nx\n", fileName: "a.csv" })
    await expect(engine.models.result(job.id)).rejects.toMatchObject({
      code: "ResultMissing",
      message: expect.stringContaining("the weights are lost")
    })
    expect((await engine.get(job.id)).job.outcome).toMatchObject({ failure: { category: "external" } })
  })

  it("tries again what may succeed at another time", async () => {
    let calls = 0
    const engine = await open(
      records((some) => {
        if (++calls === 1) throw new ModelError("busy", { retryable: true })
        return some.map(({ a }) => ({ b: a }))
      })
    )
    const { job } = await engine.models.submit({ model: "m", file: "a\nx\n", fileName: "a.csv" })
    expect([await text(engine, job.id), calls]).toEqual(["b\nx\n", 2])
  })

  it("fails single records", async () => {
    const engine = await open(records((some) => some.map(({ a }) => (a === "x" ? failedRecord("no x") : { b: a }))))
    const { job } = await engine.models.submit({ model: "m", file: "a\nx\ny\n", fileName: "a.csv" })
    expect(await text(engine, job.id)).toBe("b\ny\n")
  })

  it("hands a file over whole or piece by piece", async () => {
    const model = defineModel({
      name: "m",
      versions: [
        onFiles({
          ...price,
          accepts: ["text/plain"],
          run: async (file) => {
            const pieces: Array<Uint8Array> = []
            for await (const piece of file.stream()) pieces.push(piece)
            expect(Buffer.concat(pieces)).toEqual(Buffer.from(await file.read()))
            return { mime: "text/plain", content: `${file.name} ${file.bytes} ${Buffer.concat(pieces)}` }
          }
        })
      ]
    })
    const engine = await open(model)
    const { job } = await engine.models.submit({ model: "m", file: "héllo", fileName: "a.txt" })
    expect(await text(engine, job.id)).toBe("a.txt 6 héllo")
  })
})
