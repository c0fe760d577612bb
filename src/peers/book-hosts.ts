/**
 * How many endpoints of one host the book holds: a cap that Bitcoin Core does not have.
 *
 * The attack: one machine listens on all its 65,535 ports and tells each of them as an address. It costs nothing, and
 * with one IP address it would fill what its whole network group can have in `tried`, and what one who tells can have in
 * `new` for that group. So:
 * - `tried` holds at most 4 endpoints of a host, which is enough for a few nodes behind one router;
 * - `new` holds at most 8 endpoints of a host that one source group was the first to tell. Not 8 in all: whoever first
 *   told 8 false ports of an honest host would then keep the right one out of the book.
 *
 * A host is an IPv4 address, or an IPv6 /64, which is what a customer is given at least and can number at will.
 * `groupRules: routable` exempts loopback and private addresses: a local cluster is many nodes on one of them.
 */
import ipaddr from 'ipaddr.js'
import { type Endpoint, type Group, type GroupRules, parseEndpoint, ruledGroup } from '../core/endpoint.ts'
import type { Table } from './book-placement.ts'

/** How many endpoints of one host each table holds; in `new` for each source group. */
const ENDPOINTS_PER_HOST: Readonly<Record<Table, number>> = { new: 8, tried: 4 }

/** An IPv4 address, or the first half of an IPv6 one. */
export type HostKey = string

/** What of an entry is looked at here. */
interface Counted {
  readonly endpoint: Endpoint
  readonly host: HostKey
  readonly sourceGroup: Group
}

/** @param ip canonical */
export function hostOf(ip: string): HostKey {
  return ip.includes(':') ? ipaddr.IPv6.parse(ip).parts.slice(0, 4).join(':') : ip
}

/** Counts the entries of each table by host. As large as the book at most. */
export class HostCounts {
  readonly #rules: GroupRules
  readonly #counts: Readonly<Record<Table, Map<string, number>>> = { new: new Map(), tried: new Map() }

  constructor(rules: GroupRules) {
    this.#rules = rules
  }

  /** How many entries there are that count together with this one. */
  of(table: Table, entry: Counted): number {
    return this.#counts[table].get(keyOf(table, entry)) ?? 0
  }

  add(table: Table, entry: Counted): void {
    this.#counts[table].set(keyOf(table, entry), this.of(table, entry) + 1)
  }

  remove(table: Table, entry: Counted): void {
    const left = this.of(table, entry) - 1
    if (left > 0) this.#counts[table].set(keyOf(table, entry), left)
    else this.#counts[table].delete(keyOf(table, entry))
  }

  /** Whether the table may not take one more entry like this one. */
  isFull(table: Table, entry: Counted): boolean {
    return this.of(table, entry) >= ENDPOINTS_PER_HOST[table] && this.isRuled(entry.endpoint)
  }

  /** Whether the table has more entries like this one than it may. */
  isOver(table: Table, entry: Counted): boolean {
    return this.of(table, entry) > ENDPOINTS_PER_HOST[table] && this.isRuled(entry.endpoint)
  }

  /** Whether the rules look at an endpoint. */
  isRuled(endpoint: Endpoint): boolean {
    return ruledGroup(parseEndpoint(endpoint)?.ip ?? '', this.#rules) !== undefined
  }

  /** How many different counts there are. */
  get size(): number {
    return this.#counts.new.size + this.#counts.tried.size
  }
}

function keyOf(table: Table, { host, sourceGroup }: Counted): string {
  return table === 'tried' ? host : `${host} ${sourceGroup}`
}
