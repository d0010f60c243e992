/** What a SELECT of a user may not name: functions and views that change the session or tell of files and settings. */

/** Tables that functions make out of their arguments alone; every other such function reads files or the engine itself. */
const TABLE_FUNCTIONS: ReadonlySet<string> = new Set([
  "generate_series",
  "json_each",
  "json_tree",
  "range",
  "repeat",
  "repeat_row",
  "unnest"
])

const FUNCTIONS =
  /^(enable_|disable_|duckdb_|pragma_|pg_get_|pg_sleep$|sleep_ms$|write_log$|current_setting$|getvariable$|getenv$|json_serialize_plan$|json_execute_)/

const SCHEMAS: ReadonlySet<string> = new Set(["information_schema", "pg_catalog"])

/** Why a statement is refused, given as `json_serialize_sql` tells it; `undefined` if it is not. `catalog`: names of views. */
export const forbiddenIn = (parsed: unknown, catalog: ReadonlySet<string>): string | undefined => {
  if ((parsed as { readonly error?: unknown }).error !== false) return "write one SELECT; list the values of a PIVOT"
  const left: Array<unknown> = [parsed]
  while (left.length > 0) {
    const node = left.pop()
    if (typeof node !== "object" || node === null) continue
    const refused = Array.isArray(node) ? undefined : refusedNode(node as Readonly<Record<string, unknown>>, catalog)
    if (refused !== undefined) return refused
    for (const child of Object.values(node)) left.push(child)
  }
  return undefined
}

const lower = (value: unknown): string => (typeof value === "string" ? value.toLowerCase() : "")

const refusedNode = (node: Readonly<Record<string, unknown>>, catalog: ReadonlySet<string>): string | undefined => {
  const called = lower(node["function_name"])
  if (FUNCTIONS.test(called)) return `the function ${called} cannot be used here`
  switch (node["type"]) {
    case "TABLE_FUNCTION": {
      const table = lower((node["function"] as Readonly<Record<string, unknown>> | undefined)?.["function_name"])
      return TABLE_FUNCTIONS.has(table) ? undefined : `the table function ${table} cannot be used here`
    }
    case "BASE_TABLE": {
      const table = lower(node["table_name"])
      return catalog.has(table) || SCHEMAS.has(lower(node["schema_name"])) || SCHEMAS.has(lower(node["catalog_name"]))
        ? `the table ${table} cannot be read here`
        : undefined
    }
    case "SHOW_REF":
      return "write one SELECT, without DESCRIBE, SHOW or SUMMARIZE"
    default:
      return undefined
  }
}
