/** A store in memory, and a clock that only the test moves. */
import type { Entropy } from "@sotto/core/ports/Entropy"
import { Records, RecordsUnavailable } from "@sotto/core/ports/Records"
import { layerMemoryRecords, layerSeededEntropy } from "@sotto/memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import type { Credentials } from "../../src/access/Credentials.ts"

export const START = Date.UTC(2026, 0, 1)

const layerPorts = (): Layer.Layer<Records | Entropy> =>
  Layer.merge(Layer.fresh(layerMemoryRecords()), layerSeededEntropy(1))

/** Runs a test over fresh ports on a clock that starts in 2026; `lines` takes what is logged. */
export const play = <A>(
  test: Effect.Effect<A, unknown, Records | Entropy | Scope.Scope>,
  lines: Array<unknown> = []
): Promise<A> =>
  Effect.runPromise(
    Effect.andThen(TestClock.setTime(START), test).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(
          layerPorts(),
          TestClock.layer(),
          Logger.layer([Logger.make(({ message }) => void lines.push(message))])
        )
      )
    ) as Effect.Effect<A>
  )

const unavailable = new RecordsUnavailable({ because: "io", message: "The file /data/sotto.db cannot be read." })

export const layerBrokenRecords = Layer.succeed(
  Records,
  Records.of({
    capabilities: { durable: false },
    get: () => Effect.fail(unavailable),
    put: () => Effect.fail(unavailable),
    delete: () => Effect.fail(unavailable),
    scan: () => Effect.fail(unavailable)
  })
)

/** What a request sends, in plain text. */
export const sent = (headers: {
  readonly authorization?: string
  readonly apiKey?: string
  readonly link?: string
}): Credentials => {
  const wrap = (text: string | undefined) => (text === undefined ? undefined : Redacted.make(text))
  return { authorization: wrap(headers.authorization), apiKey: wrap(headers.apiKey), link: wrap(headers.link) }
}

export const basic = (text: string, scheme = "Basic"): string => `${scheme} ${Buffer.from(text).toString("base64")}`
