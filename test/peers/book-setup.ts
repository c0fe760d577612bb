/** What the tests of the address book share: a book with a fixed key, and addresses that want the same place. */
import type { Endpoint, GroupRules } from '../../src/core/endpoint.ts'
import { Random } from '../../src/core/random.ts'
import { AddressBook, type Heard } from '../../src/peers/address-book.ts'
import { Placement } from '../../src/peers/book-placement.ts'

export const KEY = Uint8Array.from({ length: 32 }, (_, index) => 3 * index)
export const NOW_MS = Date.UTC(2026, 5, 1)
export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** The group of who told, where a test names none. */
export const TELLER = '4:198.51'

export const placement = new Placement(KEY)

/** Numbers that are drawn one after the other, then 0; or a seed. */
type Chance = readonly number[] | string | (() => number)

export function makeBook(random: Chance = [], groupRules: GroupRules = 'all'): AddressBook {
  return new AddressBook({ key: KEY, random: randomFrom(random), groupRules })
}

export function randomFrom(random: Chance): () => number {
  if (typeof random === 'function') return random
  if (typeof random === 'string') {
    const source = new Random(random)
    return () => source.fraction()
  }
  const left = [...random]
  return () => left.shift() ?? 0
}

/** Told by `TELLER` in an exchange, seen just now. */
export function heard(endpoint: Endpoint, differences: Partial<Heard> = {}): Heard {
  return { endpoint, source: 'exchange', sourceGroup: TELLER, lastHeardMs: NOW_MS, ...differences }
}

/** All hosts of a /16, `203.0` for example, with port 9000. */
export function* hostsOf(group: string): Generator<Endpoint> {
  for (let third = 0; third < 256; third++) {
    for (let fourth = 0; fourth < 256; fourth++) yield `${group}.${third}.${fourth}:9000`
  }
}

/** Where an endpoint of an IPv4 group stands in `tried`. */
export function triedSpot(endpoint: Endpoint): string {
  const bucket = placement.triedBucket(endpoint, groupOfIpv4(endpoint))
  return `${bucket}/${placement.place('tried', bucket, endpoint)}`
}

/** Where an endpoint of an IPv4 group stands in `new` when a source group has told it. */
export function newSpot(endpoint: Endpoint, sourceGroup = TELLER): string {
  const bucket = placement.newBucket(groupOfIpv4(endpoint), sourceGroup)
  return `${bucket}/${placement.place('new', bucket, endpoint)}`
}

/** Hosts of one group that have the same spot, and are all apart by the other spot. */
export function rivals(
  count: number,
  by: (endpoint: Endpoint) => string,
  apartBy: (endpoint: Endpoint) => string,
  group = '203.0',
): Endpoint[] {
  const found: Endpoint[] = []
  for (const endpoint of hostsOf(group)) {
    const [first = endpoint] = found
    const isRival = by(endpoint) === by(first) && found.every(other => apartBy(other) !== apartBy(endpoint))
    if (isRival || found.length === 0) found.push(endpoint)
    if (found.length === count) return found
  }
  throw new Error(`there are no ${count} rivals`)
}

/** Hosts that want one place in `tried`, told by `TELLER` without being in each other's way in `new`. */
export function rivalsInTried(count: number): [Endpoint, Endpoint, ...Endpoint[]] {
  return rivals(count, triedSpot, newSpot) as [Endpoint, Endpoint, ...Endpoint[]]
}

/** Hosts that want one place in `new` when `TELLER` tells them, and have each another one in `tried`. */
export function rivalsInNew(count: number): [Endpoint, Endpoint, ...Endpoint[]] {
  return rivals(count, newSpot, triedSpot) as [Endpoint, Endpoint, ...Endpoint[]]
}

/** The book as a sorted list, slot by slot. */
export function contentOf(book: AddressBook): unknown[] {
  return [...book.entries()]
    .map(entry => ({ ...entry, newBuckets: entry.newBuckets.toSorted((a, b) => a - b) }))
    .sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1))
}

function groupOfIpv4(endpoint: Endpoint): string {
  return `4:${endpoint.split('.').slice(0, 2).join('.')}`
}
