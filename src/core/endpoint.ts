/**
 * Endpoints and network groups: where a node listens, and who probably runs it.
 *
 * - An endpoint is an IP address and a TCP port, `203.0.113.7:9000` or `[2001:db8::1]:9000`, in one canonical form, so
 *   that it can be a key. TCP is the only transport there is.
 * - A group is what one operator gets cheaply: an IPv4 /16 or an IPv6 /32, as in Bitcoin's addrman (`netgroup.cpp`).
 *   An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, RFC 6052) is taken out first: otherwise one IPv4 host
 *   would have a group for each way to write it.
 */
import ipaddr from 'ipaddr.js'
import type { Address, PeerId } from './types.ts'

/** An IP address and a port as text, canonical. */
export type Endpoint = string

/** `4:203.0` or `6:2001:db8`. */
export type Group = string

/** `all`: the rules of groups hold for every address. `routable`: loopback and private addresses are exempt. */
export type GroupRules = 'routable' | 'all'

type Parsed = ipaddr.IPv4 | ipaddr.IPv6

/** The canonical form of an IP address, IPv4 in IPv6 taken out where it is only mapped; undefined for other text. */
export function canonicalIp(text: string): string | undefined {
  return parse(text)?.toString()
}

/** The canonical endpoint; undefined for what is no IP address, or a port outside 1 to 65535. */
export function endpointFrom(ip: string, port: number): Endpoint | undefined {
  const parsed = parse(ip)
  if (parsed === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined
  return parsed.kind() === 'ipv4' ? `${parsed}:${port}` : `[${parsed}]:${port}`
}

/** Reads what `endpointFrom` wrote; undefined for any other text. */
export function parseEndpoint(text: string): { ip: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text)
  const ip = match?.[1] ?? match?.[2]
  if (ip === undefined) return undefined
  const port = Number(match?.[3])
  return endpointFrom(ip, port) === text ? { ip, port } : undefined
}

/** The endpoint of `/ip4/…/tcp/…` or `/ip6/…/tcp/…`, with or without a peer id; undefined for other addresses. */
export function endpointOf(address: Address): Endpoint | undefined {
  const match = /^\/ip[46]\/([^/]+)\/tcp\/([0-9]{1,5})(?:\/p2p\/[^/]+)?$/.exec(address)
  return match === null ? undefined : endpointFrom(match[1] ?? '', Number(match[2]))
}

/** The IP address at the begin of a multiaddr, canonical; undefined for names and others. */
export function ipOf(address: Address): string | undefined {
  const match = /^\/ip[46]\/([^/]+)\//.exec(`${address}/`)
  return match === null ? undefined : canonicalIp(match[1] ?? '')
}

/** The peer id at the end of a multiaddr. */
export function peerOf(address: Address): PeerId | undefined {
  return /\/p2p\/([^/]+)$/.exec(address)?.[1]
}

/** An endpoint as a multiaddr. */
export function addressOf(endpoint: Endpoint, peer?: PeerId): Address {
  const { ip, port } = parseEndpoint(endpoint) ?? { ip: '', port: 0 }
  const suffix = peer === undefined ? '' : `/p2p/${peer}`
  return `/ip${ip.includes(':') ? 6 : 4}/${ip}/tcp/${port}${suffix}`
}

/** The group of an IP address, or of an endpoint. Text that is neither is a group of its own. */
export function groupOf(ipOrEndpoint: string): Group {
  const parsed = parse(parseEndpoint(ipOrEndpoint)?.ip ?? ipOrEndpoint)
  if (parsed === undefined) return `?:${ipOrEndpoint}`
  const inner = innerIpv4(parsed)
  if (inner !== undefined) return `4:${inner.slice(0, 2).join('.')}`
  const [high = 0, low = 0] = (parsed as ipaddr.IPv6).parts
  return `6:${high.toString(16)}:${low.toString(16)}`
}

/** The group that rules look at; undefined for an address that they exempt. */
export function ruledGroup(ip: string, rules: GroupRules): Group | undefined {
  return rules === 'routable' && !isRoutable(ip) ? undefined : groupOf(ip)
}

/** Whether the internet delivers to an IP address: not private, loopback, link-local, documentation, multicast, … */
export function isRoutable(ip: string): boolean {
  const parsed = parse(ip)
  if (parsed === undefined) return false
  const range = parsed.range()
  // Tunnels reach the internet when what they carry does.
  const inner = range === '6to4' || range === 'teredo' || range === 'rfc6052' ? innerIpv4(parsed) : undefined
  return inner === undefined ? range === 'unicast' : isRoutable(inner.join('.'))
}

/** Whether nodes of one private network may pass an address on: all but what no host can have. */
export function isUsable(ip: string): boolean {
  const range = parse(ip)?.range()
  return (
    range !== undefined && !['unspecified', 'broadcast', 'multicast', 'reserved', 'discard'].includes(range)
  )
}

function parse(text: string): Parsed | undefined {
  // A zone (`fe80::1%eth0`) and numbers such as `0x7f.1` are no addresses that another host could use.
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return undefined
  if (text.includes(':') ? !ipaddr.IPv6.isValid(text) : !ipaddr.IPv4.isValidFourPartDecimal(text))
    return undefined
  return ipaddr.process(text)
}

/** The IPv4 address that an address is, or carries, as four numbers. */
function innerIpv4(parsed: Parsed): number[] | undefined {
  if (parsed.kind() === 'ipv4') return (parsed as ipaddr.IPv4).octets
  const bytes = parsed.toByteArray()
  switch (parsed.range()) {
    case '6to4':
      return bytes.slice(2, 6)
    case 'rfc6052':
      return bytes.slice(12, 16)
    case 'teredo':
      // RFC 4380, section 4: the client's address with all bits turned over.
      return bytes.slice(12, 16).map(byte => byte ^ 0xff)
    default:
      return undefined
  }
}
