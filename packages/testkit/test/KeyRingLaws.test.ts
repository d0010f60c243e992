import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import { layerMemoryKeyRing } from "@sotto/memory"
import { describe, expect, it } from "vitest"
import { catches, keyRingLaws } from "@sotto/testkit"

const keys = ["first", "second"].map((id, n) => ({
  id,
  publicKey: new Uint8Array(32).fill(n + 1),
  privateKey: new SecretBytes(new Uint8Array(32).fill(0x80 + n))
}))

describe("the laws of KeyRing", () => {
  const subject = layerMemoryKeyRing({ keys })
  it.each(
    keyRingLaws(keys).flatMap((law) => law.mutants.map((mutant) => ({ id: law.id, name: mutant.name, law, mutant })))
  )("$id catches a ring that $name", async ({ law, mutant }) => {
    expect(await catches(law, mutant, subject, { seed: 1 })).toBe(true)
  })
})
