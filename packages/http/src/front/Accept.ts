/**
 * The header Accept (RFC 9110 §12.5.1): which of the types on offer a client likes best.
 */

interface Range {
  readonly type: string
  readonly subtype: string
  /** 0 … 1000. */
  readonly quality: number
}

/** What can be read of the header; parts that cannot are left out, as if they were not sent. */
const rangesOf = (accept: string): ReadonlyArray<Range> =>
  accept.split(",").flatMap((part) => {
    const [range = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase())
    const match = /^([!#$%&'*+.^_`|~0-9a-z-]+)\/([!#$%&'*+.^_`|~0-9a-z-]+)$/.exec(range)
    const quality = parameters.find((parameter) => /^q\s*=/.test(parameter))
    const value = quality === undefined ? 1000 : qualityOf(quality.replace(/^q\s*=\s*/, ""))
    return match === null || value === undefined
      ? []
      : [{ type: match[1] as string, subtype: match[2] as string, quality: value }]
  })

const qualityOf = (text: string): number | undefined =>
  /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Math.round(Number(text) * 1000) : undefined

/** The quality of a type under the most specific range that covers it. */
const qualityUnder = (ranges: ReadonlyArray<Range>, offer: string): number => {
  const [type = "", subtype = ""] = offer.split("/")
  const of = (wanted: (range: Range) => boolean) => ranges.find(wanted)?.quality
  return (
    of((range) => range.type === type && range.subtype === subtype) ??
    of((range) => range.type === type && range.subtype === "*") ??
    of((range) => range.type === "*" && range.subtype === "*") ??
    0
  )
}

/**
 * The type among `offers` (best of ours first) that is liked best; `undefined` if none is acceptable. A request without
 * the header, or with one that cannot be read at all, takes anything.
 */
export const preferred = (accept: string | undefined, offers: ReadonlyArray<string>): string | undefined => {
  const ranges = accept === undefined ? [] : rangesOf(accept)
  if (ranges.length === 0) return offers[0]
  return offers.reduce<{ readonly offer: string | undefined; readonly quality: number }>(
    (best, offer) => {
      const quality = qualityUnder(ranges, offer)
      return quality > best.quality ? { offer, quality } : best
    },
    { offer: undefined, quality: 0 }
  ).offer
}
