/**
 * Keeps what clients name from reaching what is ours: no URL leads to a private address unless the operator allows it.
 *
 * A host name is resolved once and every address of it is checked; who connects must connect to an address that was
 * checked, because a second look-up may answer otherwise (DNS rebinding). A redirect is a new URL and is checked anew.
 */
import { lookup } from "node:dns/promises"
import { isIP } from "node:net"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import ipaddr from "ipaddr.js"

/** The URL may not be called. `message` says why, without what was looked up, and what to do. */
export class AddressRefused extends Schema.TaggedError<AddressRefused>()("AddressRefused", {
  because: Schema.Literals(["url", "scheme", "credentials", "port", "address", "unresolved"]),
  message: Schema.String
}) {}

export interface AddressPolicy {
  /** Networks (`10.1.0.0/16`, `::1/128`) that may be reached although they are not public, on any port. */
  readonly allow?: ReadonlyArray<string>
  /** Ports that may be reached elsewhere; 80, 443, 8080 and 8443 unless told. */
  readonly ports?: ReadonlyArray<number>
  /** Finds the addresses of a host name; the system's resolver unless told. */
  readonly resolve?: (host: string) => Promise<ReadonlyArray<string>>
}

export interface CheckedAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** A URL and the addresses that may stand for its host, at least one. */
export interface Target {
  readonly url: URL
  readonly addresses: ReadonlyArray<CheckedAddress>
}

const PORTS: ReadonlyArray<number> = [80, 443, 8080, 8443]

export class AddressGuard extends Context.Service<
  AddressGuard,
  {
    /** What can be said of a URL without a look-up: its form, and its host if that is an address. */
    check(url: string): Effect.Effect<URL, AddressRefused>

    /** Looks the host up and checks all that is found. */
    target(url: string): Effect.Effect<Target, AddressRefused>
  }
>()("@sotto/webhooks/AddressGuard") {}

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Network = readonly [Address, number]

/** The guard of a policy. A network that cannot be read is a mistake of the operator and throws. */
export const layerAddressGuard = (policy: AddressPolicy = {}): Layer.Layer<AddressGuard> =>
  Layer.sync(AddressGuard, () => {
    const { ports = PORTS, resolve = systemResolve } = policy
    const allowed = (policy.allow ?? []).map(networkOf)

    const judged = (url: URL, address: string): Effect.Effect<CheckedAddress, AddressRefused> => {
      const found = ipaddr.process(address)
      const family = found.kind() === "ipv4" ? 4 : 6
      if (allowed.some((network) => within(found, network))) return Effect.succeed({ address, family })
      if (!isPublic(found)) {
        return refused("address", `The host ${url.hostname} is no public one. Name one that the internet can reach.`)
      }
      return Effect.as(portAllowed(url), { address, family } as const)
    }

    const portAllowed = (url: URL): Effect.Effect<void, AddressRefused> =>
      ports.includes(portOf(url))
        ? Effect.void
        : refused("port", `The port ${portOf(url)} is not allowed. Use one of: ${ports.join(", ")}.`)

    const check = Effect.fnUntraced(function* (text: string) {
      const url = URL.canParse(text) ? new URL(text) : undefined
      if (url === undefined) return yield* refused("url", "This is no URL. Write it whole, with https:// before it.")
      if (url.protocol !== "https:" && url.protocol !== "http:") {
        return yield* refused("scheme", `URLs with ${url.protocol} are not called. Use https:// or http://.`)
      }
      if (url.username !== "" || url.password !== "") {
        return yield* refused("credentials", "A URL with a user or password is not called. Take them out.")
      }
      const literal = literalOf(url)
      if (literal !== undefined) yield* judged(url, literal)
      // A name may stand for an allowed network, where every port is.
      else if (allowed.length === 0) yield* portAllowed(url)
      return url
    })

    return AddressGuard.of({
      check,
      target: Effect.fnUntraced(function* (text) {
        const url = yield* check(text)
        const literal = literalOf(url)
        const found = literal === undefined ? yield* looked(resolve, url.hostname) : [literal]
        return { url, addresses: yield* Effect.forEach(found, (address) => judged(url, address)) }
      })
    })
  })

const refused = (because: AddressRefused["because"], message: string): Effect.Effect<never, AddressRefused> =>
  Effect.fail(new AddressRefused({ because, message }))

const systemResolve = async (host: string): Promise<ReadonlyArray<string>> =>
  (await lookup(host, { all: true, order: "verbatim" })).map(({ address }) => address)

const looked = (resolve: NonNullable<AddressPolicy["resolve"]>, host: string) => {
  const unresolved = new AddressRefused({
    because: "unresolved",
    message: `The host ${host} has no address. Check its name.`
  })
  return Effect.tryPromise({ try: () => resolve(host), catch: () => unresolved }).pipe(
    Effect.filterOrFail(
      (found) => found.length > 0 && found.every((address) => isIP(address) !== 0),
      () => unresolved
    )
  )
}

/** The host as an address. The URL parser has brought `127.1` and `0x7f000001` to their usual form. */
const literalOf = ({ hostname }: URL): string | undefined => {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname
  return isIP(bare) === 0 ? undefined : bare
}

const portOf = ({ port, protocol }: URL): number => (port === "" ? (protocol === "https:" ? 443 : 80) : Number(port))

/** Whether a text is a network such as `10.1.0.0/16` or `::1/128`. */
export const isNetwork = (text: string): boolean => ipaddr.isValidCIDR(text)

const networkOf = (text: string): Network => {
  if (isNetwork(text)) return ipaddr.parseCIDR(text)
  throw new Error(`"${text}" is no network. Write it such as 10.1.0.0/16 or ::1/128.`)
}

const within = (address: Address, [network, bits]: Network): boolean =>
  address.kind() === network.kind() && address.match(network, bits)

/** Public by their range, and yet the host's own: where clouds serve machines their metadata. */
const METADATA = [networkOf("168.63.129.16/32")]

/** What the internet assigns to hosts (RFC 6890). */
const GLOBAL_UNICAST = networkOf("2000::/3")

/** Carries an IPv4 address behind it (RFC 6052); the same prefix of a local translator does not count as public. */
const NAT64 = networkOf("64:ff9b::/96")

/** Whether an address is one of the public internet; one that stands for an IPv4 address is judged as that. */
export const isPublicAddress = (address: string): boolean =>
  ipaddr.isValid(address) && isPublic(ipaddr.process(address))

const isPublic = (address: Address): boolean => {
  if (within(address, NAT64)) return isPublic(new ipaddr.IPv4(address.toByteArray().slice(12)))
  if (address.range() !== "unicast" || METADATA.some((network) => within(address, network))) return false
  return address.kind() === "ipv4" || within(address, GLOBAL_UNICAST)
}
