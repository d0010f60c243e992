/** Reads server-sent events (HTML §9.2.6), as far as a client of jobs needs them. */
export interface Frame {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** One frame for each block with data; comments and what the stream ended in the middle of are left out. */
export async function* framesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  const decoder = new TextDecoder()
  let text = ""
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.search(BLANK); end >= 0; end = text.search(BLANK)) {
      const frame = frameOf(text.slice(0, end))
      text = text.slice(end).replace(BLANK, "")
      if (frame !== undefined) yield frame
    }
  }
}

const BLANK = /\r\n\r\n|\n\n|\r\r(?!\n)/

const frameOf = (block: string): Frame | undefined => {
  let id: string | undefined
  let event = "message"
  const data: Array<string> = []
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, name = "", value = ""] = /^([^:]+)(?:: ?(.*))?$/s.exec(line) ?? []
    if (name === "id") id = value
    else if (name === "event") event = value
    else if (name === "data") data.push(value)
  }
  return data.length === 0 ? undefined : { id, event, data: data.join("\n") }
}
