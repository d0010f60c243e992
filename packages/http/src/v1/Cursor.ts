/** Where a list goes on, as a text that clients hand back and do not read. */
import { Buffer } from "node:buffer"
import { isName } from "@sotto/core/job"
import type { JobCursor } from "@sotto/core/ports/JobStore"

export const printCursor = ({ createdAt, id }: JobCursor): string =>
  Buffer.from(`${createdAt} ${id}`, "utf8").toString("base64url")

/** `undefined` for a text that is no cursor of ours. */
export const parseCursor = (text: string): JobCursor | undefined => {
  const match = /^(\d{1,15}) (.+)$/s.exec(Buffer.from(text, "base64url").toString("utf8"))
  if (match === null) return undefined
  const cursor = { createdAt: Number(match[1]), id: match[2] as string }
  return isName(cursor.id) && printCursor(cursor) === text ? cursor : undefined
}
