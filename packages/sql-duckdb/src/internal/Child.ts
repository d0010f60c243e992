/** A child process with DuckDB, and calls to it as Promises. */
import { type ChildProcess, fork } from "node:child_process"
import { SqlFailed } from "@sotto/core/ports/SqlEngine"
import type { Answers, Call, FromChild, ToChild } from "./Calls.ts"

/** How long an interrupted statement may take to end before its process is ended. */
const INTERRUPT_MS = 2_000

/** The child runs in the form in which this module runs: source or build. */
const SOURCE = import.meta.url.endsWith(".ts")
const MODULE = new URL(`../SqlWorker.${SOURCE ? "ts" : "js"}`, import.meta.url)

interface Waiting {
  readonly done: (answer: never) => void
  readonly fail: (error: SqlFailed) => void
}

export class Child {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #onProgress: (done: number) => void
  #ended: SqlFailed | undefined
  #last = 0
  #stderr = ""

  constructor(onProgress: (done: number) => void) {
    this.#onProgress = onProgress
    this.#process = fork(MODULE, [], {
      // Nothing of ours is inherited: no environment, no inspector.
      env: {},
      execArgv: SOURCE ? ["--conditions=@sotto/source"] : [],
      stdio: ["ignore", "ignore", "pipe", "ipc"]
    })
    this.#process.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-2_000)
    })
    this.#process.on("message", (message: FromChild) => this.#heard(message))
    this.#process.on("error", (error) => this.#end(`could not be started: ${error.message}`))
    this.#process.on("exit", (code, signal) =>
      this.#end(`ended by itself (${signal ?? `code ${code}`})${this.#stderr === "" ? "" : `: ${this.#stderr}`}`)
    )
  }

  call<T extends Call["_tag"]>(call: Extract<Call, { readonly _tag: T }>): Promise<Answers[T]> {
    return new Promise((done, fail) => {
      if (this.#ended !== undefined) return fail(this.#ended)
      const id = ++this.#last
      this.#waiting.set(id, { done, fail })
      this.#send({ id, call })
    })
  }

  /** Cancels what is running. Resolves once nothing runs any more. */
  async interrupt(): Promise<void> {
    if (this.#waiting.size === 0 || this.#ended !== undefined) return
    const idle = Promise.all(
      [...this.#waiting].map(
        ([id, { done, fail }]) =>
          new Promise<void>((settled) =>
            this.#waiting.set(id, {
              done: (answer) => (settled(), done(answer)),
              fail: (error) => (settled(), fail(error))
            })
          )
      )
    )
    this.#send({ interrupt: true })
    let timer: NodeJS.Timeout | undefined
    await Promise.race([
      idle,
      new Promise<void>((late) => {
        timer = setTimeout(() => (this.kill(), late()), INTERRUPT_MS)
      })
    ])
    clearTimeout(timer)
  }

  kill(): void {
    this.#end("was ended")
    this.#process.kill("SIGKILL")
  }

  #send(message: ToChild): void {
    this.#process.send(message, (error) => {
      if (error !== null) this.#end(`does not listen: ${error.message}`)
    })
  }

  #heard(message: FromChild): void {
    if ("progress" in message) return this.#onProgress(message.progress)
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if ("because" in message) {
      waiting?.fail(new SqlFailed({ because: message.because, message: message.message }))
    } else waiting?.done(message.answer as never)
  }

  #end(how: string): void {
    this.#ended ??= new SqlFailed({ because: "crashed", message: `The process of the SQL engine ${how}.` })
    for (const { fail } of this.#waiting.values()) fail(this.#ended)
    this.#waiting.clear()
  }
}
