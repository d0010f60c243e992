/** A coordinator's lanes: started when first needed, each given one task at a time. */
import { Worker } from "node:worker_threads"
import type { CoordinatorForLane, LaneCalls } from "./Calls.ts"
import { Peer, type Served } from "./Peer.ts"

export class Lanes {
  readonly #idle: Array<Peer<LaneCalls>> = []
  readonly #all: Array<Peer<LaneCalls>> = []
  readonly #waiting: Array<(lane: Peer<LaneCalls>) => void> = []
  readonly #module: URL
  readonly #calls: Served<CoordinatorForLane>

  constructor(module: URL, calls: Served<CoordinatorForLane>) {
    this.#module = module
    this.#calls = calls
  }

  get count(): number {
    return this.#all.length
  }

  /** Brings the number of lanes up to `count`. They end with the thread that started them. */
  start(count: number): void {
    while (this.#all.length < count) {
      const worker = new Worker(this.#module)
      const lane = new Peer<LaneCalls>(worker, this.#calls)
      worker.on("error", (error) => lane.close(new Error(`a lane failed: ${String(error)}`)))
      worker.on("exit", (code) => lane.close(new Error(`a lane ended with code ${code}`)))
      this.#all.push(lane)
      this.#free(lane)
    }
  }

  /** Tells every lane. */
  async each(tell: (lane: Peer<LaneCalls>) => Promise<unknown>): Promise<void> {
    await Promise.all(this.#all.map(tell))
  }

  /** Runs a task on the next idle lane. */
  async run<A>(task: (lane: Peer<LaneCalls>) => Promise<A>): Promise<A> {
    const lane = this.#idle.pop() ?? (await new Promise<Peer<LaneCalls>>((resolve) => this.#waiting.push(resolve)))
    try {
      return await task(lane)
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
