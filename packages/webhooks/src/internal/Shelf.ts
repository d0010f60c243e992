/**
 * Where webhooks are kept in `Records`.
 *
 * | collection           | tenant      | key                               |                                     |
 * | -------------------- | ----------- | --------------------------------- | ----------------------------------- |
 * | `webhook-tenants`    | `webhooks`  | tenant                            | who ever had an endpoint            |
 * | `webhook-endpoints`  | the tenant  | endpoint                          | with its secrets                    |
 * | `webhook-deliveries` | the tenant  | endpoint, newest first, delivery  | the truth about a delivery          |
 * | `webhook-due`        | the tenant  | endpoint, time, delivery          | when to look at it                  |
 *
 * Whoever changes when a delivery is tried writes the delivery first, then the new entry in `webhook-due`, and removes the
 * old entry last, in the version that it saw. So a delivery that is not over has an entry at its time or before it,
 * wherever somebody stops; and an entry without a delivery, or with one that is over, may go.
 */
import type { PutRequest, Records, StoredRecord } from "@sotto/core/ports/Records"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Delivery, newestFirst } from "../Delivery.ts"
import { Endpoint } from "../Endpoint.ts"

export const StoredEndpoint = Schema.Struct({
  ...Endpoint.fields,
  secrets: Schema.Array(
    Schema.Struct({ secret: Schema.String, createdAt: Schema.Int, validUntil: Schema.NullOr(Schema.Int) })
  ),
  /** It is gone for its tenant, and its deliveries are being removed. */
  deletedAt: Schema.NullOr(Schema.Int)
})
export type StoredEndpoint = typeof StoredEndpoint.Type

export const StoredDelivery = Schema.Struct({ ...Delivery.fields, body: Schema.String })
export type StoredDelivery = typeof StoredDelivery.Type

export interface Versioned<A> {
  readonly value: A
  readonly version: number
}

/** When to look at a delivery; at most one of them is right. */
export interface DueEntry {
  readonly key: string
  readonly version: number
  readonly at: number
  readonly delivery: string
}

/** How long a delivery that is over is kept. */
const KEEP_MS = 30 * 86_400_000

const TENANTS = { collection: "webhook-tenants", tenant: "webhooks" }
const ENDPOINTS = "webhook-endpoints"
const DELIVERIES = "webhook-deliveries"
const DUE = "webhook-due"
const PAGE = 500

const codec = <A>(what: string, schema: Schema.Codec<A, unknown>) => {
  const json = Schema.fromJsonString(schema)
  const [decode, encode] = [Schema.decodeUnknownEffect(json), Schema.encodeUnknownEffect(json)]
  // What is wrong with it is not said: it may hold a secret.
  const foreign = (key: string) =>
    Effect.die(new Error(`The ${what} ${key} was written by something else or is damaged. Delete its record.`))
  return {
    read: ({ key, version, bytes }: StoredRecord): Effect.Effect<Versioned<A>> =>
      decode(new TextDecoder().decode(bytes)).pipe(
        Effect.map((value) => ({ value, version })),
        Effect.catch(() => foreign(key))
      ),
    bytes: (key: string, value: A): Effect.Effect<Uint8Array> =>
      encode(value).pipe(
        Effect.map((text) => new TextEncoder().encode(text)),
        Effect.catch(() => foreign(key))
      )
  }
}

const endpoints = codec("webhook endpoint", StoredEndpoint)
const deliveries = codec("webhook delivery", StoredDelivery)

// 13 digits of milliseconds last until the year 2286.
const dueKey = (endpoint: string, at: number, delivery: string): string =>
  `${endpoint}/${String(at).padStart(13, "0")}/${delivery}`

const deliveryKey = (endpoint: string, id: string): string => `${endpoint}/${newestFirst(id)}`

export type Shelf = ReturnType<typeof shelfOf>

export const shelfOf = (records: Records["Service"]) => {
  /** The version that was written; `undefined`: another one was there. */
  const put = (request: PutRequest) =>
    records.put(request).pipe(
      // All that is kept here is bounded far below the limit.
      Effect.catchTag("RecordTooLarge", Effect.die),
      Effect.map((answer) => (answer._tag === "Put" ? answer.version : undefined))
    )

  const all = Effect.fnUntraced(function* (place: Parameters<Records["Service"]["scan"]>[0]) {
    const found: Array<StoredRecord> = []
    for (;;) {
      const page: ReadonlyArray<StoredRecord> = yield* records.scan(place, found.at(-1)?.key ?? null, PAGE)
      found.push(...page)
      if (page.length < PAGE) return found as ReadonlyArray<StoredRecord>
    }
  })

  const removeAll = Effect.fnUntraced(function* (collection: string, tenant: string, prefix: string) {
    for (;;) {
      const page = yield* records.scan({ collection, tenant, prefix }, null, PAGE)
      yield* Effect.forEach(page, ({ key }) => records.delete({ collection, tenant, key }, "any"), { concurrency: 32 })
      if (page.length < PAGE) return
    }
  })

  return {
    tenants: Effect.map(all({ ...TENANTS, prefix: "" }), (found) => found.map(({ key }) => key)),

    noteTenant: (tenant: string) =>
      put({ ...TENANTS, key: tenant, bytes: new Uint8Array(), expectVersion: "any", expiresAt: null }),

    /** Those that were deleted are among them. */
    endpoints: (tenant: string) =>
      Effect.flatMap(all({ collection: ENDPOINTS, tenant, prefix: "" }), (found) =>
        Effect.forEach(found, endpoints.read)
      ),

    endpoint: (tenant: string, id: string) =>
      Effect.flatMap(records.get({ collection: ENDPOINTS, tenant, key: id }), (found) =>
        found === undefined ? Effect.undefined : endpoints.read(found)
      ),

    putEndpoint: (tenant: string, value: StoredEndpoint, expectVersion: number | null) =>
      Effect.flatMap(endpoints.bytes(value.id, value), (bytes) =>
        put({ collection: ENDPOINTS, tenant, key: value.id, bytes, expectVersion, expiresAt: null })
      ),

    /** Removes an endpoint with all that it has. */
    removeEndpoint: (tenant: string, id: string) =>
      removeAll(DUE, tenant, `${id}/`).pipe(
        Effect.andThen(removeAll(DELIVERIES, tenant, `${id}/`)),
        Effect.andThen(records.delete({ collection: ENDPOINTS, tenant, key: id }, "any"))
      ),

    delivery: (tenant: string, endpoint: string, id: string) =>
      Effect.flatMap(records.get({ collection: DELIVERIES, tenant, key: deliveryKey(endpoint, id) }), (found) =>
        found === undefined ? Effect.undefined : deliveries.read(found)
      ),

    /** The newest first, behind `after`. */
    deliveries: (tenant: string, endpoint: string, after: string | null, limit: number) =>
      Effect.flatMap(
        records.scan(
          { collection: DELIVERIES, tenant, prefix: `${endpoint}/` },
          after === null ? null : deliveryKey(endpoint, after),
          limit
        ),
        (found) => Effect.forEach(found, deliveries.read)
      ),

    /** One that is over goes after a while. */
    putDelivery: (tenant: string, value: StoredDelivery, expectVersion: number | null, now: number) =>
      Effect.flatMap(deliveries.bytes(value.id, value), (bytes) =>
        put({
          collection: DELIVERIES,
          tenant,
          key: deliveryKey(value.endpoint, value.id),
          bytes,
          expectVersion,
          expiresAt: value.nextAt === null ? now + KEEP_MS : null
        })
      ),

    removeDelivery: (tenant: string, { value, version }: Versioned<StoredDelivery>) =>
      records.delete({ collection: DELIVERIES, tenant, key: deliveryKey(value.endpoint, value.id) }, version),

    /** What is due at `now`, the longest first. */
    due: (tenant: string, endpoint: string, now: number, limit: number) =>
      Effect.map(records.scan({ collection: DUE, tenant, prefix: `${endpoint}/` }, null, limit), (found) =>
        found
          .map(({ key, version }): DueEntry => {
            const [, at = "", delivery = ""] = key.split("/")
            return { key, version, at: Number(at), delivery }
          })
          .filter(({ at }) => at <= now)
      ),

    putDue: Effect.fnUntraced(function* (tenant: string, endpoint: string, at: number, delivery: string) {
      const key = dueKey(endpoint, at, delivery)
      const bytes = new Uint8Array()
      const version = yield* put({ collection: DUE, tenant, key, bytes, expectVersion: "any", expiresAt: null })
      return { key, version: version ?? 0, at, delivery } satisfies DueEntry
    }),

    dropDue: (tenant: string, { key, version }: DueEntry) => records.delete({ collection: DUE, tenant, key }, version)
  }
}
