/** Endpoints and their logs, as their tenants see and change them. Sending is the deliverer's. */
import { toHex } from "@sotto/core/Bytes"
import { Entropy } from "@sotto/core/ports/Entropy"
import { Records, RecordsUnavailable } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { AddressGuard, type AddressRefused } from "./AddressGuard.ts"
import { type Delivery, DeliveryId, deliveryId } from "./Delivery.ts"
import { type Endpoint, type EndpointChanges, EndpointId, type NewEndpoint, type Rotation } from "./Endpoint.ts"
import { shelfOf, type StoredDelivery, type StoredEndpoint, type Versioned } from "./internal/Shelf.ts"
import { TEST_TYPE, testMessage } from "./Message.ts"
import { printSecret, SECRET_BYTES } from "./Signature.ts"

/** This tenant has no such endpoint. */
export class UnknownEndpoint extends Schema.TaggedError<UnknownEndpoint>()("UnknownEndpoint", {
  id: Schema.String,
  message: Schema.String
}) {}

/** The log of the endpoint has no such delivery: it never had, or it was kept for long enough. */
export class UnknownDelivery extends Schema.TaggedError<UnknownDelivery>()("UnknownDelivery", {
  id: Schema.String,
  message: Schema.String
}) {}

/** The tenant has as many endpoints as it may have. */
export class TooManyEndpoints extends Schema.TaggedError<TooManyEndpoints>()("TooManyEndpoints", {
  limit: Schema.Int,
  message: Schema.String
}) {}

export const MAX_ENDPOINTS = 50

/** An endpoint with its new secret, which is told this once. */
export interface WithSecret {
  readonly endpoint: Endpoint
  readonly secret: Redacted.Redacted<string>
}

export interface DeliveryPage {
  readonly deliveries: ReadonlyArray<Delivery>
  /** Where the next page starts; `null` if this was the last. */
  readonly next: string | null
}

export class Webhooks extends Context.Service<
  Webhooks,
  {
    create(
      tenant: string,
      endpoint: NewEndpoint
    ): Effect.Effect<WithSecret, AddressRefused | TooManyEndpoints | RecordsUnavailable>

    /** All of them, the oldest first. */
    list(tenant: string): Effect.Effect<ReadonlyArray<Endpoint>, RecordsUnavailable>

    get(tenant: string, id: string): Effect.Effect<Endpoint, UnknownEndpoint | RecordsUnavailable>

    /** Enabling sends what happens from now on, and goes on with what was pending. */
    update(
      tenant: string,
      id: string,
      changes: EndpointChanges
    ): Effect.Effect<Endpoint, UnknownEndpoint | AddressRefused | RecordsUnavailable>

    /** Nothing more is sent; log and secrets go. */
    remove(tenant: string, id: string): Effect.Effect<void, UnknownEndpoint | RecordsUnavailable>

    /** A new secret. Until the one before stops, messages are signed with both. */
    rotate(
      tenant: string,
      id: string,
      rotation: Rotation
    ): Effect.Effect<WithSecret, UnknownEndpoint | RecordsUnavailable>

    /** Sends a message of type `webhook.test`, whatever the endpoint's filter. */
    test(tenant: string, id: string): Effect.Effect<Delivery, UnknownEndpoint | RecordsUnavailable>

    /** At most `limit` (1 … 500) deliveries of the log behind `after`, the newest first. */
    deliveries(
      tenant: string,
      id: string,
      after: string | null,
      limit: number
    ): Effect.Effect<DeliveryPage, UnknownEndpoint | UnknownDelivery | RecordsUnavailable>

    delivery(
      tenant: string,
      id: string,
      delivery: string
    ): Effect.Effect<Delivery, UnknownEndpoint | UnknownDelivery | RecordsUnavailable>

    /** Tries again at once, with as many tries as at first, under the same id. */
    redeliver(
      tenant: string,
      id: string,
      delivery: string
    ): Effect.Effect<Delivery, UnknownEndpoint | UnknownDelivery | RecordsUnavailable>
  }
>()("@sotto/webhooks/Webhooks") {}

export const layerWebhooks: Layer.Layer<Webhooks, never, Records | Entropy | AddressGuard> = Layer.effect(
  Webhooks,
  Effect.gen(function* () {
    const shelf = shelfOf(yield* Records)
    const entropy = yield* Entropy
    const guard = yield* AddressGuard

    const freshSecret = Effect.map(entropy.bytes(SECRET_BYTES), printSecret)

    const find = Effect.fnUntraced(function* (tenant: string, id: string) {
      const found = isEndpointId(id) ? yield* shelf.endpoint(tenant, id) : undefined
      return found === undefined || found.value.deletedAt !== null ? yield* unknownEndpoint(id) : found
    })

    const findDelivery = Effect.fnUntraced(function* (tenant: string, endpoint: string, id: string) {
      yield* find(tenant, endpoint)
      if (!isDeliveryId(id)) return yield* unknownDelivery(id)
      return (yield* shelf.delivery(tenant, endpoint, id)) ?? (yield* unknownDelivery(id))
    })

    const change = Effect.fnUntraced(function* (
      tenant: string,
      id: string,
      how: (endpoint: StoredEndpoint, now: number) => StoredEndpoint
    ) {
      return yield* untilWritten(
        Effect.gen(function* () {
          const { value, version } = yield* find(tenant, id)
          const now = yield* Clock.currentTimeMillis
          const changed = { ...how(value, now), updatedAt: now }
          const written = yield* shelf.putEndpoint(tenant, changed, version)
          return written === undefined ? undefined : changed
        })
      )
    })

    /** Makes a delivery pending at `now`; `undefined`: another version is there. */
    const post = Effect.fnUntraced(function* (
      tenant: string,
      delivery: StoredDelivery,
      expectVersion: number | null,
      now: number
    ) {
      const entry = shelf.putDue(tenant, delivery.endpoint, now, delivery.id)
      // The entry comes first, so that no pending delivery is left alone; and again, in case it was found too early.
      yield* entry
      const written = yield* shelf.putDelivery(tenant, delivery, expectVersion, now)
      if (written === undefined) return undefined
      yield* entry
      return shownDelivery(delivery)
    })

    return Webhooks.of({
      create: Effect.fn("Webhooks.create")(function* (tenant, asked) {
        yield* guard.check(asked.url)
        const present = (yield* shelf.endpoints(tenant)).filter(({ value }) => value.deletedAt === null)
        if (present.length >= MAX_ENDPOINTS) {
          return yield* new TooManyEndpoints({
            limit: MAX_ENDPOINTS,
            message: `There are ${MAX_ENDPOINTS} endpoints already. Delete one first.`
          })
        }
        const secret = yield* freshSecret
        const id = `ep_${toHex(yield* entropy.bytes(16))}`
        // The deliverer looks at the tenants that are noted, so that no endpoint is overlooked.
        yield* shelf.noteTenant(tenant)
        const now = yield* Clock.currentTimeMillis
        const endpoint: StoredEndpoint = {
          ...asked,
          id,
          disabledBecause: asked.enabled ? null : "client",
          createdAt: now,
          updatedAt: now,
          enabledAt: now,
          secrets: [{ secret, createdAt: now, validUntil: null }],
          deletedAt: null
        }
        yield* shelf.putEndpoint(tenant, endpoint, null)
        return { endpoint: shown(endpoint), secret: Redacted.make(secret) }
      }),

      list: Effect.fn("Webhooks.list")(function* (tenant) {
        return (yield* shelf.endpoints(tenant))
          .flatMap(({ value }) => (value.deletedAt === null ? [shown(value)] : []))
          .toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
      }),

      get: Effect.fn("Webhooks.get")(function* (tenant, id) {
        return shown((yield* find(tenant, id)).value)
      }),

      update: Effect.fn("Webhooks.update")(function* (tenant, id, changes) {
        if (changes.url !== undefined) yield* guard.check(changes.url)
        const endpoint = yield* change(tenant, id, (before, now) => ({
          ...before,
          ...changes,
          ...(changes.enabled === undefined || changes.enabled === before.enabled
            ? {}
            : changes.enabled
              ? { disabledBecause: null, enabledAt: now }
              : { disabledBecause: "client" })
        }))
        return shown(endpoint)
      }),

      remove: Effect.fn("Webhooks.remove")(function* (tenant, id) {
        yield* change(tenant, id, (endpoint, now) => ({ ...endpoint, enabled: false, secrets: [], deletedAt: now }))
      }),

      rotate: Effect.fn("Webhooks.rotate")(function* (tenant, id, { keepMs }) {
        const secret = yield* freshSecret
        const endpoint = yield* change(tenant, id, ({ secrets, ...rest }, now) => ({
          ...rest,
          secrets: [
            { secret, createdAt: now, validUntil: null },
            ...secrets
              .map((one) => ({ ...one, validUntil: one.validUntil ?? now + keepMs }))
              .filter(({ validUntil }) => validUntil > now)
          ].slice(0, MAX_SECRETS)
        }))
        return { endpoint: shown(endpoint), secret: Redacted.make(secret) }
      }),

      test: Effect.fn("Webhooks.test")(function* (tenant, id) {
        yield* find(tenant, id)
        return yield* untilWritten(
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            const delivery: StoredDelivery = {
              id: deliveryId(now, [id, tenant, toHex(yield* entropy.bytes(16))]),
              endpoint: id,
              type: TEST_TYPE,
              job: null,
              createdAt: now,
              state: "pending",
              tries: 0,
              nextAt: now,
              attempts: [],
              body: testMessage(now)
            }
            return yield* post(tenant, delivery, null, now)
          })
        )
      }),

      deliveries: Effect.fn("Webhooks.deliveries")(function* (tenant, id, after, limit) {
        yield* find(tenant, id)
        if (after !== null && !isDeliveryId(after)) return yield* unknownDelivery(after)
        const found = yield* shelf.deliveries(tenant, id, after, limit + 1)
        const page = found.slice(0, limit).map(({ value }) => shownDelivery(value))
        return { deliveries: page, next: found.length > limit ? (page.at(-1)?.id ?? null) : null }
      }),

      delivery: Effect.fn("Webhooks.delivery")(function* (tenant, id, delivery) {
        return shownDelivery((yield* findDelivery(tenant, id, delivery)).value)
      }),

      redeliver: Effect.fn("Webhooks.redeliver")(function* (tenant, id, delivery) {
        return yield* untilWritten(
          Effect.gen(function* () {
            const { value, version }: Versioned<StoredDelivery> = yield* findDelivery(tenant, id, delivery)
            const now = yield* Clock.currentTimeMillis
            return yield* post(tenant, { ...value, state: "pending", tries: 0, nextAt: now }, version, now)
          })
        )
      })
    })
  })
)

const isEndpointId = Schema.is(EndpointId)
const isDeliveryId = Schema.is(DeliveryId)

/** The most secrets that sign at once. */
const MAX_SECRETS = 5

/** More conflicts in a row than this are not chance. */
const MAX_CONFLICTS = 20

/** Reads, decides and writes again for as long as somebody else was faster. */
const untilWritten = <A, E>(once: Effect.Effect<A | undefined, E>): Effect.Effect<A, E | RecordsUnavailable> =>
  Effect.gen(function* () {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const written = yield* once
      if (written !== undefined) return written
    }
    return yield* new RecordsUnavailable({
      because: "busy",
      message: "Others keep changing the same webhook. Try again."
    })
  })

/** What its tenant sees of an endpoint: no secret. */
const shown = ({ deletedAt: _, secrets, ...endpoint }: StoredEndpoint): Endpoint => ({
  ...endpoint,
  secrets: secrets.map(({ createdAt, validUntil }) => ({ createdAt, validUntil }))
})

const shownDelivery = ({ body: _, ...delivery }: StoredDelivery): Delivery => delivery

const unknownEndpoint = (id: string) =>
  new UnknownEndpoint({ id, message: `There is no webhook endpoint "${id}". Check the id and the tenant.` })

const unknownDelivery = (id: string) =>
  new UnknownDelivery({
    id,
    message: `There is no delivery "${id}" in the log of this endpoint. Old ones go after a while.`
  })
