/** How values of the core read on the command line. */
import { isEpsilon, printEpsilon } from "@sotto/core/budget"
import { fromMillis, printInstant } from "@sotto/core/Instant"
import type { ShortUnit } from "@sotto/engine"
import { dim, grouped, table } from "./Terminal.ts"

/** ε that was spent or remains, in micro-ε; unlike a question's it may be 0. */
export const epsilonText = (micro: number): string => (isEpsilon(micro) ? printEpsilon(micro) : String(micro / 1e6))

/** Milliseconds since 1970 as RFC 3339. */
export const timeText = (millis: number): string => printInstant(fromMillis(millis))

/** Hours since 1970, e.g. `2024-01-31T10h`. */
export const hourText = (hour: number): string => `${timeText(hour * 3_600_000).slice(0, 13)}h`

/** Units that cannot pay, for `--json`. */
export const shortUnits = (short: ReadonlyArray<ShortUnit>): ReadonlyArray<object> =>
  short.map(({ id, remaining, use }) => ({
    unit: id,
    remaining: epsilonText(remaining),
    filteringId: use.filteringId,
    origin: use.origin,
    hour: hourText(use.hour)
  }))

const SHOWN = 10

/** Units that cannot pay, the first few as a table. */
export const shortUnitTable = (short: ReadonlyArray<ShortUnit>): string =>
  [
    table(
      ["unit", "origin", "hour", "filtering id", "remaining ε"],
      short
        .slice(0, SHOWN)
        .map(({ id, remaining, use }) => [
          `${id.slice(0, 12)}…`,
          use.origin,
          hourText(use.hour),
          String(use.filteringId),
          epsilonText(remaining)
        ])
    ),
    ...(short.length > SHOWN ? [dim(`… ${grouped(short.length - SHOWN)} more; --json names all`)] : [])
  ].join("\n")
