import fc from "fast-check"
import { expect, it } from "vitest"
import { type Frame, framesOf } from "../../src/jobs/ServerSentEvents.ts"

async function* pieces(text: string, cuts: ReadonlyArray<number>): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  for (let i = 1; i < at.length; i++) yield bytes.subarray(at[i - 1], at[i])
}

const read = async (text: string, cuts: ReadonlyArray<number> = []): Promise<ReadonlyArray<Frame>> => {
  const frames: Array<Frame> = []
  for await (const frame of framesOf(pieces(text, cuts))) frames.push(frame)
  return frames
}

const frame = fc.record({
  id: fc.stringMatching(/^\d{1,6}$/),
  event: fc.stringMatching(/^[a-z]{1,12}$/),
  data: fc.stringMatching(/^[^\r\n]{1,20}$/)
})

it("reads what was written, however it is cut", () =>
  fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 5 }), fc.array(fc.nat()), async (frames, cuts) => {
      const text = frames.map(({ id, event, data }) => `id: ${id}\nevent: ${event}\ndata: ${data}\n\n:\n\n`).join("")
      expect(await read(text, cuts)).toEqual(frames)
    })
  ))

it.each([
  ["comments, retries and half a block count for nothing", "retry: 1\n\n:x\n\ndata: a", []],
  ["several lines of data are one text", "data: a\ndata: b\n\n", [{ id: undefined, event: "message", data: "a\nb" }]],
  [
    "one blank behind the colon is no part of the value",
    "data:  a\n\n",
    [{ id: undefined, event: "message", data: " a" }]
  ],
  ["lines may end as on any system", "id:1\r\ndata:a\r\n\r\n", [{ id: "1", event: "message", data: "a" }]]
])("%s", async (_, text, frames) => expect(await read(text)).toEqual(frames))
