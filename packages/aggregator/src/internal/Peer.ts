/**
 * Calls between two threads over one port: each side offers named functions, each call is answered once.
 *
 * Expected failures are values; a rejected call means that the other side threw or ended.
 */

import type { MessagePort, Worker } from "node:worker_threads"

/** What a side offers: functions of one cloneable argument. */
export type Api = Record<string, (argument: never) => unknown>

/** How a side serves an `Api`: any answer may be a promise, and may move its buffers. */
export type Served<A extends Api> = {
  readonly [K in keyof A]: (
    argument: Parameters<A[K]>[0]
  ) => ReturnType<A[K]> | Moved<ReturnType<A[K]>> | Promise<ReturnType<A[K]> | Moved<ReturnType<A[K]>>>
}

/** An answer whose buffers move to the caller instead of being copied. */
export class Moved<A> {
  readonly value: A
  readonly transfer: ReadonlyArray<ArrayBuffer>
  constructor(value: A, transfer: ReadonlyArray<ArrayBuffer>) {
    this.value = value
    this.transfer = transfer
  }
}

type Message =
  | { readonly call: number; readonly name: string; readonly argument: unknown }
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly threw: string }

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
}

export class Peer<Remote extends Api> {
  readonly #port: MessagePort | Worker
  readonly #waiting = new Map<number, Waiting>()
  #calls = 0
  #closed: Error | undefined = undefined

  constructor(port: MessagePort | Worker, local: Served<Api>) {
    this.#port = port
    port.on("message", (message: Message) => {
      if ("call" in message) void this.#serve(local, message)
      else this.#settle(message)
    })
  }

  /** `transfer` lists buffers of the argument that shall move; they are unusable here afterwards. */
  call<K extends keyof Remote & string>(
    name: K,
    argument: Parameters<Remote[K]>[0],
    transfer: ReadonlyArray<ArrayBuffer> = []
  ): Promise<ReturnType<Remote[K]>> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const call = this.#calls++
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject })
      this.#port.postMessage({ call, name, argument } satisfies Message, transfer)
    })
  }

  /** The other side is gone: all calls, waiting and future, are rejected with `error`. */
  close(error: Error): void {
    this.#closed ??= error
    for (const { reject } of this.#waiting.values()) reject(this.#closed)
    this.#waiting.clear()
  }

  async #serve(local: Served<Api>, { call, name, argument }: Extract<Message, { call: number }>): Promise<void> {
    try {
      const serve = local[name] as (argument: unknown) => unknown
      const result = await serve(argument)
      const [value, transfer] = result instanceof Moved ? [result.value, result.transfer] : [result, []]
      this.#port.postMessage({ answer: call, value } satisfies Message, transfer)
    } catch (error) {
      this.#port.postMessage({
        answer: call,
        threw: error instanceof Error ? error.message : String(error)
      } satisfies Message)
    }
  }

  #settle(message: Exclude<Message, { call: number }>): void {
    const waiting = this.#waiting.get(message.answer)
    this.#waiting.delete(message.answer)
    if (waiting === undefined) return
    if ("threw" in message) waiting.reject(new Error(message.threw))
    else waiting.resolve(message.value as never)
  }
}
