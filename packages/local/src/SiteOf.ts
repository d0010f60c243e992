import { parse } from "tldts"

/**
 * The site of a reporting origin, e.g. `https://a.example.com:8443/` is of `https://example.com` (spec: aggregation §4.2).
 *
 * The scheme is required and does not matter, port and path do not either; private suffixes such as `github.io` count as
 * public ones. `undefined` for an IP address, a host that is no domain name, a bare suffix or an unknown one.
 */
export const siteOf = (origin: string): string | undefined => {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(origin)) return undefined
  const { domain, isIcann, isPrivate, isIp } = parse(origin, { allowPrivateDomains: true, validateHostname: true })
  if (domain === null || isIp === true || !(isIcann === true || isPrivate === true)) return undefined
  return `https://${domain.toLowerCase()}`
}
