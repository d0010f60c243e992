import { KeyNotFound, KeyRing, type DecryptionKey } from "@sotto/core/ports/KeyRing"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { demand, propertyOf, sameBytes } from "./internal/LawProperty.ts"
import type { Law, Mutant } from "./Law.ts"

type Service = KeyRing["Service"]

/**
 * The laws of the port `KeyRing` for a ring that holds just `keys`; at least two, whose private keys differ.
 *
 * A ring is filled in many ways (a file, a service), so who tests one says what he put in.
 */
export const keyRingLaws = (keys: ReadonlyArray<DecryptionKey>): ReadonlyArray<Law<KeyRing>> => {
  const law = <A>(
    id: string,
    rule: string,
    cases: fc.Arbitrary<A>,
    run: (ring: Service, example: A) => Effect.Effect<void, unknown>,
    mutants: ReadonlyArray<Mutant<KeyRing>>
  ): Law<KeyRing> => ({
    id,
    port: "KeyRing",
    rule,
    property: propertyOf(cases, (example) => KeyRing.use((ring) => run(ring, example))),
    mutants
  })

  const mutant = (name: string, change: (ring: Service) => Service["privateKey"]): Mutant<KeyRing> => ({
    name,
    apply: (subject) =>
      Layer.provide(
        Layer.effect(
          KeyRing,
          Effect.map(KeyRing, (ring) => KeyRing.of({ privateKey: change(ring) }))
        ),
        subject
      )
  })

  const shares = new Map<string, Uint8Array>()
  const ids = new Set(keys.map((key) => key.id))
  const strangers = fc
    .oneof(
      fc
        .constantFrom(...ids)
        .chain((id) => fc.constantFrom(id.toUpperCase(), `${id} `, ` ${id}`, `${id}\0`, id.slice(1))),
      fc.constantFrom("", "__proto__", "constructor", "toString", "../keys.json"),
      fc.uuid()
    )
    .filter((id) => !ids.has(id))

  return [
    law(
      "BY-ID",
      "A key is found by its exact id, with both of its halves, as often as it is asked for.",
      fc.array(fc.constantFrom(...keys), { minLength: 1, maxLength: 4 }),
      (ring, wanted) =>
        Effect.gen(function* () {
          for (const key of wanted) {
            const found = yield* ring.privateKey(key.id)
            demand(found.id === key.id, () => `asked for ${key.id}, got ${found.id}`)
            demand(sameBytes(found.publicKey, key.publicKey), () => `the public key of ${key.id} is another`)
            const secret = found.privateKey.reveal()
            demand(sameBytes(secret, key.privateKey.reveal()), () => `the private key of ${key.id} is another`)
            secret.fill(0)
          }
        }),
      [
        mutant("gives one key for every id", (ring) => () => ring.privateKey((keys[0] as DecryptionKey).id)),
        mutant(
          "gives the key that a caller wiped",
          (ring) => (keyId) =>
            Effect.map(ring.privateKey(keyId), (key) => {
              const shared = shares.get(keyId) ?? key.privateKey.reveal()
              shares.set(keyId, shared)
              const leaky = new SecretBytes(shared)
              leaky.reveal = () => shared
              return { ...key, privateKey: leaky }
            })
        )
      ]
    ),
    law(
      "NOT-FOUND",
      "An id that no key has gives KeyNotFound with that id and a message, however close it is to another.",
      strangers,
      (ring, keyId) =>
        Effect.gen(function* () {
          const answer = yield* Effect.result(ring.privateKey(keyId))
          demand(
            Result.isFailure(answer) &&
              answer.failure instanceof KeyNotFound &&
              answer.failure.keyId === keyId &&
              answer.failure.message.length > 0,
            () => `${JSON.stringify(keyId)} gave ${String(answer)}`
          )
        }),
      [
        mutant("trims ids", (ring) => (keyId) => ring.privateKey(keyId.trim())),
        mutant("dies on unknown ids", (ring) => (keyId) => Effect.orDie(ring.privateKey(keyId)))
      ]
    ),
    law(
      "UNPRINTABLE",
      "No way of printing a key shows its private half.",
      fc.constantFrom(...keys),
      (ring, { id, privateKey }) =>
        Effect.gen(function* () {
          const key = yield* ring.privateKey(id)
          const secret = privateKey.reveal()
          const forms = [[...secret].join(","), [...secret].map((byte) => byte.toString(16).padStart(2, "0")).join("")]
          for (const print of [JSON.stringify(key), String(key.privateKey), `${JSON.stringify({ ...key.privateKey })}`])
            demand(!forms.some((form) => print.includes(form)), () => `key ${id} prints its private half`)
          demand(Object.values(key.privateKey).length === 0, () => `key ${id} has its private half in a plain member`)
        }),
      [
        mutant(
          "hands out a printable key",
          (ring) => (keyId) =>
            Effect.map(ring.privateKey(keyId), (key) => {
              const plain = Object.assign(new SecretBytes(key.privateKey.reveal()), { raw: key.privateKey.reveal() })
              return { ...key, privateKey: plain }
            })
        )
      ]
    )
  ]
}
