import { describe, expect, it } from "vitest"
import { decide } from "../../src/job/Decision.ts"
import type { Job } from "../../src/job/Job.ts"
import { checkLease, type HeldLease, LEASE, leaseFaults, SWEEP_MS } from "../../src/job/Lease.ts"
import { accepted, after, automation, claimed, started } from "./support.ts"

const held: HeldLease = { epoch: 1, token: "secret", worker: "w", deadline: 5_000 }
const mine = { epoch: 1, token: "secret" }
const running = after(automation, claimed, started)
const then = (job: Job, command: Parameters<typeof decide>[2], now = 9_000) =>
  accepted(decide(automation, job, command, now)).job

describe("checkLease", () => {
  it("is current until its deadline, for its epoch and token only", () => {
    expect(checkLease(running, held, mine, 4_999)).toBe("current")
    expect(checkLease(running, held, mine, 5_000)).toBe("expired")
    expect(checkLease(running, held, { ...mine, token: "guess" }, 4_999)).toBe("superseded")
    expect(checkLease(running, held, { ...mine, epoch: 2 }, 4_999)).toBe("superseded")
    expect(checkLease(running, held, { ...mine, epoch: 0 }, 4_999)).toBe("superseded")
  })

  it("says how the lease was lost", () => {
    const expired = then(running, { _tag: "ExpireLease", deadline: 5_000 })
    expect(checkLease(expired, null, mine, 9_000)).toBe("expired")
    const retaken = then(expired, { _tag: "Claim", worker: "x" })
    expect(checkLease(retaken, { ...held, epoch: 2, token: "other" }, mine, 9_000)).toBe("superseded")
    expect(checkLease(then(running, { _tag: "Cancel", by: "c", reason: null }), null, mine, 9_000)).toBe("cancelled")
    expect(checkLease(then(running, { _tag: "Ring", timer: "deadline" }, 9e6), null, mine, 9e6)).toBe("cancelled")
    const reset = then(running, { _tag: "Reset", by: "c", fromInput: null, preserve: [] })
    expect(checkLease(reset, null, mine, 9_000)).toBe("reset")
    expect(checkLease(then(running, { _tag: "Succeed", epoch: 1, result: 1 }), null, mine, 9_000)).toBe("superseded")
  })
})

describe("leaseFaults", () => {
  it("refuses a lease shorter than two renewals", () => {
    expect(leaseFaults(LEASE)).toEqual([])
    expect(leaseFaults({ leaseMs: 8_000, renewMs: 4_000 })).toEqual([])
    expect(leaseFaults({ leaseMs: 7_999, renewMs: 4_000 })).toEqual([expect.stringContaining("two renewals")])
    expect(leaseFaults({ leaseMs: 12_000.5, renewMs: 0 }).length).toBe(2)
  })

  it("brings a killed worker's job back within 15 seconds by default", () => {
    expect(LEASE).toEqual({ leaseMs: 12_000, renewMs: 4_000 })
    expect(LEASE.leaseMs + SWEEP_MS).toBeLessThan(15_000)
  })
})
