/** A connection of which the test says every byte, and the answers that came over it. */
import { once } from "node:events"
import { connect, type Socket } from "node:net"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Wire {
  readonly socket: Socket
  readonly send: (text: string | Uint8Array) => Wire
  /** All that came so far. */
  readonly text: () => string
  /** Once so many answers are complete. */
  readonly answers: (count: number) => Promise<ReadonlyArray<Answer>>
  /** Once all of a text has come. */
  readonly until: (part: string | RegExp) => Promise<void>
  /** What had come when the server closed the connection. */
  readonly closed: Promise<string>
  /** Gone at once, with a reset. */
  readonly cut: () => void
}

export const wire = async (port: number): Promise<Wire> => {
  const socket = connect(port, "127.0.0.1").setNoDelay().setEncoding("latin1")
  let text = ""
  socket.on("data", (part: string) => (text += part)).on("error", () => {})
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(text)))
  await once(socket, "connect")
  const when = <A>(look: () => A | undefined): Promise<A> =>
    new Promise((resolve, reject) => {
      const check = () => {
        const found = look()
        if (found === undefined) return
        socket.off("data", check)
        resolve(found)
      }
      socket.on("data", check)
      void closed.then(() => reject(new Error(`closed after: ${text.slice(0, 2_000)}`)))
      check()
    })
  const self: Wire = {
    socket,
    send: (part) => {
      socket.write(part)
      return self
    },
    text: () => text,
    answers: (count) =>
      when(() => {
        const found = answersIn(text)
        return found.length >= count ? found : undefined
      }),
    until: async (part) => {
      await when(() => (typeof part === "string" ? text.includes(part) : part.test(text)) || undefined)
    },
    closed,
    cut: () => void socket.resetAndDestroy()
  }
  return self
}

/** The answers that are complete in a text: with a length, or in chunks; interim ones (1xx) are left out. */
export const answersIn = (text: string): ReadonlyArray<Answer> => {
  const found: Array<Answer> = []
  for (let rest = text; ;) {
    const end = rest.indexOf("\r\n\r\n")
    if (end < 0) return found
    const [first = "", ...lines] = rest.slice(0, end).split("\r\n")
    const status = Number(first.split(" ")[1])
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(":", 1)[0]?.toLowerCase() ?? "", line.slice(line.indexOf(":") + 1).trim()])
    )
    rest = rest.slice(end + 4)
    if (status < 200) continue
    const body = bodyIn(rest, status, headers)
    if (body === undefined) return found
    found.push({ status, headers, body: body.text })
    rest = rest.slice(body.length)
  }
}

const bodyIn = (
  rest: string,
  status: number,
  headers: Answer["headers"]
): { readonly text: string; readonly length: number } | undefined => {
  if (status === 204 || status === 304) return { text: "", length: 0 }
  if (headers["transfer-encoding"] === "chunked") {
    let [text, at] = ["", 0]
    for (;;) {
      const line = rest.indexOf("\r\n", at)
      if (line < 0) return undefined
      const size = Number.parseInt(rest.slice(at, line), 16)
      if (rest.length < line + size + 4) return undefined
      text += rest.slice(line + 2, line + 2 + size)
      at = line + size + 4
      if (size === 0) return { text, length: at }
    }
  }
  const length = Number(headers["content-length"] ?? 0)
  return rest.length < length ? undefined : { text: rest.slice(0, length), length }
}

/** A request as it stands on the wire; a header that is empty is left out. */
export const request = (line: string, headers: Readonly<Record<string, string>> = {}, body: string = ""): string => {
  const all: Readonly<Record<string, string>> = {
    host: "127.0.0.1",
    authorization: "Bearer acme",
    ...(body === "" ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
    ...headers
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === "" ? [] : [`${name}: ${value}\r\n`]))
  return `${line.includes(" HTTP/") ? line : `${line} HTTP/1.1`}\r\n${lines.join("")}\r\n${body}`
}
