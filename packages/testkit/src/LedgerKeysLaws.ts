/**
 * The laws of ledger keys (spec: ledger §1, §7). A subject provides `LedgerKeys` made of `LEDGER_TEST_KEYS`, without heads.
 */
import type { ChainHash, Head } from "@sotto/core/budget"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { propertyOf } from "./internal/LawProperty.ts"
import type { Law, Mutant } from "./Law.ts"
import { LEDGER_TEST_KEYS } from "./LedgerLab.ts"

type Service = LedgerKeys["Service"]

const mutant = (name: string, wrong: (right: Service) => Partial<Service>): Mutant<LedgerKeys> => ({
  name,
  apply: (subject) =>
    Layer.effect(
      LedgerKeys,
      Effect.map(LedgerKeys, (right) => LedgerKeys.of({ ...right, ...wrong(right) }))
    ).pipe(Layer.provide(subject))
})

const property = <A>(input: fc.Arbitrary<A>, body: (keys: Service, input: A) => Effect.Effect<boolean, unknown>) =>
  propertyOf(input, (value: A) => LedgerKeys.use((keys) => body(keys, value)))

const heads = fc.record({
  sequence: fc.nat(9),
  hash: fc.nat(3).map((n) => n.toString(16).padStart(64, "d") as ChainHash)
})

const same = (a: Head | undefined, b: Head | undefined): boolean => a?.sequence === b?.sequence && a?.hash === b?.hash

/** What keys without `head` do. */
const remembersNone = Effect.fnUntraced(function* (keys: Service, raises: ReadonlyArray<readonly [string, Head]>) {
  for (const [scope, head] of raises) {
    yield* keys.raiseHead(scope, head)
    if ((yield* keys.head(scope)) !== undefined) return false
  }
  return true
})

const PORT = "LedgerKeys"

export const ledgerKeysLaws: ReadonlyArray<Law<LedgerKeys>> = [
  {
    id: "SAME-KEYS",
    port: PORT,
    rule: "Keys are the ones that were given, every time; a caller who overwrites what it got changes nothing.",
    mutants: [
      mutant("one buffer for all callers", (right) => {
        let shared: Uint8Array | undefined
        return { ledgerId: Effect.map(right.ledgerId, (id) => (shared ??= id)) }
      }),
      mutant("the active key under every id", (right) => ({ noiseKey: () => right.activeNoiseKey }))
    ],
    property: property(fc.constantFrom(...LEDGER_TEST_KEYS.noiseKeys), (keys, [id, bytes]) =>
      Effect.gen(function* () {
        for (let time = 0; time < 2; time++) {
          const found = [
            yield* keys.ledgerId,
            (yield* keys.fingerprintKey).reveal(),
            (yield* keys.noiseKey(id)).key.reveal(),
            (yield* keys.activeNoiseKey).key.reveal()
          ]
          const { activeNoiseKeyId, fingerprintKey, ledgerId, noiseKeys } = LEDGER_TEST_KEYS
          const expected = [ledgerId, fingerprintKey, bytes, noiseKeys.get(activeNoiseKeyId)]
          if (found.join(";") !== expected.join(";")) return false
          for (const each of found) each.fill(0)
        }
        return (yield* keys.activeNoiseKey).id === LEDGER_TEST_KEYS.activeNoiseKeyId
      })
    )
  },
  {
    id: "MISSING",
    port: PORT,
    rule: "An unknown id is NoiseKeyMissing and never another key.",
    mutants: [
      mutant("falls back to the active key", (right) => ({
        noiseKey: (id) => Effect.catchTag(right.noiseKey(id), "NoiseKeyMissing", () => right.activeNoiseKey)
      }))
    ],
    property: property(
      fc.oneof(fc.string(), fc.constantFrom("", "noise-A", "noise-a ", "__proto__", "constructor")),
      (keys, id) =>
        Effect.map(
          Effect.flip(keys.noiseKey(id)),
          (error) => error._tag === "NoiseKeyMissing" && error.noiseKeyId === id
        )
    )
  },
  {
    id: "HEAD-MAX",
    port: PORT,
    rule: "A scope's head is the highest ever raised, also when it is raised by many at once; scopes are separate.",
    needs: ["head"],
    mutants: [
      mutant("the last one wins", (right) => {
        const last = new Map<string, Head>()
        return {
          raiseHead: (scope, head) => Effect.sync(() => void last.set(scope, head)),
          head: (scope) => Effect.map(right.head(scope), (head) => last.get(scope) ?? head)
        }
      }),
      mutant("one head for all scopes", (right) => ({
        raiseHead: (_, head) => right.raiseHead("", head),
        head: () => right.head("")
      }))
    ],
    property: property(
      fc.array(fc.tuple(fc.constantFrom("default", "other", "__proto__"), heads), { minLength: 1, maxLength: 8 }),
      (keys, raises) =>
        Effect.gen(function* () {
          if (!keys.capabilities.head) return yield* remembersNone(keys, raises)
          yield* Effect.all(
            raises.map(([scope, head]) => keys.raiseHead(scope, head)),
            { concurrency: "unbounded", discard: true }
          )
          for (const scope of ["default", "other", "__proto__"]) {
            const mine = raises.filter(([name]) => name === scope).map(([, head]) => head)
            const highest = Math.max(...mine.map(({ sequence }) => sequence))
            const found = yield* keys.head(scope)
            if (
              mine.length === 0
                ? found !== undefined
                : !mine.some((head) => same(head, found) && head.sequence === highest)
            )
              return false
          }
          return true
        })
    )
  },
  {
    id: "HEAD-LOWER",
    port: PORT,
    rule: "A head is lowered from exactly the lost one, else HeadMoved and no change; later raises count from there.",
    needs: ["head"],
    mutants: [
      mutant("lowers whatever is there", (right) => ({
        lowerHead: (scope, lost, head) =>
          Effect.flatMap(right.head(scope), (held) => right.lowerHead(scope, held ?? lost, head))
      })),
      mutant("never lowers", () => ({ lowerHead: () => Effect.void }))
    ],
    property: property(fc.tuple(heads, heads, heads, heads), (keys, [held, lost, lower, next]) =>
      Effect.gen(function* () {
        if (!keys.capabilities.head) return yield* remembersNone(keys, [["default", held]])
        yield* keys.raiseHead("default", held)
        const answer = yield* Effect.exit(keys.lowerHead("default", lost, lower))
        const matches = held.hash === lost.hash
        if (matches !== (answer._tag === "Success")) return false
        const after = yield* keys.head("default")
        if (!same(after, matches ? lower : held)) return false
        yield* keys.raiseHead("default", next)
        return same(yield* keys.head("default"), next.sequence > (after?.sequence ?? -1) ? next : after)
      })
    )
  },
  {
    id: "NO-SECRET",
    port: PORT,
    rule: "Keys and errors do not show the bytes of a key as text or JSON.",
    mutants: [
      mutant("keys as plain bytes", (right) => ({
        fingerprintKey: Effect.map(right.fingerprintKey, (key) =>
          Object.assign(Object.create(key) as typeof key, { bytes: [...key.reveal()], reveal: () => key.reveal() })
        )
      }))
    ],
    property: property(fc.constantFrom(...LEDGER_TEST_KEYS.noiseKeys.keys()), (keys, id) =>
      Effect.gen(function* () {
        const values = [yield* keys.fingerprintKey, yield* keys.noiseKey(id), yield* Effect.flip(keys.noiseKey("none"))]
        const shown = values
          .map((value) => `${String(value)} ${JSON.stringify(value)} ${JSON.stringify({ ...value })}`)
          .join()
        return [LEDGER_TEST_KEYS.fingerprintKey, ...LEDGER_TEST_KEYS.noiseKeys.values()].every(
          (key) =>
            !shown.includes(key.join()) &&
            !shown.includes(Array.from(key, (byte) => byte.toString(16).padStart(2, "0")).join(""))
        )
      })
    )
  }
]
