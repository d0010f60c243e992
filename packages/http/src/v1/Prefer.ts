/** The preference `wait` (RFC 7240 §4.3): how many seconds a client is ready to wait for the end of a job. */

/** More is cut: proxies give up on answers that take longer. */
export const LONGEST_WAIT = 60

/** Whole seconds, 0 … `LONGEST_WAIT`; 0 for a header that asks for nothing of the kind. */
export const waitOf = (header: string | undefined): number => {
  const match = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(header ?? "")
  return match === null ? 0 : Math.min(LONGEST_WAIT, Number(match[1]))
}
