import { toHex } from "@sotto/core/Bytes"
import { Entropy } from "@sotto/core/ports/Entropy"
import * as Effect from "effect/Effect"

/** What may be taken over from a client: it comes to logs and answers as it is. */
const SANE = /^[A-Za-z0-9._:-]{1,128}$/

/** The client's own id of the request if it is sane, otherwise a fresh one of 32 hexadecimal digits. */
export const requestId = (sent: string | undefined): Effect.Effect<string, never, Entropy> =>
  sent !== undefined && SANE.test(sent)
    ? Effect.succeed(sent)
    : Effect.map(
        Entropy.use((entropy) => entropy.bytes(16)),
        toHex
      )
