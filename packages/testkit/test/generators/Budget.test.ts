import {
  budgetUnit,
  emptyLedger,
  fingerprint,
  isEpsilon,
  JOB_EPSILON_DECIMALS,
  LEDGER_POLICY,
  ledgerIdentity,
  parseEpsilon,
  printEpsilon,
  spend,
  unitIdBytes
} from "@sotto/core/budget"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import {
  budgetUnits,
  epsilons,
  filteringIds,
  jobEpsilons,
  questions,
  spendRequests,
  unitSources
} from "@sotto/testkit/generators"
import { describe, it } from "vitest"
import { everything } from "./support.ts"

const unless = (sound: boolean, fault: string): ReadonlyArray<string> => (sound ? [] : [fault])
const { ledgerId, fingerprintKey } = LEDGER_TEST_KEYS

describe("generated", () => {
  it("ε are in range, and those of requests read back with two decimals", () => {
    everything(epsilons, (epsilon) => unless(isEpsilon(epsilon), "no ε"))
    everything(jobEpsilons, (epsilon) =>
      unless(parseEpsilon(printEpsilon(epsilon), JOB_EPSILON_DECIMALS) === epsilon, "no job ε")
    )
  })

  it("sources and filtering ids name units", () => {
    everything(unitSources, (source) => unless(!("_tag" in budgetUnit(source, 0n)), "no unit"))
    everything(filteringIds, (id) => unless(id >= 0n && id < 2n ** 64n, "no filtering id"))
    everything(budgetUnits, ({ id }) => unless(unitIdBytes([id]).length === 32, "no unit id"))
  })

  it("questions have fingerprints", () => {
    everything(questions, (question) => unless(/^[0-9a-f]{64}$/.test(fingerprint(fingerprintKey, question)), "no name"))
  })

  it("requests are answered by a ledger that is new to them", () => {
    const empty = emptyLedger(ledgerIdentity(ledgerId, fingerprintKey))
    everything(spendRequests, (request) => {
      const [, answer] = spend(empty, LEDGER_POLICY, request, 0)
      return unless(answer._tag === (request.units.length === 0 ? "Nothing" : "Charged"), answer._tag)
    })
  })
})
