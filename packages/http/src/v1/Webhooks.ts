/**
 * Where events are sent: endpoints of a tenant, their secrets, and the log of what was sent to them.
 */
import {
  type Delivery,
  DELIVERY_STATES,
  type Endpoint,
  EndpointChanges,
  NewEndpoint,
  Rotation,
  Webhooks
} from "@sotto/webhooks"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { apiOf } from "../ApiOf.ts"
import { Caller, Guard, Operation } from "../Operation.ts"
import { problem, problemOf, problems } from "../Problem.ts"
import { EXAMPLE_ID } from "./Examples.ts"
import { printTime, Time } from "./JobView.ts"

const names = Schema.NullOr(Schema.Array(Schema.String))

const ENDPOINT = {
  id: Schema.String,
  url: Schema.String,
  description: Schema.String,
  /** `null`: all. */
  kinds: names,
  events: names,
  enabled: Schema.Boolean,
  disabledBecause: Schema.NullOr(Schema.Literals(["client", "gone"])),
  createdAt: Time,
  updatedAt: Time,
  enabledAt: Time,
  /** When each secret stops signing, the newest first; `null` for the present one. */
  secrets: Schema.Array(Schema.Struct({ createdAt: Time, validUntil: Schema.NullOr(Time) }))
}

const EndpointView = Schema.Struct(ENDPOINT).annotate({ identifier: "WebhookEndpoint" })

/** The secret is told this once. */
const WithSecret = Schema.Struct({ ...ENDPOINT, secret: Schema.String }).annotate({
  identifier: "WebhookEndpointWithSecret"
})

const EndpointList = Schema.Struct({ endpoints: Schema.Array(EndpointView) }).annotate({
  identifier: "WebhookEndpointList"
})

const DeliveryView = Schema.Struct({
  id: Schema.String,
  endpoint: Schema.String,
  type: Schema.String,
  job: Schema.NullOr(Schema.Struct({ id: Schema.String, kind: Schema.String, number: Schema.Int })),
  createdAt: Time,
  state: Schema.Literals(DELIVERY_STATES),
  tries: Schema.Int,
  nextAt: Schema.NullOr(Time),
  attempts: Schema.Array(
    Schema.Struct({
      at: Time,
      tookMs: Schema.Int,
      status: Schema.NullOr(Schema.Int),
      problem: Schema.NullOr(Schema.String)
    })
  )
}).annotate({ identifier: "WebhookDelivery" })

const DeliveryList = Schema.Struct({
  deliveries: Schema.Array(DeliveryView),
  /** Give it as `after` for the next page; `null` on the last. */
  next: Schema.NullOr(Schema.String)
}).annotate({ identifier: "WebhookDeliveryList" })

const ENDPOINT_ID = "ep_0123456789abcdef0123456789abcdef"
const DELIVERY_ID = "msg_0mngx3ltw0123456789abcdef0123456789abcdef"
const AT = "2026-04-01T08:00:00.000Z"

const EXAMPLE_ENDPOINT: typeof EndpointView.Type = {
  id: ENDPOINT_ID,
  url: "https://hooks.example.com/sotto",
  description: "Tells the dashboard",
  kinds: ["aggregation"],
  events: ["succeeded", "failed"],
  enabled: true,
  disabledBecause: null,
  createdAt: AT,
  updatedAt: AT,
  enabledAt: AT,
  secrets: [{ createdAt: AT, validUntil: null }]
}

const EXAMPLE_DELIVERY: typeof DeliveryView.Type = {
  id: DELIVERY_ID,
  endpoint: ENDPOINT_ID,
  type: "job.succeeded",
  job: { id: EXAMPLE_ID, kind: "aggregation", number: 4 },
  createdAt: AT,
  state: "delivered",
  tries: 1,
  nextAt: null,
  attempts: [{ at: AT, tookMs: 120, status: 204, problem: null }]
}

const ofEndpoint = { endpoint: Schema.String }
const ofDelivery = { endpoint: Schema.String, delivery: Schema.String }

const at = { endpoint: ENDPOINT_ID }

const list = HttpApiEndpoint.get("list", "/v1/webhooks", {
  success: EndpointList,
  error: problems("not-supported", "unavailable")
})
  .annotateMerge(OpenApi.annotations({ summary: "List the endpoints of webhooks" }))
  .annotate(Operation, { audience: "tenant", example: { answer: { endpoints: [EXAMPLE_ENDPOINT] } } })

const create = HttpApiEndpoint.post("create", "/v1/webhooks", {
  payload: NewEndpoint.annotate({ identifier: "NewWebhookEndpoint" }),
  success: WithSecret.pipe(HttpApiSchema.status(201)),
  error: problems("address-refused", "too-many-endpoints", "not-supported", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Make an endpoint of webhooks",
      description: "Events from now on are sent to it, signed by Standard Webhooks. The secret is told this once."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    headers: { location: "Where the endpoint is." },
    example: {
      body: { url: EXAMPLE_ENDPOINT.url, kinds: ["aggregation"], events: ["succeeded", "failed"] },
      answer: { ...EXAMPLE_ENDPOINT, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }
    }
  })

const get = HttpApiEndpoint.get("get", "/v1/webhooks/:endpoint", {
  params: ofEndpoint,
  success: EndpointView,
  error: problems("unknown-endpoint", "not-supported", "unavailable")
})
  .annotateMerge(OpenApi.annotations({ summary: "Look at an endpoint of webhooks" }))
  .annotate(Operation, { audience: "tenant", example: { parameters: at, answer: EXAMPLE_ENDPOINT } })

const update = HttpApiEndpoint.patch("update", "/v1/webhooks/:endpoint", {
  params: ofEndpoint,
  payload: EndpointChanges.annotate({ identifier: "WebhookEndpointChanges" }),
  success: EndpointView,
  error: problems("unknown-endpoint", "address-refused", "not-supported", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Change an endpoint of webhooks",
      description: "What is absent stays. Enabling sends what happens from then on, and goes on with what was pending."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    example: { parameters: at, body: { enabled: true }, answer: EXAMPLE_ENDPOINT }
  })

const remove = HttpApiEndpoint.delete("remove", "/v1/webhooks/:endpoint", {
  params: ofEndpoint,
  success: HttpApiSchema.NoContent,
  error: problems("unknown-endpoint", "not-supported", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({ summary: "Remove an endpoint of webhooks", description: "Its secrets and its log go too." })
  )
  .annotate(Operation, { audience: "tenant", example: { parameters: at } })

const rotate = HttpApiEndpoint.post("rotate", "/v1/webhooks/:endpoint/rotate", {
  params: ofEndpoint,
  payload: Rotation.annotate({ identifier: "WebhookRotation" }),
  success: WithSecret,
  error: problems("unknown-endpoint", "not-supported", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Make a new secret",
      description: "For keepMs (a day unless told) messages are signed with the one before as well."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    example: {
      parameters: at,
      body: { keepMs: 3_600_000 },
      answer: { ...EXAMPLE_ENDPOINT, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }
    }
  })

const test = HttpApiEndpoint.post("test", "/v1/webhooks/:endpoint/test", {
  params: ofEndpoint,
  success: DeliveryView.pipe(HttpApiSchema.status(202)),
  error: problems("unknown-endpoint", "not-supported", "unavailable")
})
  .annotateMerge(OpenApi.annotations({ summary: "Send a test", description: "Whatever the endpoint's filter." }))
  .annotate(Operation, { audience: "tenant", example: { parameters: at, answer: EXAMPLE_DELIVERY } })

const deliveries = HttpApiEndpoint.get("deliveries", "/v1/webhooks/:endpoint/deliveries", {
  params: ofEndpoint,
  query: {
    after: Schema.optionalKey(Schema.String),
    limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 })))
  },
  success: DeliveryList,
  error: problems("unknown-endpoint", "unknown-delivery", "not-supported", "unavailable")
})
  .annotateMerge(OpenApi.annotations({ summary: "List what was sent", description: "Newest first." }))
  .annotate(Operation, {
    audience: "tenant",
    example: { parameters: { ...at, limit: "10" }, answer: { deliveries: [EXAMPLE_DELIVERY], next: null } }
  })

const delivery = HttpApiEndpoint.get("delivery", "/v1/webhooks/:endpoint/deliveries/:delivery", {
  params: ofDelivery,
  success: DeliveryView,
  error: problems("unknown-endpoint", "unknown-delivery", "not-supported", "unavailable")
})
  .annotateMerge(OpenApi.annotations({ summary: "Look at a delivery with its attempts" }))
  .annotate(Operation, {
    audience: "tenant",
    example: { parameters: { ...at, delivery: DELIVERY_ID }, answer: EXAMPLE_DELIVERY }
  })

const redeliver = HttpApiEndpoint.post("redeliver", "/v1/webhooks/:endpoint/deliveries/:delivery/redeliver", {
  params: ofDelivery,
  success: DeliveryView.pipe(HttpApiSchema.status(202)),
  error: problems("unknown-endpoint", "unknown-delivery", "not-supported", "unavailable")
})
  .annotateMerge(OpenApi.annotations({ summary: "Send it again", description: "At once, under the same id." }))
  .annotate(Operation, {
    audience: "tenant",
    example: { parameters: { ...at, delivery: DELIVERY_ID }, answer: EXAMPLE_DELIVERY }
  })

export const WebhookEndpoints = HttpApiGroup.make("webhooks")
  .add(list, create, get, update, remove, rotate, test, deliveries, delivery, redeliver)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Webhooks", description: "Where events are sent, and what was." }))

const timeOr = (millis: number | null): string | null => (millis === null ? null : printTime(millis))

const shown = (endpoint: Endpoint): typeof EndpointView.Type => ({
  ...endpoint,
  createdAt: printTime(endpoint.createdAt),
  updatedAt: printTime(endpoint.updatedAt),
  enabledAt: printTime(endpoint.enabledAt),
  secrets: endpoint.secrets.map(({ createdAt, validUntil }) => ({
    createdAt: printTime(createdAt),
    validUntil: timeOr(validUntil)
  }))
})

const shownDelivery = (delivery: Delivery): typeof DeliveryView.Type => ({
  ...delivery,
  createdAt: printTime(delivery.createdAt),
  nextAt: timeOr(delivery.nextAt),
  attempts: delivery.attempts.map((attempt) => ({ ...attempt, at: printTime(attempt.at) }))
})

const DEFAULT_LIMIT = 100

/** A server that sends no webhooks answers 501. */
export const layerWebhooksGroup = HttpApiBuilder.group(
  apiOf(WebhookEndpoints),
  "webhooks",
  Effect.fnUntraced(function* (handlers) {
    const service = yield* Effect.serviceOption(Webhooks)

    const asked = Effect.gen(function* () {
      const { tenant } = yield* Caller
      if (Option.isNone(service)) {
        return yield* Effect.fail(problem("not-supported", "This server sends no webhooks. Follow events instead."))
      }
      return { tenant: tenant.name, webhooks: service.value }
    })

    return handlers.handleAll({
      list: Effect.fnUntraced(function* () {
        const { tenant, webhooks } = yield* asked
        const found = yield* Effect.mapError(webhooks.list(tenant), problemOf)
        return { endpoints: found.map(shown) }
      }),
      create: Effect.fnUntraced(function* ({ payload }) {
        const { tenant, webhooks } = yield* asked
        const { endpoint, secret } = yield* Effect.mapError(webhooks.create(tenant, payload), problemOf)
        return HttpServerResponse.jsonUnsafe(
          { ...shown(endpoint), secret: Redacted.value(secret) },
          { status: 201, headers: { location: `/v1/webhooks/${endpoint.id}` } }
        )
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const { tenant, webhooks } = yield* asked
        return shown(yield* Effect.mapError(webhooks.get(tenant, params.endpoint), problemOf))
      }),
      update: Effect.fnUntraced(function* ({ params, payload }) {
        const { tenant, webhooks } = yield* asked
        return shown(yield* Effect.mapError(webhooks.update(tenant, params.endpoint, payload), problemOf))
      }),
      remove: Effect.fnUntraced(function* ({ params }) {
        const { tenant, webhooks } = yield* asked
        yield* Effect.mapError(webhooks.remove(tenant, params.endpoint), problemOf)
      }),
      rotate: Effect.fnUntraced(function* ({ params, payload }) {
        const { tenant, webhooks } = yield* asked
        const { endpoint, secret } = yield* Effect.mapError(
          webhooks.rotate(tenant, params.endpoint, payload),
          problemOf
        )
        return { ...shown(endpoint), secret: Redacted.value(secret) }
      }),
      test: Effect.fnUntraced(function* ({ params }) {
        const { tenant, webhooks } = yield* asked
        return shownDelivery(yield* Effect.mapError(webhooks.test(tenant, params.endpoint), problemOf))
      }),
      deliveries: Effect.fnUntraced(function* ({ params, query }) {
        const { tenant, webhooks } = yield* asked
        const { after = null, limit = DEFAULT_LIMIT } = query
        const page = yield* Effect.mapError(webhooks.deliveries(tenant, params.endpoint, after, limit), problemOf)
        return { deliveries: page.deliveries.map(shownDelivery), next: page.next }
      }),
      delivery: Effect.fnUntraced(function* ({ params }) {
        const { tenant, webhooks } = yield* asked
        return shownDelivery(
          yield* Effect.mapError(webhooks.delivery(tenant, params.endpoint, params.delivery), problemOf)
        )
      }),
      redeliver: Effect.fnUntraced(function* ({ params }) {
        const { tenant, webhooks } = yield* asked
        return shownDelivery(
          yield* Effect.mapError(webhooks.redeliver(tenant, params.endpoint, params.delivery), problemOf)
        )
      })
    })
  })
)
