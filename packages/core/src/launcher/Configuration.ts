/**
 * What a launch is told: an aggregation over collections (other systems C1).
 *
 * Members that only tune a cluster are kept and shown and change nothing here. A text that could be read in two ways is
 * refused before anything runs.
 */
import { parseInstant, toMillis } from "../Instant.ts"
import { isPlainObject, type Plain, type PlainObject } from "../job/Plain.ts"
import { fillParameters, isParameterRejected, type Parameter, parameterValues } from "./ConfigurationParameters.ts"
import { parseSelectQuery, type SelectTerm } from "./SelectQuery.ts"
import { compileSql, viewName } from "./SqlCompiler.ts"
import { isSqlRejected } from "./SqlTokens.ts"

export interface Configuration {
  /** The name of the configuration; its runs share a watermark. */
  readonly id: string
  readonly inputCollection: string
  /** `undefined` (written `-`): the result is counted and not kept. */
  readonly outputCollection: string | undefined
  readonly select: ReadonlyArray<SelectTerm>
  /** Read only what came since the last run. */
  readonly sourceCatchup: boolean
  /** Remove what was read once the result is written. */
  readonly sourceRemove: boolean
  /** Milliseconds since 1970; `undefined`: when the run starts. */
  readonly referenceTime: number | undefined
  /** Applied to the selected rows, which it knows as `spark_input`. */
  readonly loadSql: string
  /** Parameters filled in, still in Spark's words. */
  readonly sql: string
  /** `undefined`: made from the columns that `sql` gives. */
  readonly rollupSql: string | undefined
  /** The front part of `aggr_type_s`. */
  readonly label: string
  /** Look for new signals first, and skip the run if there are none. */
  readonly skipCheck: boolean
  readonly skipIfEmpty: boolean
  /** The rows' own `id` is their key: writing replaces. Otherwise every run replaces the whole collection. */
  readonly naturalKey: boolean
}

export interface ConfigurationFault {
  /** A member, e.g. `parameters[1].value`; empty for the whole. */
  readonly path: string
  readonly hint: string
}

export interface ConfigurationRejected {
  readonly _tag: "ConfigurationRejected"
  readonly faults: ReadonlyArray<ConfigurationFault>
}

export const isConfigurationRejected = (value: Configuration | ConfigurationRejected): value is ConfigurationRejected =>
  "_tag" in value

/** At most 63 characters; a letter first, a letter or digit last. */
const CONFIGURATION_ID = /^[a-zA-Z](?:[_\-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/
export const isConfigurationId = (text: string): boolean => CONFIGURATION_ID.test(text)

const COLLECTION = /^[a-zA-Z_](?:[\w-]{0,126}\w)?$/
export const isCollectionName = (text: string): boolean => COLLECTION.test(text)

const LOAD_ALL = "SELECT * FROM spark_input"

/** Names that a plan gives to its own tables. */
const RESERVED = ["spark_input", "sotto_source", "sotto_loaded", "sotto_fresh", "sotto_stored"]

/** A configuration whose SQL compiles, or everything that is wrong with it. */
export const parseConfiguration = (value: Plain): Configuration | ConfigurationRejected => {
  if (!isPlainObject(value)) {
    return { _tag: "ConfigurationRejected", faults: [{ path: "", hint: "write an object" }] }
  }
  const read = new Members(value)
  if (read.text("type", "aggregation") !== "aggregation") read.fault("type", "only aggregation is run here")
  const id = read.text("id")
  if (!isConfigurationId(id)) {
    read.fault("id", "at most 63 letters, digits, _ and -; a letter first, a letter or digit last")
  }
  const inputCollection = read.collection("inputCollection")
  const output = read.text("outputCollection", "-")
  const outputCollection = output === "-" ? undefined : read.collection("outputCollection")
  if (outputCollection !== undefined && viewName(outputCollection) === viewName(inputCollection)) {
    read.fault("outputCollection", "write to another collection than is read")
  }
  const select = parseSelectQuery(read.text("selectQuery", "*:*"))
  if (isSqlRejected(select)) read.fault("selectQuery", `${select.hint} (character ${select.at + 1})`)

  const values = parameterValues(read.parameters(), {
    inputCollection: viewName(inputCollection),
    outputCollection: output === "-" ? "" : viewName(output)
  })
  if (isParameterRejected(values)) read.fault("parameters", `${values.key}: ${values.hint}`)
  const collections = [inputCollection, ...(outputCollection === undefined ? [] : [outputCollection])]
  const query = (member: string, fallback?: string): string => {
    const template = read.text(member, fallback)
    if (template === "" || isParameterRejected(values)) return template
    const filled = fillParameters(template, values)
    if (isParameterRejected(filled)) {
      read.fault(member, `\${${filled.key}}: ${filled.hint}`)
      return template
    }
    const compiled = compileSql(filled, { dialect: "duckdb", collections })
    if (isSqlRejected(compiled)) read.fault(member, `${compiled.hint} (character ${compiled.at + 1})`)
    return filled
  }
  const sql = query("sql")
  const rollupSql = query("rollupSql", "")
  const configuration: Configuration = {
    id,
    inputCollection,
    outputCollection,
    select: isSqlRejected(select) ? [] : select,
    sourceCatchup: read.flag("sourceCatchup", true),
    sourceRemove: read.flag("sourceRemove", false),
    referenceTime: read.time(),
    loadSql: query("sparkSQL", LOAD_ALL),
    sql,
    rollupSql: rollupSql === "" ? undefined : rollupSql,
    label: isParameterRejected(values) ? LABEL : (values.get("aggrType") ?? LABEL),
    skipCheck: read.flag("skipCheckEnabled", false),
    skipIfEmpty: read.flag("skipJobIfSignalsEmpty", false),
    naturalKey: read.flag("useNaturalKey", true)
  }
  if (!/^\w+$/.test(configuration.label)) read.fault("parameters", "aggrType: use letters, digits and _")
  return read.faults.length > 0 ? { _tag: "ConfigurationRejected", faults: read.faults } : configuration
}

/** What the vendor's example stamps on its rows (other systems C1); the parameter `aggrType` names another. */
const LABEL = "click"

/** Reads members and remembers what is wrong with them. An empty or absent member is its fallback. */
class Members {
  readonly faults: Array<ConfigurationFault> = []
  readonly #value: PlainObject

  constructor(value: PlainObject) {
    this.#value = value
  }

  fault(path: string, hint: string): void {
    this.faults.push({ path, hint })
  }

  text(member: string, fallback?: string): string {
    const value = this.#value[member] ?? ""
    if (typeof value !== "string") this.fault(member, "write a text")
    else if (value !== "") return value
    else if (fallback === undefined) this.fault(member, "this member is required")
    return fallback ?? ""
  }

  flag(member: string, fallback: boolean): boolean {
    const value = this.#value[member] ?? fallback
    if (typeof value === "boolean") return value
    if (value !== "true" && value !== "false") this.fault(member, "write true or false")
    return value === "true"
  }

  collection(member: string): string {
    const name = this.text(member)
    if (name === "") return name
    if (!isCollectionName(name)) this.fault(member, "at most 128 letters, digits, _ and -; a letter first")
    else if (RESERVED.includes(viewName(name).toLowerCase())) this.fault(member, "this name is taken by the run itself")
    return name
  }

  /** `referenceTime`, or its older name. */
  time(): number | undefined {
    const member = this.#value["referenceTime"] === undefined ? "aggregationTime" : "referenceTime"
    const text = this.text(member, "NOW")
    if (text.toUpperCase() === "NOW") return undefined
    const at = parseInstant(text)
    if (at === undefined) this.fault(member, "write a time such as 2025-10-17T18:56:14.660Z, or NOW")
    return at === undefined ? undefined : toMillis(at)
  }

  parameters(): ReadonlyArray<Parameter> {
    const value = this.#value["parameters"] ?? []
    if (!Array.isArray(value)) {
      this.fault("parameters", "write an array of {key, value}")
      return []
    }
    return (value as ReadonlyArray<Plain>).flatMap((one, i) => {
      const { key, value: of } = (typeof one === "object" && one !== null ? one : {}) as PlainObject
      const text = typeof of === "number" || typeof of === "boolean" ? String(of) : of
      if (typeof key === "string" && typeof text === "string") return [{ key, value: text }]
      this.fault(`parameters[${i}]`, "write {key, value}, both texts")
      return []
    })
  }
}
