import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** A signed message, ready to be posted. */
export interface OutgoingMessage {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type SendOutcome =
  /** `retryAfter` is the header as it came. */
  | { readonly _tag: "Answered"; readonly status: number; readonly retryAfter: string | null }
  /** It is not known to have arrived. `problem` is a sentence for the owner of the endpoint. */
  | { readonly _tag: "Unanswered"; readonly problem: string }

/** Posts a message once. Every way in which that can end is an outcome. */
export class Sender extends Context.Service<Sender, { send(message: OutgoingMessage): Effect.Effect<SendOutcome> }>()(
  "@sotto/webhooks/Sender"
) {}
