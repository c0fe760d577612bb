/**
 * The naive twin of `AddressBook`, written from the rules in its header and from Bitcoin Core's `addrman.cpp`: one list
 * of addresses, each with the names of the spots where it stands; whoever is looked for is looked for from the front.
 */
import { groupOf } from '../../src/core/endpoint.ts'
import type { Heard } from '../../src/peers/address-book.ts'
import type { Placement } from '../../src/peers/book-placement.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

interface Address {
  endpoint: string
  host: string
  source: string
  sourceGroup: string
  peer: string | undefined
  heard: number
  tried: number
  counted: number
  success: number
  attempts: number
  /** `new 17 3`, `tried 255 63`. */
  spots: string[]
}

export class AddressBookTwin {
  readonly #placement: Placement
  readonly #random: () => number
  readonly #exempt: (endpoint: string) => boolean
  #list: Address[] = []
  #waiting: string[] = []
  #lastGood = 1
  readonly #spots = new Map<string, string>()
  #snapshot = new Map<string, string>()

  constructor(placement: Placement, random: () => number, exempt: (endpoint: string) => boolean) {
    this.#placement = placement
    this.#random = random
    this.#exempt = exempt
  }

  get size(): number {
    return this.#list.length
  }

  add(heard: Heard, now: number): 'added' | 'known' | 'refused' {
    const { endpoint, source, sourceGroup, penaltyMs = 0 } = heard
    let time = heard.lastHeardMs
    if (time <= 100_000_000_000 || time > now + 10 * MINUTE) time = now - 5 * DAY
    const known = this.#find(endpoint)
    const spot = this.#newSpot(endpoint, sourceGroup)
    const there = this.#at(spot)
    if (known !== undefined) {
      const interval = now - time < DAY ? HOUR : DAY
      if (known.heard < time - interval - penaltyMs) known.heard = time - penaltyMs
      if (time <= known.heard || isTried(known) || known.spots.length === 8) return 'known'
      if (Math.floor(this.#random() * 2 ** known.spots.length) !== 0) return 'known'
      if (there === known || (there !== undefined && !this.#isTerrible(there, now))) return 'known'
      if (there !== undefined) this.#take(there, spot)
      known.spots.push(spot)
      return 'known'
    }
    if (this.#isFull('new', endpoint, sourceGroup)) return 'refused'
    if (there !== undefined && !this.#isTerrible(there, now) && there.spots.length === 1) return 'refused'
    if (there !== undefined) this.#take(there, spot)
    this.#list.push({
      endpoint,
      host: hostPart(endpoint),
      source,
      sourceGroup,
      peer: undefined,
      heard: time - penaltyMs,
      tried: 0,
      counted: 0,
      success: 0,
      attempts: 0,
      spots: [spot],
    })
    return 'added'
  }

  attempt(endpoint: string, counted: boolean, now: number): void {
    const address = this.#find(endpoint)
    if (address === undefined) return
    address.tried = now
    if (!counted || age(address.counted, now) <= age(this.#lastGood, now)) return
    address.counted = now
    address.attempts = Math.min(255, address.attempts + 1)
  }

  good(endpoint: string, peer: string, now: number): void {
    this.#lastGood = now
    const address = this.#find(endpoint)
    if (address === undefined) return
    Object.assign(address, { peer, success: now, tried: now, attempts: 0 })
    if (isTried(address)) return
    const occupant = this.#at(this.#triedSpot(endpoint))
    if (!this.#isAdmitted(address, occupant)) return
    if (occupant === undefined) this.#moveToTried(address)
    else if (this.#waiting.length < 10 && !this.#waiting.includes(endpoint)) this.#waiting.push(endpoint)
  }

  heard(endpoint: string, now: number): void {
    const address = this.#find(endpoint)
    if (address !== undefined && age(address.heard, now) > 20 * MINUTE) address.heard = now
  }

  remove(endpoint: string): boolean {
    const isKnown = this.#find(endpoint) !== undefined
    this.#drop(endpoint)
    return isKnown
  }

  select(newOnly: boolean, now: number): string | undefined {
    const fresh = this.#list.filter(address => !isTried(address))
    const tried = this.#list.filter(isTried)
    if (fresh.length === 0 && (newOnly || tried.length === 0)) return undefined
    let pool = fresh
    if (!newOnly && tried.length > 0 && (fresh.length === 0 || this.#random() < 0.5)) pool = tried
    const spots = pool.flatMap(address =>
      address.spots.map(spot => ({ address, at: spot.split(' ').map(Number) })),
    )
    const buckets = [...new Set(spots.map(({ at }) => at[1] ?? 0))].sort((a, b) => a - b)
    for (let factor = 1; ; factor *= 1.2) {
      const bucket = buckets[Math.floor(this.#random() * buckets.length)]
      const start = Math.floor(this.#random() * 64)
      const inBucket = spots.filter(({ at }) => at[1] === bucket)
      const distance = (place = 0): number => (place + 64 - start) % 64
      const [nearest] = inBucket.sort((a, b) => distance(a.at[2]) - distance(b.at[2]))
      if (nearest === undefined) throw new Error('a bucket in use is empty')
      const { tried: triedAt, attempts, endpoint } = nearest.address
      const recent = age(triedAt, now) < 10 * MINUTE ? 0.01 : 1
      if (this.#random() < factor * recent * 0.66 ** Math.min(8, attempts)) return endpoint
    }
  }

  selectCollision(now: number): string | undefined {
    const occupants = this.#waiting
      .map(endpoint => this.#at(this.#triedSpot(endpoint)))
      .filter(occupant => occupant !== undefined && age(occupant.tried, now) > MINUTE)
    return occupants[Math.floor(this.#random() * occupants.length)]?.endpoint
  }

  resolveCollisions(now: number): void {
    for (const endpoint of [...this.#waiting]) {
      const address = this.#find(endpoint)
      if (address === undefined) continue
      const occupant = this.#at(this.#triedSpot(endpoint))
      if (occupant !== undefined) {
        const isAlive = age(occupant.success, now) < 4 * HOUR
        const isTested = age(occupant.tried, now) < 4 * HOUR
        const isBeaten = isTested
          ? age(occupant.tried, now) > MINUTE
          : age(address.success, now) > 40 * MINUTE
        if (isAlive) this.#waiting = this.#waiting.filter(other => other !== endpoint)
        if (isAlive || !isBeaten) continue
      }
      this.#waiting = this.#waiting.filter(other => other !== endpoint)
      if (this.#isAdmitted(address, occupant)) this.#moveToTried(address)
    }
  }

  reached(since: number, now: number): string[] {
    const found = this.#list.filter(
      ({ success }) => success > 0 && success >= since && success <= now + 10 * MINUTE,
    )
    return found.filter(address => !this.#isTerrible(address, now)).map(({ endpoint }) => endpoint)
  }

  /** As `contentOf` has it. */
  content(): unknown[] {
    const sorted = this.#list.toSorted((a, b) => (a.endpoint < b.endpoint ? -1 : 1))
    return sorted.map(address => ({
      endpoint: address.endpoint,
      group: groupOf(address.endpoint),
      peer: address.peer,
      source: address.source,
      sourceGroup: address.sourceGroup,
      lastHeardMs: address.heard,
      lastAttemptMs: address.tried,
      lastSuccessMs: address.success,
      attempts: address.attempts,
      isTried: isTried(address),
      lastCountedMs: address.counted,
      newBuckets: isTried(address) ? [] : address.spots.map(bucketOf).sort((a, b) => a - b),
    }))
  }

  /** What is not as it was at the last call, and what is no more. */
  changes(): { changed: string[]; removed: string[] } {
    const before = this.#snapshot
    this.#snapshot = new Map(this.#list.map(address => [address.endpoint, JSON.stringify(address)]))
    const changed = [...this.#snapshot].filter(([endpoint, text]) => before.get(endpoint) !== text)
    const removed = [...before.keys()].filter(endpoint => !this.#snapshot.has(endpoint))
    return { changed: changed.map(([endpoint]) => endpoint), removed }
  }

  /** What is not saved is forgotten. */
  restart(): void {
    this.#waiting = []
    this.#lastGood = Math.max(1, ...this.#list.map(({ success }) => success))
  }

  #find(endpoint: string): Address | undefined {
    return this.#list.find(address => address.endpoint === endpoint)
  }

  #at(spot: string): Address | undefined {
    return this.#list.find(address => address.spots.includes(spot))
  }

  #newSpot(endpoint: string, sourceGroup: string): string {
    return this.#remembered(`${endpoint} ${sourceGroup}`, () => {
      const bucket = this.#placement.newBucket(this.#placeGroup(endpoint), sourceGroup)
      return `new ${bucket} ${this.#placement.place('new', bucket, endpoint)}`
    })
  }

  #triedSpot(endpoint: string): string {
    return this.#remembered(endpoint, () => {
      const bucket = this.#placement.triedBucket(endpoint, this.#placeGroup(endpoint))
      return `tried ${bucket} ${this.#placement.place('tried', bucket, endpoint)}`
    })
  }

  #placeGroup(endpoint: string): string {
    return this.#exempt(endpoint) ? endpoint : groupOf(endpoint)
  }

  /** Spots never change, and take longest to find. */
  #remembered(name: string, find: () => string): string {
    const spot = this.#spots.get(name) ?? find()
    this.#spots.set(name, spot)
    return spot
  }

  #take(address: Address, spot: string): void {
    address.spots = address.spots.filter(other => other !== spot)
    if (address.spots.length === 0) this.#drop(address.endpoint)
  }

  #drop(endpoint: string): void {
    this.#list = this.#list.filter(address => address.endpoint !== endpoint)
    this.#waiting = this.#waiting.filter(other => other !== endpoint)
  }

  #isAdmitted(address: Address, occupant: Address | undefined): boolean {
    if (occupant?.host === address.host) return true
    return !this.#isFull('tried', address.endpoint, address.sourceGroup)
  }

  #isFull(table: 'new' | 'tried', endpoint: string, sourceGroup: string): boolean {
    const host = hostPart(endpoint)
    const own = this.#list.filter(other => other.host === host && isTried(other) === (table === 'tried'))
    if (table === 'tried') return own.length >= 4 && !this.#exempt(endpoint)
    return own.filter(other => other.sourceGroup === sourceGroup).length >= 8 && !this.#exempt(endpoint)
  }

  #moveToTried(address: Address): void {
    const spot = this.#triedSpot(address.endpoint)
    const occupant = this.#at(spot)
    address.spots = [spot]
    this.#waiting = this.#waiting.filter(other => other !== address.endpoint)
    if (occupant === undefined) return
    occupant.spots = []
    this.#list = this.#list.filter(other => other !== occupant)
    if (this.#isFull('new', occupant.endpoint, occupant.sourceGroup)) return
    const back = this.#newSpot(occupant.endpoint, occupant.sourceGroup)
    const there = this.#at(back)
    if (there !== undefined) this.#take(there, back)
    occupant.spots = [back]
    this.#list.push(occupant)
  }

  #isTerrible(address: Address, now: number): boolean {
    if (age(address.tried, now) <= MINUTE) return false
    if (address.heard > now + 10 * MINUTE || now - address.heard > 30 * DAY) return true
    if (address.success === 0) return address.attempts >= 3
    return address.attempts >= 10 && age(address.success, now) > 7 * DAY
  }
}

function age(time: number, now: number): number {
  if (time > now + 10 * MINUTE) return Number.POSITIVE_INFINITY
  return time > now ? 0 : now - time
}

function isTried({ spots }: Address): boolean {
  return spots.some(spot => spot.startsWith('tried'))
}

function bucketOf(spot: string): number {
  return Number(spot.split(' ')[1])
}

/** `203.0.113.7`, or what stands before `::` in the IPv6 addresses of the test. */
function hostPart(endpoint: string): string {
  return endpoint.startsWith('[') ? (endpoint.split('::')[0] ?? '') : (endpoint.split(':')[0] ?? '')
}
