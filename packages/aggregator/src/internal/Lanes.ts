/** A coordinator's lanes: started when first needed, each given one task at a time. */
import { Worker } from "node:worker_threads"
import type { CoordinatorForLane, LaneCalls } from "./Calls.ts"
import { laneWork } from "./LaneWork.ts"
import { Moved, Peer, type Served } from "./Peer.ts"
import type { Answers, BatchRules, Questions } from "./ReportBatch.ts"

type Ask = (questions: Questions) => Promise<Answers>

export class Lanes {
  readonly #idle: Array<Peer<LaneCalls>> = []
  readonly #all: Array<Peer<LaneCalls>> = []
  readonly #waiting: Array<(lane: Peer<LaneCalls>) => void> = []
  readonly #module: URL
  readonly #ask: Ask
  /** Serves while no lane was started: starting one takes longer than small work does. */
  readonly #inline: Served<LaneCalls>
  #last: Promise<unknown> = Promise.resolve()

  constructor(module: URL, ask: Ask) {
    this.#module = module
    this.#ask = ask
    this.#inline = laneWork(ask)
  }

  /** How many tasks can be worked on at a time. */
  get count(): number {
    return Math.max(1, this.#all.length)
  }

  /** Brings the number of lanes up to `count`. They end with the thread that started them. */
  start(count: number): void {
    while (this.#all.length < count) {
      const worker = new Worker(this.#module)
      const lane = new Peer<LaneCalls>(worker, { ask: this.#ask } satisfies Served<CoordinatorForLane>)
      worker.on("error", (error) => lane.close(new Error(`a lane failed: ${String(error)}`)))
      worker.on("exit", (code) => lane.close(new Error(`a lane ended with code ${code}`)))
      this.#all.push(lane)
      this.#free(lane)
    }
  }

  /** Tells every lane the rules of the batches to come. */
  async begin(rules: BatchRules): Promise<void> {
    await this.#inline.begin(rules)
    await Promise.all(this.#all.map((lane) => lane.call("begin", rules)))
  }

  /** Does a batch or rows on the next idle lane. The listed buffers move there. */
  async run<K extends "batch" | "rows">(
    name: K,
    task: Parameters<LaneCalls[K]>[0],
    transfer: ReadonlyArray<ArrayBuffer>
  ): Promise<ReturnType<LaneCalls[K]>> {
    if (this.#all.length === 0) {
      // One after another, as on a lane: a batch uses what its reader keeps between batches.
      const before = this.#last
      const done = before.then(async () => {
        const result = await this.#inline[name](task as never)
        return (result instanceof Moved ? result.value : result) as ReturnType<LaneCalls[K]>
      })
      this.#last = done.catch(() => {})
      return done
    }
    const lane = this.#idle.pop() ?? (await new Promise<Peer<LaneCalls>>((resolve) => this.#waiting.push(resolve)))
    try {
      return await lane.call(name, task, transfer)
    } finally {
      this.#free(lane)
    }
  }

  #free(lane: Peer<LaneCalls>): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(lane)
    else next(lane)
  }
}

/** Starts tasks as `items` gives them and yields their results in the same order, with at most `window` of them on the way. */
export async function* inOrder<A>(
  items: AsyncIterable<() => Promise<A>> | Iterable<() => Promise<A>>,
  window: number
): AsyncGenerator<A> {
  const running: Array<Promise<A>> = []
  for await (const start of items) {
    const result = start()
    // Awaited later; until then a rejection must not count as unhandled.
    result.catch(() => {})
    running.push(result)
    if (running.length >= window) yield await running.shift()!
  }
  while (running.length > 0) yield await running.shift()!
}
