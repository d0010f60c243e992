import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The clock of the store under test, which laws move on. */
export class LawClock extends Context.Service<
  LawClock,
  {
    /** Milliseconds since 1970, as the store sees them. */
    readonly now: Effect.Effect<number>
    advance(ms: number): Effect.Effect<void>
  }
>()("@sotto/testkit/LawClock") {}

const START = 1_700_000_000_000

/** For adapters whose time is Effect's clock: it stands still unless a law moves it. Waiting takes real time as ever. */
export const layerLawClock: Layer.Layer<LawClock> = Layer.effectContext(
  Effect.map(Clock.Clock, (real) => {
    let now = START
    const nanos = () => BigInt(now) * 1_000_000n
    const clock: Clock.Clock = {
      currentTimeMillisUnsafe: () => now,
      currentTimeMillis: Effect.sync(() => now),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: real.monotonicTimeNanos,
      sleep: (duration) => real.sleep(duration)
    }
    const lab = LawClock.of({
      now: Effect.sync(() => now),
      advance: (ms) =>
        Effect.sync(() => {
          now += ms
        })
    })
    return Context.make(LawClock, lab).pipe(Context.add(Clock.Clock, clock))
  })
)
