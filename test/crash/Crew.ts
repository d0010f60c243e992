/** Worker processes of the test and what they tell. Every process that is started here is ended here, by its id. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { type Held, type Point, POINTS, type Told, type WorkerArguments } from "./Kinds.ts"

/** How one worker ends. Moments are milliseconds after it said that it is ready. */
export type Plan =
  | { readonly _tag: "Live" }
  | { readonly _tag: "AtPoint"; readonly point: Point; readonly nth: number }
  | { readonly _tag: "AtMoment"; readonly afterMs: number }
  /** Stopped for longer than a lease, so that it wakes up without its jobs and believes that it has them; then killed. */
  | { readonly _tag: "Frozen"; readonly afterMs: number; readonly forMs: number; readonly thenMs: number }

export interface Counts {
  workers: number
  readonly kills: Record<Point | "anyMoment", number>
  frozen: number
  refusedWrites: number
  refusedRenewals: number
}

const MODULE = fileURLToPath(new URL("./Worker.ts", import.meta.url))

export class Crew {
  readonly counts: Counts = {
    workers: 0,
    kills: Object.fromEntries([...POINTS, "anyMoment"].map((point) => [point, 0])) as Counts["kills"],
    frozen: 0,
    refusedWrites: 0,
    refusedRenewals: 0
  }
  /** Every lease that any of them ever had. */
  readonly leases: Array<Held> = []
  private readonly running = new Set<ChildProcess>()
  private readonly over = new AbortController()
  private readonly places: Pick<WorkerArguments, "home" | "shared">

  constructor(places: Pick<WorkerArguments, "home" | "shared">) {
    this.places = places
    mkdirSync(join(places.home, "tmp"), { recursive: true })
  }

  /** Works until `done`: when a worker has died the next one takes its place. */
  async work(places: number, plan: (worker: number) => Plan, done: () => Promise<boolean>): Promise<void> {
    const { signal } = this.over
    const place = async () => {
      while (!signal.aborted) await this.live(plan(this.counts.workers++))
    }
    const watch = async () => {
      while (!signal.aborted && !(await done())) await setTimeout(200)
      this.over.abort()
      for (const child of this.running) child.kill("SIGTERM")
    }
    const all = [watch(), ...Array.from({ length: places }, place)]
    try {
      await Promise.all(all)
    } finally {
      this.end()
      await Promise.allSettled(all)
    }
  }

  /** Kills whatever still runs. */
  end(): void {
    this.over.abort()
    for (const child of this.running) child.kill("SIGKILL")
  }

  private async live(plan: Plan): Promise<void> {
    const { home, shared } = this.places
    const given: WorkerArguments = {
      name: `worker-${this.counts.workers}`,
      home,
      shared,
      ...(plan._tag === "AtPoint" ? { die: plan } : {})
    }
    const child = spawn(process.execPath, ["--conditions=@sotto/source", MODULE, JSON.stringify(given)], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: join(home, "tmp"), NODE_NO_WARNINGS: "1" }
    })
    this.running.add(child)
    let complaint = ""
    child.stderr.on("data", (text: Buffer) => (complaint = (complaint + text.toString()).slice(-4_000)))
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
    const { signal } = this.over
    const pause = (ms: number) => Promise.race([setTimeout(ms, undefined, { signal }).catch(() => {}), ended])
    let killed: Point | "anyMoment" | undefined
    const act = async () => {
      if (plan._tag === "Live" || plan._tag === "AtPoint") return
      await pause(plan.afterMs)
      if (plan._tag === "Frozen") {
        child.kill("SIGSTOP")
        await pause(plan.forMs)
        child.kill("SIGCONT")
        this.counts.frozen++
        await pause(plan.thenMs)
      }
      if (signal.aborted) return
      killed = "anyMoment"
      child.kill("SIGKILL")
    }
    let acting: Promise<void> | undefined
    const lines = createInterface(child.stdout).on("line", (line) => {
      const told = JSON.parse(line) as Told
      if (told._tag === "Ready") acting = act()
      else if (told._tag === "Claimed") this.leases.push(...told.leases)
      else if (told._tag === "Dying") killed = told.point
      else if (told.what === "write") this.counts.refusedWrites++
      else this.counts.refusedRenewals++
    })
    if (signal.aborted) child.kill("SIGKILL")
    await ended
    lines.close()
    await acting
    this.running.delete(child)
    if (child.signalCode === "SIGKILL" && killed !== undefined) this.counts.kills[killed]++
    else if (!signal.aborted)
      throw new Error(`A worker ended by itself (${child.exitCode ?? child.signalCode}): ${complaint}`)
  }
}
