import { SERVICES } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterEach, describe, expect, it } from "vitest"
import { mount, type MountOptions } from "../src/Mount.ts"
import { serve, tenantOf } from "./support/Rig.ts"

const open: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

/** An engine as a host has it, and the server over it. */
const mounted = async (options?: MountOptions) => {
  const scope = Scope.makeUnsafe()
  const { context } = await Effect.runPromise(Effect.provideService(serve(), Scope.Scope, scope))
  const engine = { [SERVICES]: context }
  const { handler, dispose } = mount(engine, options)
  open.push(dispose, () => Effect.runPromise(Scope.close(scope, Exit.void)))
  return (path: string, init?: RequestInit) => handler(new Request(`http://sotto.test${path}`, init))
}

describe("mount", () => {
  it("asks the host who is asking", async () => {
    const ask = await mounted({
      tenants: [tenantOf("acme")],
      authenticate: async ({ apiKey }) =>
        apiKey === "sesame" ? { tenant: "acme", name: "host", scope: { _tag: "All" } } : undefined
    })
    const submitted = await ask("/v1/jobs", {
      method: "POST",
      headers: { "x-api-key": "sesame", "content-type": "application/json" },
      body: JSON.stringify({ kind: "notes", parameters: 1 })
    })
    expect(submitted.status).toBe(202)
    expect((await ask("/v1/jobs", { headers: { "x-api-key": "other" } })).status).toBe(401)
  })

  it("answers 503, and nobody gets in, when the host cannot tell", async () => {
    const ask = await mounted({ authenticate: () => Promise.reject(new Error("secret")) })
    const answer = await ask("/v1/jobs")
    expect(answer.status).toBe(503)
    expect(await answer.text()).not.toContain("secret")
  })

  it("lets nobody in without keys", async () => {
    const ask = await mounted()
    const answer = await ask("/v1/jobs")
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, expect.stringContaining("Bearer")])
    expect((await ask("/healthz")).status).toBe(200)
  })
})
