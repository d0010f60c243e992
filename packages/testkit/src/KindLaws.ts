/**
 * The laws of a kind of job: what holds for the machine behind every kind, ours and a host's.
 *
 * Not a port: the subject is a kind with the functions that decide for it, so that a wrong one can be shown to be caught.
 */
import {
  type Accepted,
  claim,
  type Command,
  fold,
  HELD,
  isPurgeable,
  isTerminal,
  type Job,
  type JobEvent,
  type LifecycleEvent,
  type LifecycleRow,
  type Rejected,
  relations,
  REPORTS,
  RESET_WINDOW_MS,
  samePlain,
  timersOf
} from "@sotto/core/job"
import { eventsOf, faultsOf, statesOf } from "@sotto/core/machine"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import {
  allCommands,
  type AnyKind,
  type KindSamples,
  type Life,
  live,
  livesOf,
  submissionFor,
  type Turn
} from "./internal/JobLives.ts"
import { demand, propertyOf } from "./internal/LawProperty.ts"
import {
  changed,
  deciding,
  evolving,
  lifecycle,
  old,
  rewriting,
  speaking,
  stamping,
  steppingBy
} from "./internal/KindMutants.ts"
import { KindMachine, machineOf } from "./KindMachine.ts"
import type { Law, Mutant } from "./Law.ts"

type Machine = KindMachine["Service"]
type KindLaw = Law<KindMachine>

/**
 * The laws for a kind, with the mutants that mean something for the rows it has.
 *
 * `samples` are encoded parameters, results and details of a failure, for kinds whose outward words or events look at them.
 */
export const kindLaws = (kind: AnyKind, samples: KindSamples = {}): ReadonlyArray<KindLaw> => {
  const law = (
    id: string,
    rule: string,
    causes: ReadonlyArray<string>,
    mutants: ReadonlyArray<ReadonlyArray<Mutant<KindMachine>>>,
    property: KindLaw["property"]
  ): KindLaw => ({ id, port: "JobKind", rule, causes, mutants: mutants.flat(), property })

  /** Of every life of a job. */
  const always = (check: (life: Lived) => void): KindLaw["property"] =>
    propertyOf<Life, KindMachine>(livesOf(kind, samples), (life) =>
      KindMachine.use((machine) => Effect.sync(() => check({ machine, ...live(kind, samples, machine.decide, life) })))
    )
  const everyTurn = (check: (turn: AcceptedTurn, machine: Machine) => string | undefined) =>
    always(({ machine, turns }) => {
      for (const [i, turn] of turns.entries()) {
        if (turn.decision._tag === "Rejected") continue
        const fault = check({ ...turn, decision: turn.decision }, machine)
        demand(fault === undefined, () => `${fault}\n${story(turns.slice(0, i + 1))}`)
      }
    })

  /** Mutants that need rows with these events to be wrong anywhere. */
  const needing = (
    events: ReadonlyArray<LifecycleEvent>,
    ...mutants: ReadonlyArray<Mutant<KindMachine>>
  ): ReadonlyArray<Mutant<KindMachine>> =>
    events.every((event) => eventsOf(kind.lifecycle).includes(event)) ? mutants : []
  const leased = (...mutants: ReadonlyArray<Mutant<KindMachine>>) => (kind.relation === "leased" ? mutants : [])

  const sound = law(
    "SOUND",
    "A kind's rows are rows of its relation; every state can be reached, and a terminal state from every state.",
    ["a kind that was not made by JobKind.make"],
    [
      [
        lifecycle("loses the rows into a state", (rows) => rows.filter(({ to }) => to !== "Running")),
        lifecycle("has a row of its own", (rows) => [...rows, { from: "Succeeded", on: "Renamed", to: "Failed" }])
      ]
    ],
    propertyOf(fc.constant(null), () =>
      KindMachine.use(({ kind: { lifecycle, relation } }) =>
        Effect.sync(() => {
          const faults = faultsOf(lifecycle).map(({ hint }) => hint)
          demand(faults.length === 0, () => faults.join("; "))
          const strange = lifecycle.rows.filter((row) => !relations[relation].rows.some((one) => samePlain(one, row)))
          demand(strange.length === 0, () => `no ${relation} job has the row ${JSON.stringify(strange[0])}`)
        })
      )
    )
  )

  const total = law(
    "TOTAL",
    "In every state every command is taken by a row of the kind or refused by name, and nothing throws.",
    ["a function of outward words or events that does not know every state"],
    [
      [
        deciding("throws at what no row lists", (answer) => {
          if (answer._tag === "Rejected" && answer.reason === "notListed") throw new Error("no such row")
          return answer
        }),
        deciding("refuses without saying why", (answer) =>
          answer._tag === "Rejected" ? { ...answer, message: "", reason: "" as Rejected["reason"] } : answer
        )
      ]
    ],
    always(({ machine, turns }) => {
      const met = new Map(turns.map(({ before, now }) => [before?.state, { before, now }]))
      for (const { before, now } of met.values()) {
        for (const command of allCommands(kind, samples, before)) {
          const answer = machine.decide(before, command, now)
          const where = `${command._tag} in ${before?.state ?? "Absent"}`
          if (answer._tag === "Rejected") {
            demand(
              answer.state === (before?.state ?? "Absent") &&
                [answer.event, answer.reason, answer.message].every(Boolean),
              () => `${where} is refused without a name: ${JSON.stringify(answer)}`
            )
          } else demand(answer.events.length <= 1, () => `${where} came to ${answer.events.length} events`)
        }
      }
    })
  )

  const rows = law(
    "ROWS",
    "A job takes only steps that its kind has rows for.",
    ["a step that is decided outside the rows"],
    [
      leased(
        stamping("starts a job when it is claimed", (event) =>
          event._tag === "Claimed" ? { ...event, state: "Running" } : event
        )
      ),
      needing(
        ["ReportedRunning"],
        stamping("takes every report for the next state", (event) =>
          event._tag === "Reported" ? { ...event, state: "Finishing" } : event
        )
      )
    ],
    always(({ machine, turns, log }) => {
      let from: string = "Absent"
      for (const event of log) {
        const found = machine.kind.lifecycle.rows.some(
          (row) => row.from === from && row.on === onOf(event) && row.to === event.state && row.same !== true
        )
        demand(found, () => `no row leads from ${from} by ${onOf(event)} to ${event.state}\n${story(turns)}`)
        from = event.state
      }
    })
  )

  const foldLaw = law(
    "FOLD",
    "A job is the fold of its log, and both are plain data.",
    ["state that is kept beside the log"],
    [
      [
        evolving("forgets a change", (before, after) => ({ ...after, updatedAt: before.updatedAt }), "log"),
        deciding("keeps what no event says", (answer) =>
          answer._tag === "Accepted" ? { ...answer, job: { ...answer.job, name: "unsaid" } } : answer
        ),
        evolving("keeps what JSON cannot say", (_, after) => ({ ...after, fields: { at: undefined as never } }))
      ]
    ],
    always(({ machine, turns, log }) => {
      const last = turns.findLast(({ decision }) => decision._tag === "Accepted")?.decision
      if (last?._tag !== "Accepted") return
      const [first, ...rest] = log
      const folded = rest.reduce(machine.evolve, fold(first === undefined ? [] : [first]) as Job)
      demand(
        samePlain(folded, last.job),
        () => `the log folds to ${JSON.stringify(folded)}\nand the job is ${JSON.stringify(last.job)}\n${story(turns)}`
      )
      demand(isPlain(last.job) && isPlain(log), () => `JSON does not keep the job or its log\n${story(turns)}`)
    })
  )

  const gapless = law(
    "GAPLESS",
    "Events and outward events of a job are numbered from 1 without gaps.",
    ["numbers that are counted anew for every event"],
    [
      [
        stamping("skips numbers", (event) => ({ ...event, seq: event.seq + (event.seq > 1 ? 1 : 0) })),
        {
          name: "numbers outward events anew with every event",
          apply: (subject) =>
            changed(subject, (machine) => {
              const talkative = machineOf({
                ...machine.kind,
                outward: { ...machine.kind.outward, events: () => [{ name: "any" }, { name: "other" }] }
              })
              return rewriting(talkative, (event) => ({
                ...event,
                outward: event.outward.map((one, i) => ({ ...one, number: i + 1 }))
              }))
            })
        }
      ]
    ],
    always(({ turns, log }) => {
      const counts = (numbers: ReadonlyArray<number>) => numbers.every((number, i) => number === i + 1)
      const outward = log.flatMap((event) => event.outward)
      demand(counts(log.map(({ seq }) => seq)), () => `events: ${log.map(({ seq }) => seq).join()}\n${story(turns)}`)
      demand(
        counts(outward.map(({ number }) => number)),
        () => `outward events: ${outward.map(({ number }) => number).join()}\n${story(turns)}`
      )
      let seq = 0
      for (const { decision } of turns) {
        if (decision._tag === "Rejected") continue
        seq += decision.events.length
        demand(decision.job.seq === seq, () => `the job is at event ${decision.job.seq} of ${seq}\n${story(turns)}`)
      }
    })
  )

  const noTrace = law(
    "NO-TRACE",
    "A refused command changes nothing, and neither does deciding alone.",
    ["a job that is changed in place"],
    [
      [
        {
          name: "marks the job that it refuses",
          apply: (subject) =>
            changed(subject, (machine) => ({
              ...machine,
              decide: (job, command, now) => {
                const answer = machine.decide(job, command, now)
                if (answer._tag === "Rejected" && job !== undefined) Object.assign(job, { updatedAt: now + 1 })
                return answer
              }
            }))
        }
      ]
    ],
    always(({ machine, turns }) => {
      for (const { before, command, now } of turns) {
        if (before === undefined) continue
        const copy: unknown = JSON.parse(JSON.stringify(before))
        machine.decide(before, command, now)
        demand(samePlain(copy, before), () => `${command._tag} changed the job in place\n${story(turns)}`)
      }
    })
  )

  const terminal = law(
    "TERMINAL",
    "A terminal state is left only by Reset, from Failed or Cancelled within 15 minutes, or by Redriven, when dead.",
    ["a row from a terminal state without a guard"],
    [
      needing(["Reset"], steppingBy("resets a success", [{ from: "Succeeded", on: "Reset", to: "Queued" }])),
      needing(["Reset"], steppingBy("resets a failure at any time", [{ from: "Failed", on: "Reset", to: "Queued" }])),
      needing(
        ["Redriven"],
        steppingBy("redrives what is not dead", [{ from: "Failed", on: "Redriven", to: "Queued" }])
      ),
      needing(
        ["Renamed"],
        stamping("runs again what is renamed", (event) =>
          event._tag === "Renamed" ? { ...event, state: "Queued" } : event
        )
      ),
      needing(
        ["ReportedRunning"],
        steppingBy("runs again when its driver says so", [{ from: "Succeeded", on: "ReportedRunning", to: "Running" }])
      )
    ],
    everyTurn(({ now, decision: { job } }, machine) => {
      if (!isTerminal(job.state)) return undefined
      for (const at of [now, now + RESET_WINDOW_MS + 1]) {
        for (const command of allCommands(kind, samples, job)) {
          const answer = machine.decide(job, command, at)
          if (answer._tag === "Rejected" || answer.job.state === job.state) continue
          const recent = job.finishedAt !== null && at - job.finishedAt <= RESET_WINDOW_MS
          const reset = command._tag === "Reset" && (job.state === "Failed" || job.state === "Cancelled") && recent
          if (!reset && !(command._tag === "Redrive" && job.dead)) return `${job.state} is left by ${command._tag}`
        }
      }
      return undefined
    })
  )

  const ends = law(
    "ENDS",
    "A job has its end, an outcome and the time to keep it until exactly in terminal states; no duration is negative.",
    ["an end that is kept when the job goes on, or taken from another clock"],
    [
      [
        evolving("keeps no end", (_, after) => ({ ...after, finishedAt: null })),
        evolving("has an end from its first change on", (_, after, { at }) => ({ ...after, finishedAt: at })),
        evolving("ends before it began", (_, after) => ({
          ...after,
          finishedAt: after.finishedAt === null ? null : after.createdAt - 1
        })),
        evolving("forgets how it ended", (_, after) => ({ ...after, outcome: null }))
      ]
    ],
    everyTurn(({ decision: { job } }) => {
      const ended = isTerminal(job.state)
      const { createdAt, startedAt, updatedAt, finishedAt, retainUntil, outcome } = job
      if ((finishedAt !== null) !== ended) return `${job.state} with the end ${finishedAt}`
      if ((outcome?._tag ?? null) !== (ended ? job.state : null)) return `${job.state} with outcome ${outcome?._tag}`
      if (retainUntil !== (finishedAt === null ? null : finishedAt + job.retentionMs)) return "kept for another time"
      if (isPurgeable(job, updatedAt)) return "it may be purged at once"
      const times = [createdAt, startedAt ?? createdAt, finishedAt ?? updatedAt]
      return times.some((at, i) => at < (times[i - 1] ?? 0)) ? `times out of order: ${times.join(", ")}` : undefined
    })
  )

  const timers = law(
    "TIMERS",
    "A job's timer is the earliest that is set; it does not ring before its time, and not twice.",
    ["a timer that is not taken down with what it was set for"],
    [
      [
        evolving("sets no timer", (_, after) => ({ ...after, timer: null })),
        {
          name: "lets timers ring early",
          apply: (subject) =>
            changed(subject, (machine) => ({
              ...machine,
              decide: (job, command, now) =>
                machine.decide(job, command, command._tag === "Ring" && job?.timer ? Math.max(now, job.timer.at) : now)
            }))
        }
      ]
    ],
    everyTurn(({ now, decision: { job } }, machine) => {
      const set = timersOf(job)
      const first = set.length === 0 ? null : Math.min(...set.map(({ at }) => at))
      const { timer } = job
      if ((timer?.at ?? null) !== first) return `the timer is set to ${timer?.at} and not to ${first}`
      if (timer === null) return undefined
      const ring: Command = { _tag: "Ring", timer: timer.name }
      const early = machine.decide(job, ring, timer.at - 1)
      if (early._tag === "Accepted" || early.reason !== "timerDue") return `${timer.name} rings before its time`
      const rung = machine.decide(job, ring, Math.max(now, timer.at))
      if (rung._tag === "Rejected") return `${timer.name} does not ring: ${rung.message}`
      return timersOf(rung.job).some((one) => samePlain(one, timer)) ? `${timer.name} rings twice` : undefined
    })
  )

  const words = law(
    "WORDS",
    "Outwardly a job has only words that its kind lists, its outward events have names, and a claim has none.",
    ["a refined word that `outward.states` and `outward.accepted` do not list", "a store claims without knowing kinds"],
    [
      [
        speaking("says a word that it does not list", (outward) => ({ ...outward, word: () => "unlisted" as never })),
        speaking("names an outward event with nothing", (outward) => ({ ...outward, events: () => [{ name: "" }] }))
      ],
      leased(
        speaking("tells of claims", (outward) => ({
          ...outward,
          events: (event) => (event._tag === "Claimed" ? [{ name: "claimed" }] : [])
        }))
      )
    ],
    everyTurn(({ decision: { job, events } }, { kind: { outward } }) => {
      for (const slotFree of [true, false]) {
        const word = outward.word(job, { slotFree })
        if (!outward.words.includes(word)) return `${job.state} is outwardly ${word}, which the kind does not list`
      }
      for (const event of events) {
        if (event._tag === "Claimed" && event.outward.length > 0) return "a claim has an outward event"
        if (event.outward.some(({ name }) => name === "")) return `${event._tag} has an outward event without a name`
      }
      return undefined
    })
  )

  const repeat = law(
    "REPEAT",
    "A repeated report, cancellation or output is accepted and changes nothing but when the driver was last heard.",
    ["a row that is not marked as a repetition"],
    [
      [
        deciding("dates a repetition", (answer, now) =>
          answer._tag === "Accepted" && answer.events.every(({ _tag }) => _tag === "Heard")
            ? { ...answer, job: { ...answer.job, updatedAt: now + 1 } }
            : answer
        ),
        deciding("refuses a repetition", (answer, _, job, command) =>
          answer._tag === "Accepted" && answer.events.every(({ _tag }) => _tag === "Heard") && job !== undefined
            ? { _tag: "Rejected", state: job.state, event: "Cancelled", reason: "notListed", message: command._tag }
            : answer
        )
      ]
    ],
    everyTurn(({ command, now, decision }, machine) => {
      if (!["Report", "Cancel", "Emit"].includes(command._tag)) return undefined
      const again = machine.decide(decision.job, command, now)
      if (again._tag === "Rejected") return `${command._tag} is refused when it is repeated: ${again.message}`
      if (again.events.some(({ _tag }) => _tag !== "Heard")) return `${command._tag} happens again when it is repeated`
      const { seq: _, ...left } = decision.job
      const { seq: __, ...right } = again.job
      return samePlain(left, right) ? undefined : `${command._tag} changes the job when it is repeated`
    })
  )

  const reachable = law(
    "REACHABLE",
    "Every state and every step of a kind is really taken by some commands, not only listed.",
    ["a row whose guard can never hold for this kind"],
    [
      [
        deciding("never lets a job succeed", (answer, _, job) =>
          answer._tag === "Accepted" && answer.job.state === "Succeeded"
            ? {
                _tag: "Rejected",
                state: job?.state ?? "Absent",
                event: "Succeeded",
                reason: "notListed",
                message: "no"
              }
            : answer
        ),
        lifecycle("lists a row that nothing takes", (rows) => [
          ...rows,
          { from: "Succeeded", on: "Started", to: "Running" }
        ])
      ]
    ],
    propertyOf(fc.integer({ min: 0, max: 2 ** 40 }), (start) =>
      KindMachine.use((machine) =>
        Effect.sync(() => {
          const taken = explore(machine, samples, start)
          const missing = machine.kind.lifecycle.rows.filter((row) => row.same !== true && !taken.has(stepOf(row)))
          demand(missing.length === 0, () => `no commands take the steps ${missing.map(stepOf).join("; ")}`)
          const unseen = statesOf(machine.kind.lifecycle).filter((state) => !taken.has(state))
          demand(unseen.length === 0, () => `no commands lead to ${unseen.join(", ")}`)
        })
      )
    )
  )

  /** Of an epoch and who holds it: only jobs that workers run have one. */
  const ofWorkers = (): ReadonlyArray<KindLaw> => [
    law(
      "EPOCH",
      "The epoch rises by one with every claim and whenever a worker is robbed of a job, and else stays.",
      ["a way to take a job from its worker that leaves the epoch as it is"],
      [
        [
          stamping("claims without a new epoch", (event, before) =>
            event._tag === "Claimed" ? old(event, before) : event
          )
        ],
        needing(
          ["Cancelled"],
          stamping("cancels without a new epoch", (event, before) =>
            event._tag === "Cancelled" ? old(event, before) : event
          )
        ),
        [stamping("raises the epoch with every event", (event) => ({ ...event, epoch: event.epoch + 1 }))]
      ],
      everyTurn(({ before, decision: { events } }) => {
        const [event] = events
        if (event === undefined) return undefined
        const raises = ["Claimed", "Cancelled", "Reset", "DeadlinePassed"].includes(event._tag)
        const due = (before?.epoch ?? 0) + (raises ? 1 : 0)
        return event.epoch === due ? undefined : `after ${event._tag} the epoch is ${event.epoch}, not ${due}`
      })
    ),
    law(
      "FENCE",
      "Nothing is taken from a worker whose epoch is over, or that never had one.",
      ["a command of a worker that is decided by its state alone"],
      [
        [
          {
            name: "takes the write of an old epoch",
            apply: (subject) =>
              changed(subject, (machine) => ({
                ...machine,
                decide: (job, command, now) =>
                  machine.decide(
                    job,
                    "epoch" in command && job !== undefined ? { ...command, epoch: job.epoch } : command,
                    now
                  )
              }))
          }
        ]
      ],
      always(({ turns }) => {
        for (const [i, { before, command, decision }] of turns.entries()) {
          if (!("epoch" in command) || before === undefined) continue
          const current = before.holder !== null && before.epoch === command.epoch
          const stale = decision._tag === "Rejected" && decision.reason === "staleLease"
          demand(current || stale, () => `a stale ${command._tag} was taken\n${story(turns.slice(0, i + 1))}`)
        }
      })
    ),
    law(
      "HOLDER",
      "A job has a holder exactly while a worker runs it, waits for something exactly while it is parked, and a place in the queue exactly while it is queued.",
      ["a holder that is kept when the job is parked or handed back"],
      [
        [
          evolving("keeps the holder of what is queued again", (before, after) =>
            after.state === "Queued" ? { ...after, holder: before.holder } : after
          ),
          evolving("queues without a place", (_, after) => ({ ...after, readyAt: null }))
        ],
        needing(
          ["InputAsked"],
          evolving("forgets what it waits for", (_, after) => ({ ...after, awaiting: null }))
        )
      ],
      everyTurn(({ decision: { job } }) => {
        if ((job.holder !== null) !== HELD.some((state) => state === job.state))
          return `${job.state} held by ${job.holder}`
        const parked = job.state === "AwaitingInput" || job.state === "AwaitingExternal"
        if ((job.awaiting !== null) !== parked) return `${job.state} waits for ${JSON.stringify(job.awaiting)}`
        return (job.readyAt !== null) === (job.state === "Queued") ? undefined : `${job.state} ready at ${job.readyAt}`
      })
    ),
    law(
      "FAILURES",
      "Only an expired lease or a retryable failure counts; a reset or a redrive forgives; the last one leaves the job dead.",
      ["a graceful stop or a wait that counts as a failure"],
      [
        [
          evolving("counts nothing", (before, after) => ({ ...after, failures: before.failures })),
          evolving("is never dead", (_, after) => ({ ...after, dead: false }))
        ],
        needing(
          ["Reset"],
          evolving("never forgives", (before, after, { _tag }) =>
            _tag === "Reset" ? { ...after, failures: before.failures } : after
          )
        )
      ],
      everyTurn(({ before, decision: { job, events } }) => {
        const tag = events[0]?._tag
        const failures =
          tag === "Reset" || tag === "Redriven"
            ? 0
            : (before?.failures ?? 0) + (tag === "LeaseExpired" || tag === "Faltered" ? 1 : 0)
        if (job.failures !== failures || failures > job.retry.maxFailures)
          return `after ${tag} ${job.failures} failures are counted, not ${failures}`
        const dead = job.state === "Failed" && failures === job.retry.maxFailures
        return job.dead === dead ? undefined : `${job.state} after ${failures} failures is ${dead ? "not " : ""}dead`
      })
    ),
    law(
      "HAND-BACK",
      "A job that its worker hands back may be claimed at once, before younger ones, and no failure is counted.",
      ["a graceful stop that is told to the job as a failure"],
      [
        [
          evolving("counts a hand-back as a failure", (_, after, { _tag }) =>
            _tag === "Released" ? { ...after, failures: after.failures + 1 } : after
          ),
          evolving("lets what was handed back wait", (_, after, { _tag, at }) =>
            _tag === "Released" ? { ...after, readyAt: at + 1_000 } : after
          )
        ]
      ],
      everyTurn(({ before, now, decision: { job, events } }) =>
        events[0]?._tag !== "Released" ||
        (job.state === "Queued" && job.readyAt !== null && job.readyAt <= now && job.failures === before?.failures)
          ? undefined
          : `handed back at ${now} it is ${job.state}, ready at ${job.readyAt}, with ${job.failures} failures`
      )
    ),
    law(
      "CLAIM",
      "What a store decides when it claims, without knowing kinds, is what the kind decides.",
      ["rules or outward events of a claim that only one of the two knows"],
      [
        [
          stamping("claims with a word to its clients", (event) =>
            event._tag === "Claimed" ? { ...event, outward: [{ name: "claimed", number: 1 }] } : event
          )
        ]
      ],
      always(({ machine, turns }) => {
        for (const { before, now } of turns) {
          if (before === undefined) continue
          const own = machine.decide(before, { _tag: "Claim", worker: "w" }, now)
          demand(
            samePlain(own, claim(before, "w", now)),
            () => `the kind decides ${JSON.stringify(own)}\n${story(turns)}`
          )
        }
      })
    )
  ]

  return [
    sound,
    total,
    rows,
    reachable,
    foldLaw,
    gapless,
    noTrace,
    repeat,
    terminal,
    ends,
    timers,
    words,
    ...(kind.relation === "leased" ? ofWorkers() : [])
  ]
}

interface Lived {
  readonly machine: Machine
  readonly turns: ReadonlyArray<Turn>
  readonly log: ReadonlyArray<JobEvent>
}

type AcceptedTurn = Omit<Turn, "decision"> & { readonly decision: Accepted }

/** What was said to the job and what came of it, a line each. */
const story = (turns: ReadonlyArray<Turn>): string =>
  turns
    .map(({ command, now, decision }) => {
      const { _tag, ...more } = command
      const said = "submission" in more ? "" : ` ${JSON.stringify(more)}`
      const came = decision._tag === "Accepted" ? decision.job.state : `refused: ${decision.reason}`
      return `  at ${now} ${_tag}${said} → ${came}`
    })
    .join("\n")

const isPlain = (value: unknown): boolean => sameShape(JSON.parse(JSON.stringify(value)), value)

/** As `samePlain`, but a name without a value counts. */
const sameShape = (a: unknown, b: unknown): boolean =>
  typeof a !== "object" || typeof b !== "object" || a === null || b === null
    ? Object.is(a, b)
    : Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
      Object.keys(a).length === Object.keys(b).length &&
      Object.keys(a).every((name) => sameShape(Reflect.get(a, name), Reflect.get(b, name)))

/** The event of the lifecycle that an entry of the log stands for. */
const onOf = (event: JobEvent): LifecycleEvent =>
  event._tag === "Reported"
    ? REPORTS[event.report.state]
    : event._tag === "Submitted" && event.report !== null
      ? REPORTS[event.report.state]
      : event._tag

const stepOf = ({ from, on, to }: Pick<LifecycleRow, "from" | "on" | "to">): string => `${from} ─${on}→ ${to}`

/** All steps and states that commands really lead to, from nothing on, at once and as late as anything waits. */
const explore = (machine: Machine, samples: KindSamples, start: number): ReadonlySet<string> => {
  const found = new Set<string>([machine.kind.lifecycle.start])
  const seen = new Set<string>()
  const queue: Array<{ readonly job: Job | undefined; readonly now: number }> = [{ job: undefined, now: start }]
  const first: Command = { _tag: "Submit", submission: submissionFor(machine.kind, samples) }
  for (const { job, now } of queue) {
    const late = Math.max(now, job?.readyAt ?? 0, ...(job === undefined ? [] : timersOf(job)).map(({ at }) => at))
    for (const command of [first, ...allCommands(machine.kind, samples, job)]) {
      for (const at of late === now ? [now] : [now, late]) {
        const answer = machine.decide(job, command, at)
        if (answer._tag === "Rejected") continue
        for (const event of answer.events) {
          found.add(event.state)
          found.add(stepOf({ from: job?.state ?? "Absent", on: onOf(event), to: event.state }))
        }
        const { state, failures, dead, inputs, awaiting } = answer.job
        const kind = JSON.stringify([state, failures, dead, inputs.map(({ key }) => key).toSorted(), awaiting?._tag])
        if (seen.has(kind)) continue
        seen.add(kind)
        queue.push({ job: answer.job, now: at })
      }
    }
  }
  return found
}
