import { writeFileSync } from "node:fs"
import { isAbsolute } from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { configSchema, readConfig, readSecret, settingsOf } from "../../src/serve/ServerConfig.ts"
import { type Document, temporary } from "../support/Sotto.ts"

const { path, remove } = temporary()
afterAll(remove)
afterEach(() => void delete process.env["SOTTO_TEST_SECRET"])

const key = { tenant: "default", name: "one" }

describe("sotto.json", () => {
  it("may be empty: every field has a default", () => {
    expect(readConfig({})).toMatchObject({
      folder: "sotto",
      store: { type: "sqlite", file: "sotto.db" },
      buckets: { reports: "reports", domains: "domains", output: "output" },
      http: { host: "127.0.0.1", port: 8787, docs: true },
      tenants: { default: { ledgerScope: "default", operator: true } },
      apiKeys: []
    })
  })

  it("keeps what is told and fills in the rest of the same object", () => {
    expect(readConfig({ http: { port: 80 }, tenants: { north: { sites: ["https://example.com"] } } })).toMatchObject({
      http: { host: "127.0.0.1", port: 80 },
      tenants: { north: { sites: ["https://example.com"], ledgerScope: "default", operator: false, limits: {} } }
    })
  })

  it.each<readonly [document: unknown, fault: string]>([
    [[], "expected an object, found a list"],
    [{ prot: 1 }, "prot: there is no such field; there are $schema, folder, store"],
    [{ http: { prot: 1 } }, "http.prot: there is no such field; did you mean port?"],
    [{ http: { public_url: "/a" } }, "http.public_url: there is no such field; did you mean publicUrl?"],
    [{ folder: "" }, "folder: expected a path, found a text"],
    [{ store: { type: "oracle" } }, 'store: expected an object with "type": "sqlite"'],
    [{ store: { type: "sqlite", path: "x" } }, "store.path: there is no such field; there are type, file"],
    [{ queue: "memory" }, 'queue: expected an object with "type": "memory", found a text'],
    [{ buckets: { "a/b": "x" } }, 'buckets["a/b"]: expected a name of 1 to 64'],
    [{ buckets: { reports: 3 } }, "buckets.reports: expected a path, found 3"],
    [{ workers: { concurrency: 0 } }, "workers.concurrency: expected a whole number from 1 to 1000, found 0"],
    [{ workers: { kinds: ["dance"] } }, 'workers.kinds[0]: expected one of "aggregation"'],
    [{ http: { port: "80" } }, "http.port: expected a whole number from 0 to 65535, found a text"],
    [{ http: { port: 65_536 } }, "http.port: expected a whole number from 0 to 65535, found 65536"],
    [{ http: { publicUrl: "jobs.example.com" } }, "http.publicUrl: expected a URL"],
    [{ http: { cors: "*" } }, "http.cors: expected a list of origins, found a text"],
    [{ tenants: { "no name": {} } }, 'tenants["no name"]: expected a name'],
    [{ tenants: { north: { sites: "any" } } }, "tenants.north.sites: expected a list of sites"],
    [{ tenants: { north: { limits: { jobs: 0.5 } } } }, "tenants.north.limits.jobs: expected a whole number"],
    [{ apiKeys: [{ name: "one" }] }, "apiKeys[0].tenant: is missing"],
    [{ apiKeys: [{ ...key, tenant: "nobody", secret: { env: "A" } }] }, "apiKeys[0].tenant: there is no tenant nobody"],
    [{ apiKeys: [key] }, 'apiKeys[0]: expected either "secret" or "id" and "hash"'],
    [{ apiKeys: [{ ...key, hash: "0".repeat(64) }] }, 'apiKeys[0]: expected either "secret" or "id" and "hash"'],
    [{ apiKeys: [{ ...key, secret: { env: "A" }, expires: "soon" }] }, "apiKeys[0].expires: expected a time such as"],
    [{ apiKeys: [{ ...key, secret: { env: "A", file: "a" } }] }, 'apiKeys[0].secret: expected one of "file" and "env"'],
    [{ webhooks: { allow: "10.0.0.0/8" } }, "webhooks.allow: expected a list of networks, found a text"],
    [{ webhooks: { allow: ["10.0.0.1"] } }, "webhooks.allow[0]: expected a network such as 10.1.0.0/16"],
    [{ telemetry: { otlp: { url: "localhost" } } }, "telemetry.otlp.url: expected a URL"],
    [{ log: { level: "loud" } }, 'log.level: expected one of "trace", "debug"'],
    [{ webhooks: { allow: ["999.1.1.1/99"] } }, "webhooks.allow[0]: 999.1.1.1/99 is no network"],
    [{ tenants: { a: { buckets: ["none"] } } }, "tenants.a.buckets[0]: there is no bucket none in buckets"]
  ])("refuses %j, and says where and what was expected", (document, fault) => {
    const faults = readConfig(document)
    expect(faults).toEqual([expect.stringContaining(fault)])
  })

  it("tells all faults at once", () => {
    const faults = readConfig({ http: { port: -1, docs: "yes" }, log: { form: "json" }, keys: null })
    expect((faults as ReadonlyArray<string>).map((fault) => fault.split(":")[0]).toSorted()).toEqual([
      "http.docs",
      "http.port",
      "keys",
      "log.form"
    ])
  })

  it("does not repeat a secret that stands where it may not", () => {
    const faults = readConfig({
      apiKeys: [{ ...key, secret: "hunter2" }],
      telemetry: { otlp: { url: "hunter2", headers: { authorization: "hunter2" } } },
      http: { publicUrl: "hunter2" }
    })
    expect(faults).toHaveLength(4)
    expect(JSON.stringify(faults)).not.toContain("hunter2")
  })

  it("has a JSON schema that describes every field and allows no others", () => {
    const undescribed: Array<string> = []
    const look = (part: Document, place: string): void => {
      for (const [name, field] of Object.entries<Document>(part["properties"] ?? {})) {
        if (field["description"] === undefined && name !== "type") undescribed.push(`${place}${name}`)
        look(field, `${place}${name}.`)
      }
      if (part["type"] === "object" && part["additionalProperties"] === undefined) undescribed.push(`${place}*`)
      const inside = [part["items"] ?? [], Object.values(part["patternProperties"] ?? {}), part["anyOf"] ?? []].flat()
      for (const inner of inside) look(inner, `${place}*.`)
    }
    look(configSchema(), "")
    expect(undescribed).toEqual([])
  })
})

describe("settings", () => {
  it("are those of the file, with a folder that is relative to it", () => {
    writeFileSync(path("sotto.json"), JSON.stringify({ folder: "data", http: { port: 1 } }))
    expect(settingsOf({ config: path("sotto.json") })).toMatchObject({
      file: path("sotto.json"),
      folder: path("data"),
      config: { http: { port: 1 } }
    })
    expect(settingsOf({ config: path("sotto.json"), folder: path("else") }).folder).toBe(path("else"))
  })

  it("need no file", () => {
    const { file, folder } = settingsOf({})
    expect([file, isAbsolute(folder), folder.endsWith("sotto")]).toEqual([undefined, true, true])
  })

  it("say which file is not there, and where one is not JSON without quoting it", () => {
    expect(() => settingsOf({ config: path("none.json") })).toThrow(`There is no configuration ${path("none.json")}`)
    writeFileSync(path("broken.json"), '{"keys": hunter2}')
    expect(() => settingsOf({ config: path("broken.json") })).toThrow(/broken.json is not JSON/)
    expect(() => settingsOf({ config: path("broken.json") })).not.toThrow(/hunter2/)
  })
})

describe("a secret", () => {
  it("is read from a file without white space at its ends, or from the environment", () => {
    writeFileSync(path("secret"), " s3cret\n")
    expect(readSecret({ file: "secret" }, path(), "apiKeys[0]")).toBe("s3cret")
    process.env["SOTTO_TEST_SECRET"] = "other"
    expect(readSecret({ env: "SOTTO_TEST_SECRET" }, path(), "apiKeys[0]")).toBe("other")
  })

  it("that is not there is asked for by its place", () => {
    writeFileSync(path("empty"), "\n")
    expect(() => readSecret({ file: "nowhere" }, path(), "apiKeys[0]")).toThrow(/^apiKeys\[0\]: the file .*ENOENT/)
    expect(() => readSecret({ file: "empty" }, path(), "apiKeys[0]")).toThrow(/is empty/)
    expect(() => readSecret({ env: "SOTTO_TEST_SECRET" }, path(), "k")).toThrow("no variable SOTTO_TEST_SECRET")
  })
})
