/** The vault and the token route: card numbers and secrets by token, client credentials (other systems A3, RFC 6749 §4.4). */
import type { Plain } from "@sotto/core/job"
import { Automations } from "@sotto/engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Authentication } from "../access/Authentication.ts"
import { Tokens } from "../access/Tokens.ts"
import { apiOf } from "../ApiOf.ts"
import { ErrorForm } from "../ErrorForm.ts"
import { Caller, Guard } from "../Operation.ts"
import { answering, bodyOf, callForm, respond } from "./CallForm.ts"
import { posts, type Prefix } from "./Declare.ts"
import { Empty, EXAMPLE_ID } from "./Shapes.ts"

const Pan = Schema.Struct({ otp: Schema.String, pan: Schema.String })
const Data = Schema.Struct({ otp: Schema.String, data: Schema.Json })

const groupAt = (prefix: Prefix) =>
  HttpApiGroup.make("automationVault")
    .add(
      posts("otp", `${prefix}/vault/otp`, {
        audience: "either",
        summary: "Get a one-time password for the vault",
        body: Empty,
        answer: Schema.Struct({ id: Schema.String }),
        example: { answer: { id: EXAMPLE_ID } }
      }),
      posts("pan", `${prefix}/vault/pan`, {
        audience: "public",
        summary: "Put a card number into the vault",
        description: "The password says whose it is; nothing else is asked.",
        body: Pan,
        answer: Schema.Struct({ panToken: Schema.String, key: Schema.String }),
        example: {
          body: { otp: EXAMPLE_ID, pan: "4111 1111 1111 1111" },
          answer: { panToken: EXAMPLE_ID, key: EXAMPLE_ID }
        }
      }),
      posts("data", `${prefix}/vault/data`, {
        audience: "public",
        summary: "Put anything into the vault",
        description: '`{"$token": …}` stands for it in inputs.',
        body: Data,
        answer: Schema.Struct({ token: Schema.String }),
        example: { body: { otp: EXAMPLE_ID, data: "hush" }, answer: { token: EXAMPLE_ID } }
      }),
      posts("token", `${prefix}/oauth2/token`, {
        audience: "public",
        summary: "Get an access token for client credentials",
        description:
          "A form with grant_type=client_credentials, client_id and client_secret: id and secret of an API key.",
        answer: Schema.Struct({ access_token: Schema.String, token_type: Schema.String, expires_in: Schema.Int }),
        example: { answer: { access_token: "sotto_access_…", token_type: "Bearer", expires_in: 3600 } }
      })
    )
    .middleware(Guard)
    .annotate(ErrorForm, callForm(prefix))
    .annotateMerge(OpenApi.annotations({ title: "Vault", description: "What only scripts may see." }))

const ACCESS_SECONDS = 3_600

const WHOLE_KEY = /^sotto_([0-9a-f]{16})_([0-9a-f]{64})$/

const oauthError = (error: string, status: number) => respond({ error }, status)

export const automationVault = (prefix: Prefix) => {
  const group = groupAt(prefix)
  const layer = HttpApiBuilder.group(
    apiOf(group),
    "automationVault",
    Effect.fnUntraced(function* (handlers) {
      const automations = yield* Automations
      const authentication = yield* Authentication
      const tokens = yield* Tokens
      return handlers
        .handleRaw("otp", () =>
          Effect.flatMap(Caller, ({ tenant, principal: { scope } }) =>
            answering(
              // A token of another kind of job, such as a driver's, is nothing to the vault.
              Effect.andThen(
                scope._tag === "Job" ? automations.get(tenant.name, scope.id) : Effect.void,
                Effect.map(automations.createOtp(tenant.name), (id) => ({ id }))
              )
            )
          )
        )
        .handleRaw("pan", ({ request }) =>
          answering(
            Effect.gen(function* () {
              const { otp, pan } = yield* bodyOf(request, Pan)
              return yield* automations.storePan(otp, pan)
            })
          )
        )
        .handleRaw("data", ({ request }) =>
          answering(
            Effect.gen(function* () {
              const { otp, data } = yield* bodyOf(request, Data)
              return { token: yield* automations.storeData(otp, data as Plain) }
            })
          )
        )
        .handleRaw("token", ({ request }) =>
          Effect.gen(function* () {
            const form = new URLSearchParams(yield* Effect.orDie(request.text))
            if (form.get("grant_type") !== "client_credentials") return oauthError("unsupported_grant_type", 400)
            const id = form.get("client_id") ?? ""
            const given = form.get("client_secret") ?? ""
            // The key as it was printed has both.
            const [, ofKey, behindId] = WHOLE_KEY.exec(given) ?? []
            const secret = ofKey === id && behindId !== undefined ? behindId : given
            // Without a secret the user of Basic may be a token, which would get itself another before it is over.
            if (secret === "" || secret === "undefined") return oauthError("invalid_client", 401)
            const pair = `${id}:${secret}`
            const now = yield* Clock.currentTimeMillis
            const shown = Redacted.make(`Basic ${Buffer.from(pair).toString("base64")}`)
            const until = now + ACCESS_SECONDS * 1_000
            return yield* authentication
              .authenticate({ authorization: shown, apiKey: undefined, link: undefined }, now)
              .pipe(
                Effect.flatMap((principal) =>
                  principal.scope._tag === "All"
                    ? Effect.map(tokens.accessToken({ ...principal, until }), (token) =>
                        respond({
                          access_token: Redacted.value(token),
                          token_type: "Bearer",
                          expires_in: ACCESS_SECONDS
                        })
                      )
                    : Effect.succeed(oauthError("invalid_client", 401))
                ),
                Effect.catch(({ _tag }) =>
                  Effect.succeed(
                    _tag === "AccessUnavailable"
                      ? oauthError("temporarily_unavailable", 503)
                      : oauthError("invalid_client", 401)
                  )
                )
              )
          })
        )
    })
  )
  return { group, layer }
}
