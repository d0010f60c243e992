/**
 * What is sent: `type`, `timestamp` and `data`, as Standard Webhooks 1.0 recommends.
 *
 * It says what happened and to which job, and nothing of what the job is about: who wants to know asks for the job, with
 * the rights to do so.
 */
import type { JobEvent, OutwardEvent } from "@sotto/core/job"
import { fromMillis, printInstant } from "@sotto/core/Instant"
import * as Schema from "effect/Schema"

const Data = Schema.Struct({
  job: Schema.String,
  kind: Schema.String,
  /** Counts the outward events of the job from 1 without gaps. Messages may overtake one another. */
  number: Schema.Int,
  event: Schema.String,
  /** Of an input, an output or something outside. */
  key: Schema.optionalKey(Schema.String),
  /** Where the job was after the event. */
  state: Schema.String,
  /** Raised by a reset. */
  session: Schema.Int
})

/** The body of a message; the `data` of a test is empty. */
export const Message = Schema.Struct({
  type: Schema.String,
  /** When it happened, in ISO 8601. */
  timestamp: Schema.String,
  data: Schema.Union([Data, Schema.Struct({})])
})
export type Message = typeof Message.Type

export const TEST_TYPE = "webhook.test"

export const typeOf = ({ name }: Pick<OutwardEvent, "name">): string => `job.${name}`

/** The body about an outward event of a job. */
export const messageOf = (job: { readonly id: string; readonly kind: string }, event: JobEvent, one: OutwardEvent) =>
  body({
    type: typeOf(one),
    timestamp: timeOf(event.at),
    data: {
      job: job.id,
      kind: job.kind,
      number: one.number,
      event: one.name,
      ...(one.key === undefined ? {} : { key: one.key }),
      state: event.state,
      session: event.session
    }
  })

export const testMessage = (at: number): string => body({ type: TEST_TYPE, timestamp: timeOf(at), data: {} })

const body = (message: Message): string => JSON.stringify(message)

const timeOf = (at: number): string => printInstant(fromMillis(at))
