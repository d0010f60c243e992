/**
 * The entity tag of a job (RFC 9110 §8.8.3): the number of its last event, and what changes without one.
 */
import type { JobView } from "@sotto/engine"
import { sha256 } from "../access/Digest.ts"

/** E.g. `"12.d41d8cd9"`. */
export const etagOf = ({ job, progress, word }: JobView): string => {
  const last = sha256(JSON.stringify([progress, word])).subarray(0, 4)
  return `"${job.seq}.${Array.from(last, (byte) => byte.toString(16).padStart(2, "0")).join("")}"`
}

const tagsOf = (header: string): ReadonlyArray<string> => header.match(/(?:W\/)?"[^"]*"/g) ?? []

/** Whether an `If-None-Match` names this tag; weak tags count (RFC 9110 §13.1.2). */
export const isUnchanged = (header: string | undefined, etag: string): boolean =>
  header !== undefined && (header.trim() === "*" || tagsOf(header).some((tag) => tag.replace(/^W\//, "") === etag))

/**
 * The numbers of events that an `If-Match` allows; `undefined`: any. What changes without an event does not count: who
 * read a job may change it although its progress went on.
 */
export const wantedSeqs = (header: string | undefined): ReadonlySet<number> | undefined =>
  header === undefined || header.trim() === "*"
    ? undefined
    : new Set(
        tagsOf(header)
          .flatMap((tag) => /^"(\d{1,15})(?:\.[0-9a-f]{8})?"$/.exec(tag)?.[1] ?? [])
          .map(Number)
      )
