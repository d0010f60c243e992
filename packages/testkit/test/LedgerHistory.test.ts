import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { createInterface } from "node:readline"
import { type Epsilon, LEDGER_POLICY, type SpendAnswer, type SpendRequest, spend } from "@sotto/core/budget"
import { explainHistory, type RecordedCall } from "@sotto/testkit"
import { spendRequests } from "@sotto/testkit/generators"
import fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import { emptyTestLedger } from "../src/internal/ModelLedger.ts"

const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sotto-history-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Requests that meet: few questions over one unit set, by few jobs. */
const meeting: fc.Arbitrary<ReadonlyArray<SpendRequest>> = fc
  .uniqueArray(spendRequests, { selector: ({ fingerprint }) => fingerprint, minLength: 3, maxLength: 3 })
  .chain((questions) =>
    fc.array(
      fc.record({
        question: fc.constantFrom(...questions),
        spender: fc.constantFrom("job-1", "job-2", "job-3"),
        charge: fc.constantFrom("exclusive" as const, "shared" as const)
      }),
      { minLength: 1, maxLength: 12 }
    )
  )
  .map((asks) =>
    asks.map(({ question, spender, charge }) => ({
      ...question,
      scope: "default",
      epsilon: 30_000_000 as Epsilon,
      spender,
      charge
    }))
  )

/** What callers saw who came one after the other, each taking `lasting` moments that may lie over others'. */
const sequential = (requests: ReadonlyArray<SpendRequest>, lasting: (i: number) => number): Array<RecordedCall> => {
  let ledger = emptyTestLedger()
  return requests.map((request, i) => {
    const [next, answer] = spend(ledger, LEDGER_POLICY, request, 7)
    ledger = next
    const at = 10 * i
    return {
      call: "spend",
      request,
      began: at - lasting(2 * i),
      ended: at + 1 + lasting(2 * i + 1),
      answer: answer as SpendAnswer
    }
  })
}

const durations = fc.array(fc.nat(25), { minLength: 24, maxLength: 24 })

describe("a history of a ledger", () => {
  it("is explained if it came about one after the other, however its calls overlap and are listed", () =>
    fc.assert(
      fc.property(meeting, durations, fc.infiniteStream(fc.nat()), (requests, lasting, keys) => {
        const history = sequential(requests, (i) => lasting[i] ?? 0)
          .map((call) => ({ call, at: keys.next().value }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ call }) => call)
        const found = explainHistory(history)
        expect(found._tag).toBe("Explained")
        expect(found.order.toSorted((a, b) => a - b)).toEqual([...history.keys()])
      })
    ))

  it("is explained without the answers that got lost, whether or not the calls took place", () =>
    fc.assert(
      fc.property(meeting, fc.infiniteStream(fc.boolean()), (requests, chance) => {
        const history = sequential(requests, () => 0).flatMap((call): ReadonlyArray<RecordedCall> =>
          chance.next().value ? [call] : [{ ...call, ended: null, answer: null }]
        )
        const lost: RecordedCall = { ...(history[0] as RecordedCall), began: 10_000, ended: null, answer: null }
        expect(explainHistory([...history, lost])._tag).toBe("Explained")
      })
    ))

  it("is not explained if a question was charged twice, or by a call that began too late", () =>
    fc.assert(
      fc.property(meeting, (requests) => {
        const history = sequential(requests, () => 0)
        const charged = history.findIndex(
          ({ answer }) => answer !== null && typeof answer === "object" && answer._tag === "Charged"
        )
        if (charged < 0) return
        const first = history[charged] as RecordedCall
        const again = { ...first, began: 10_000, ended: 10_001 }
        expect(explainHistory([...history, again])).toMatchObject({ _tag: "Unexplained" })
        const late = history.map((call, i) => (i === charged ? again : call))
        const told = late.some(
          ({ answer }) => answer !== null && typeof answer === "object" && answer._tag === "Replayed"
        )
        if (told) expect(explainHistory(late)._tag).toBe("Unexplained")
      })
    ))

  it("is explained when three processes spend from one file at once", async () => {
    const file = join(folder, "ledger.db")
    const spenders = [1, 2, 3].map((seed) => spender(file, seed))
    await Promise.all(spenders.map(({ ready }) => ready))
    const parts = await Promise.all(spenders.map(({ spend }) => spend()))
    const history = parts.flat()
    expect(history.length).toBe(90)
    const callers = parts
      .flatMap((part, who) => part.map(({ began }) => ({ began, who })))
      .toSorted((a, b) => a.began - b.began)
    expect(callers.filter(({ who }, i) => who !== callers[i - 1]?.who).length).toBeGreaterThan(6)
    expect(explainHistory(history)._tag).toBe("Explained")
  })
})

const spender = (file: string, seed: number) => {
  const script = join(import.meta.dirname, "fixtures/spender.ts")
  const started = spawn(process.execPath, ["--conditions=@sotto/source", script, file, `${seed}`], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const lines = createInterface(started.stdout)[Symbol.asyncIterator]()
  return {
    ready: lines.next(),
    spend: async (): Promise<ReadonlyArray<RecordedCall>> => {
      started.stdin.write("go\n")
      const { value } = await lines.next()
      return JSON.parse(value ?? "")
    }
  }
}
