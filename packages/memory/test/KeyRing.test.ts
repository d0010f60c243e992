import { KeyRing } from "@sotto/core/ports/KeyRing"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import { checkLaw, keyRingLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { layerMemoryKeyRing } from "@sotto/memory"

const keys = ["first", "second"].map((id, n) => ({
  id,
  publicKey: new Uint8Array(32).fill(n + 1),
  privateKey: new SecretBytes(new Uint8Array(32).fill(0x80 + n))
}))

describe("KeyRing in memory", () => {
  it.each(keyRingLaws(keys))("$id: $rule", (law) => checkLaw(law, layerMemoryKeyRing({ keys })))

  it.each([
    ["denied", "KeyDenied"],
    ["unusable", "KeyUnusable"],
    ["unavailable", "KeyUnavailable"]
  ] as const)("fails as told: %s", async (trouble, tag) => {
    const ring = layerMemoryKeyRing({ keys, troubles: { first: trouble } })
    const asked = Effect.flip(KeyRing.use((ring) => ring.privateKey("first")))
    expect(await Effect.runPromise(Effect.provide(asked, ring))).toMatchObject({ _tag: tag, keyId: "first" })
  })
})
