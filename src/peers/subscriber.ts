/**
 * Subscribers: what one customer of an access network has, and so what a limit for "one IP address" must count.
 *
 * For IPv4 that is the address. For IPv6 it is the /64: the least that a provider hands out, and with every address of
 * it free to use, a limit for single addresses would limit nobody.
 */
import ipaddr from 'ipaddr.js'
import { canonicalIp } from '../core/endpoint.ts'

/** `203.0.113.7`, or `2001:db8:0:1::/64`. */
export type Subscriber = string

/** The subscriber of an IP address. Text that is none is a subscriber of its own. */
export function subscriberOf(ip: string): Subscriber {
  const canonical = canonicalIp(ip)
  if (canonical === undefined || !canonical.includes(':')) return canonical ?? ip
  const { parts } = ipaddr.IPv6.parse(canonical)
  return `${new ipaddr.IPv6([...parts.slice(0, 4), 0, 0, 0, 0])}/64`
}
