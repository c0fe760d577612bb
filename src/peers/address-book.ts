/**
 * The address book: which endpoints this node knows, and what is to be thought of them: a pure machine with the rules
 * of Bitcoin Core's addrman (`addrman.cpp`, 2022). Times are wall time, in milliseconds since the epoch.
 *
 *   heard of → new (1,024 buckets of 64) → it was reached → tried (256 buckets of 64) → displaced → new
 *
 * Rules, and the attack that each answers:
 * - An address has few places, given by a secret key, its group and who told of it (`book-placement.ts`). Against
 *   filling the book: many addresses from few places in the network reach few buckets only.
 * - In `new`, who stands in a place keeps it, unless it is terrible (`book-entry.ts`) or has other places and the
 *   newcomer has none. Against pushing out what we know by telling more.
 * - An address told by many gets up to 8 places; after k of them the next one is granted with probability 2^-k.
 *   Against making one address likely by repeating it.
 * - Only `good`, a connection that this node made itself, moves an address to `tried`. Against filling `tried` by
 *   telling, or by connecting to us.
 * - Test before evict: who is good but finds its place in `tried` taken waits (10 at most; more stay in `new`) until
 *   the occupant has been tested. An occupant that was reached in the last 4 hours keeps its place; one that was tried
 *   in vain, or that could not be tested for 40 minutes, goes back to `new`. Against pushing out honest old peers.
 * - `select` tosses a coin between the tables, so that a full `new` does not outweigh `tried`, and draws buckets, so
 *   that a full bucket does not outweigh others. Against winning by number.
 * - A failure counts only when something has succeeded since the last that counted: an offline node does not wear out
 *   its book. That memory survives a restart, which in Bitcoin Core it does not.
 * - A host has few endpoints in the book (`book-hosts.ts`). Against filling it with the ports of one machine.
 * - Hearsay changes neither who is known to be at an endpoint nor who told of it first. With peer ids as keys that
 *   would need a rule (CometBFT has it); here an id counts only where it was proved.
 *
 * Also otherwise than in Bitcoin Core, an occupant's defeat is not recorded as a success of who takes its place, since
 * nothing was reached then, and addresses that cannot be read, or whose place is taken, are refused at once.
 */
import assert from 'node:assert/strict'
import type { Endpoint, Group, GroupRules } from '../core/endpoint.ts'
import type { RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import {
  ANSWER_MS,
  ATTEMPTS_MAX,
  ageMs,
  type BookEntry,
  type BookRecord,
  chanceOf,
  DAY_MS,
  type Entry,
  HOUR_MS,
  infoOf,
  isTerrible,
  MINUTE_MS,
  makeEntry,
  plausibleMs,
} from './book-entry.ts'
import { isShortText } from './book-placement.ts'
import { type BookChanges, NEW_BUCKETS_PER_ADDRESS, Shelves } from './book-shelves.ts'
import type { AddressInfo, AddressStats, Source } from './view.ts'

/** What somebody told us about an endpoint. */
export interface Heard {
  readonly endpoint: Endpoint
  readonly source: Source
  /** The group of who told it: at most 255 printable characters of ASCII. */
  readonly sourceGroup: Group
  /** When it was last seen, they say. What cannot be true, such as 0 or a time to come, becomes five days ago. */
  readonly lastHeardMs: number
  /** So much older it is made: 2 h for what somebody tells of others, nothing for what a peer tells of itself. */
  readonly penaltyMs?: number
}

export interface AddressBookOptions {
  /** 32 bytes that nobody else may know; not to be changed by the caller. */
  readonly key: Uint8Array
  readonly random: RandomSource
  /** `routable` exempts loopback and private addresses from the cap for one host, and spreads them over all buckets;
   * `all`, the default, does not. */
  readonly groupRules?: GroupRules
}

/** How many may wait for a place in `tried`. */
export const COLLISIONS_MAX = 10

/** An occupant of `tried` that was reached within this time keeps its place. */
const REPLACEMENT_MS = 4 * HOUR_MS
/** An occupant that could not be tested for so long loses its place. */
const TEST_WINDOW_MS = 40 * MINUTE_MS
/** How exact the time is that other nodes get to see of a connected peer. */
const CONNECTED_STEP_MS = 20 * MINUTE_MS

export class AddressBook {
  readonly key: Uint8Array
  readonly #random: RandomSource
  readonly #shelves: Shelves
  /** Good, but their places in `tried` are taken. */
  readonly #collisions = new Set<Entry>()
  /** When anything succeeded last. Not 0, so that the first attempt at each address counts. */
  #lastGoodMs = 1

  constructor({ key, random, groupRules = 'all' }: AddressBookOptions) {
    this.key = key
    this.#random = random
    this.#shelves = new Shelves(key, groupRules, entry => this.#collisions.delete(entry))
  }

  /** How many endpoints are known; at most 81,920. */
  get size(): number {
    return this.#shelves.size
  }

  has(endpoint: Endpoint): boolean {
    return this.#shelves.get(endpoint) !== undefined
  }

  get(endpoint: Endpoint): AddressInfo | undefined {
    const entry = this.#shelves.get(endpoint)
    return entry === undefined ? undefined : infoOf(entry)
  }

  /** @returns `refused`: its place is taken, its host has enough endpoints, or it is no endpoint at all */
  add(heard: Heard, nowMs: number): 'added' | 'known' | 'refused' {
    if (!isShortText(heard.sourceGroup)) return 'refused'
    const lastHeardMs = plausibleMs(heard.lastHeardMs, nowMs)
    const known = this.#shelves.get(heard.endpoint)
    if (known === undefined) return this.#create(heard, lastHeardMs, nowMs) ? 'added' : 'refused'
    this.#refresh(known, lastHeardMs, heard.penaltyMs ?? 0, nowMs)
    // Only news can bring another place.
    if (lastHeardMs > known.lastHeardMs) this.#spread(known, heard.sourceGroup, nowMs)
    return 'known'
  }

  /** This node dials an endpoint. `counted`: a failure says something, since the node is online. */
  attempt(endpoint: Endpoint, counted: boolean, nowMs: number): void {
    const entry = this.#shelves.get(endpoint)
    if (entry === undefined) return
    entry.lastAttemptMs = nowMs
    if (counted && ageMs(entry.lastCountedMs, nowMs) > ageMs(this.#lastGoodMs, nowMs)) {
      entry.lastCountedMs = nowMs
      entry.attempts = Math.min(entry.attempts + 1, ATTEMPTS_MAX)
    }
    this.#shelves.touch(entry)
  }

  /** This node has reached an endpoint, and `peer` has proved its id there. One that is not in the book stays out. */
  good(endpoint: Endpoint, peer: PeerId, nowMs: number): void {
    this.#lastGoodMs = nowMs
    const entry = this.#shelves.get(endpoint)
    if (entry === undefined) return
    entry.peer = peer
    entry.lastSuccessMs = nowMs
    entry.lastAttemptMs = nowMs
    entry.attempts = 0
    this.#shelves.touch(entry)
    if (entry.isTried || !this.#mayBeTried(entry)) return
    if (this.#shelves.triedOccupant(entry) === undefined) this.#promote(entry)
    else if (this.#collisions.size < COLLISIONS_MAX) this.#collisions.add(entry)
  }

  /**
   * A peer that is, or was until now, connected at an endpoint is alive. Kept to 20 minutes: others get to see the
   * time, and must not learn from it who is connected.
   */
  heard(endpoint: Endpoint, nowMs: number): void {
    const entry = this.#shelves.get(endpoint)
    if (entry === undefined || ageMs(entry.lastHeardMs, nowMs) <= CONNECTED_STEP_MS) return
    entry.lastHeardMs = nowMs
    this.#shelves.touch(entry)
  }

  /** Forgets an endpoint: banned, of another network, or our own. @returns whether it was known */
  remove(endpoint: Endpoint): boolean {
    const entry = this.#shelves.get(endpoint)
    if (entry === undefined) return false
    this.#shelves.remove(entry)
    return true
  }

  /** An endpoint to dial; undefined when there is none. Ends after some 45 draws, also if nothing is worth much. */
  select({ newOnly = false }: { newOnly?: boolean }, nowMs: number): AddressInfo | undefined {
    const isNewEmpty = this.#shelves.sizeOf('new') === 0
    const isTriedEmpty = newOnly || this.#shelves.sizeOf('tried') === 0
    if (isNewEmpty && isTriedEmpty) return undefined
    const isTried = !isTriedEmpty && (isNewEmpty || this.#random() < 0.5)
    // What is refused makes the next one more likely, so that the least chance there is comes to 1 in the end.
    for (let factor = 1; ; factor *= 1.2) {
      const entry = this.#shelves.random(isTried ? 'tried' : 'new', this.#random)
      if (this.#random() < factor * chanceOf(entry, nowMs)) return infoOf(entry)
    }
  }

  /** An occupant of `tried` whose place another waits for: to be dialled, then `resolveCollisions`. */
  selectCollision(nowMs: number): AddressInfo | undefined {
    const occupants = [...this.#collisions].flatMap(entry => this.#shelves.triedOccupant(entry) ?? [])
    // The answer of one that was dialled a moment ago is still to come.
    const untested = occupants.filter(entry => ageMs(entry.lastAttemptMs, nowMs) > ANSWER_MS)
    const entry = untested[Math.floor(this.#random() * untested.length)]
    return entry === undefined ? undefined : infoOf(entry)
  }

  /** Decides what the tests of occupants have brought so far. To be called now and then. */
  resolveCollisions(nowMs: number): void {
    for (const entry of [...this.#collisions]) {
      // One that was decided before in this round may have pushed it out.
      if (!this.#collisions.has(entry)) continue
      const verdict = this.#verdictOn(entry, nowMs)
      if (verdict === 'wait') continue
      this.#collisions.delete(entry)
      if (verdict === 'replace' && this.#mayBeTried(entry)) this.#promote(entry)
    }
  }

  /** What this node itself has reached since a time, and what is not terrible now: fit to be passed on. */
  reached(sinceMs: number, nowMs: number): AddressInfo[] {
    const found: AddressInfo[] = []
    for (const entry of this.#shelves.entries()) {
      const isReached = entry.lastSuccessMs > 0 && ageMs(entry.lastSuccessMs, nowMs) <= nowMs - sinceMs
      if (isReached && !isTerrible(entry, nowMs)) found.push(infoOf(entry))
    }
    return found
  }

  *entries(): IterableIterator<BookEntry> {
    for (const entry of this.#shelves.entries()) yield savedForm(entry)
  }

  /** One entry as it is to be saved. */
  entry(endpoint: Endpoint): BookEntry | undefined {
    const entry = this.#shelves.get(endpoint)
    return entry === undefined ? undefined : savedForm(entry)
  }

  stats(): AddressStats {
    const bySource: Record<Source, number> = {
      dns: 0,
      bootstrap: 0,
      exchange: 0,
      hello: 0,
      dht: 0,
      manual: 0,
    }
    for (const { source } of this.#shelves.entries()) bySource[source]++
    return {
      newAddresses: this.#shelves.sizeOf('new'),
      triedAddresses: this.#shelves.sizeOf('tried'),
      newBuckets: this.#shelves.countsOf('new'),
      triedBuckets: this.#shelves.countsOf('tried'),
      bySource,
    }
  }

  /** What changed since the last call. Without anybody who calls it, it takes no more memory than the book. */
  takeChanges(): BookChanges {
    return this.#shelves.takeChanges()
  }

  /**
   * Puts a saved entry back into exactly the places that it had, those of them that are free. For a book that is being
   * loaded, before anything else is done with it.
   * @returns whether it has all its places, some, or none and is not in the book
   */
  restore(record: BookRecord): 'whole' | 'part' | 'lost' {
    const entry = makeEntry(record)
    if (entry === undefined || this.has(record.endpoint)) return 'lost'
    if (this.#shelves.isHostFull(record.isTried ? 'tried' : 'new', entry)) return 'lost'
    const isWhole = record.isTried ? this.#restoreTried(entry) : this.#restoreNew(entry, record.newBuckets)
    if (!this.has(record.endpoint)) return 'lost'
    this.#lastGoodMs = Math.max(this.#lastGoodMs, entry.lastSuccessMs)
    if (isWhole) this.#shelves.markSaved(entry)
    entry.isSaved = true
    return isWhole ? 'whole' : 'part'
  }

  #restoreTried(entry: Entry): boolean {
    if (this.#shelves.triedOccupant(entry) !== undefined) return false
    this.#shelves.putTried(entry)
    return true
  }

  #restoreNew(entry: Entry, buckets: readonly number[]): boolean {
    const free = buckets.filter(bucket => this.#shelves.newOccupant(entry, bucket) === undefined)
    for (const bucket of free) this.#shelves.putNew(entry, bucket)
    return free.length === buckets.length
  }

  #create(heard: Heard, lastHeardMs: number, nowMs: number): boolean {
    const entry = makeEntry({
      ...heard,
      peer: undefined,
      lastHeardMs: Math.max(0, lastHeardMs - (heard.penaltyMs ?? 0)),
      lastAttemptMs: 0,
      lastCountedMs: 0,
      lastSuccessMs: 0,
      attempts: 0,
    })
    if (entry === undefined || this.#shelves.isHostFull('new', entry)) return false
    const bucket = this.#shelves.newBucketFor(entry, heard.sourceGroup)
    const occupant = this.#shelves.newOccupant(entry, bucket)
    const isFree = occupant === undefined || occupant.newBuckets.length > 1 || isTerrible(occupant, nowMs)
    if (isFree) this.#shelves.putNew(entry, bucket)
    return isFree
  }

  /** Hourly for what was seen today, else daily: times that change little are not worth a write. */
  #refresh(entry: Entry, lastHeardMs: number, penaltyMs: number, nowMs: number): void {
    const stepMs = nowMs - lastHeardMs < DAY_MS ? HOUR_MS : DAY_MS
    if (entry.lastHeardMs >= lastHeardMs - stepMs - penaltyMs) return
    entry.lastHeardMs = Math.max(0, lastHeardMs - penaltyMs)
    this.#shelves.touch(entry)
  }

  /** Perhaps gives an entry one more place in `new`, for one more who told of it. */
  #spread(entry: Entry, sourceGroup: Group, nowMs: number): void {
    const places = entry.newBuckets.length
    if (entry.isTried || places >= NEW_BUCKETS_PER_ADDRESS || this.#random() * 2 ** places >= 1) return
    const bucket = this.#shelves.newBucketFor(entry, sourceGroup)
    if (entry.newBuckets.includes(bucket)) return
    const occupant = this.#shelves.newOccupant(entry, bucket)
    if (occupant === undefined || isTerrible(occupant, nowMs)) this.#shelves.putNew(entry, bucket)
  }

  /** A host that has all its places in `tried` may still put one of its endpoints in place of another. */
  #mayBeTried(entry: Entry): boolean {
    const occupant = this.#shelves.triedOccupant(entry)
    return occupant?.host === entry.host || !this.#shelves.isHostFull('tried', entry)
  }

  #promote(entry: Entry): void {
    this.#shelves.putTried(entry)
    this.#collisions.delete(entry)
  }

  #verdictOn(entry: Entry, nowMs: number): 'replace' | 'keep' | 'wait' {
    const occupant = this.#shelves.triedOccupant(entry)
    if (occupant === undefined) return 'replace'
    if (ageMs(occupant.lastSuccessMs, nowMs) < REPLACEMENT_MS) return 'keep'
    const attemptAgeMs = ageMs(occupant.lastAttemptMs, nowMs)
    if (attemptAgeMs < REPLACEMENT_MS) return attemptAgeMs > ANSWER_MS ? 'replace' : 'wait'
    return ageMs(entry.lastSuccessMs, nowMs) > TEST_WINDOW_MS ? 'replace' : 'wait'
  }

  /** @throws when an invariant does not hold */
  check(): void {
    this.#shelves.check()
    assert.ok(this.#collisions.size <= COLLISIONS_MAX)
    for (const entry of this.#collisions) {
      assert.equal(this.#shelves.get(entry.endpoint), entry)
      assert.ok(!entry.isTried)
    }
    for (const entry of this.#shelves.entries()) {
      assert.ok(!entry.isTried || entry.lastSuccessMs > 0, `${entry.endpoint} is tried and was never reached`)
    }
  }
}

function savedForm(entry: Entry): BookEntry {
  return { ...infoOf(entry), lastCountedMs: entry.lastCountedMs, newBuckets: [...entry.newBuckets] }
}
