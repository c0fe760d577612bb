/**
 * The shelves of the address book: its entries and the places where they stand, kept true to each other. It is told
 * what to put where; when to do it is the book's business (`address-book.ts`). Like it, a pure machine.
 *
 * Rules:
 * - An entry stands in 1 to 8 buckets of `new`, or in one of `tried`; one that stands nowhere is forgotten.
 * - In a bucket it stands in its own place or nowhere (`book-placement.ts`).
 * - What changed since the last `takeChanges` is remembered by name, so at most as much as was in the book then and is
 *   in it now: what came and went in between has left no trace.
 */
import assert from 'node:assert/strict'
import type { Endpoint, Group, GroupRules } from '../core/endpoint.ts'
import type { RandomSource } from '../core/ports.ts'
import type { Entry } from './book-entry.ts'
import { HostCounts } from './book-hosts.ts'
import { BUCKET_PLACES, NEW_BUCKETS, Placement, type Table, TRIED_BUCKETS } from './book-placement.ts'
import { BookTable } from './book-table.ts'

/** How many buckets of `new` may hold one address. */
export const NEW_BUCKETS_PER_ADDRESS = 8

/** How many entries there can be. */
export const ENTRIES_MAX = (NEW_BUCKETS + TRIED_BUCKETS) * BUCKET_PLACES

export interface BookChanges {
  /** Entries to be saved. */
  readonly put: Endpoint[]
  /** Entries that were to be saved by an earlier call, and are in the book no more. */
  readonly removed: Endpoint[]
}

export class Shelves {
  readonly #entries = new Map<Endpoint, Entry>()
  readonly #new = new BookTable<Entry>(NEW_BUCKETS)
  readonly #tried = new BookTable<Entry>(TRIED_BUCKETS)
  readonly #hosts: HostCounts
  readonly #placement: Placement
  readonly #onForget: (entry: Entry) => void
  readonly #changed = new Set<Endpoint>()
  readonly #removed = new Set<Endpoint>()

  /** @param onForget called with each entry that loses its last place */
  constructor(key: Uint8Array, groupRules: GroupRules, onForget: (entry: Entry) => void) {
    this.#placement = new Placement(key)
    this.#hosts = new HostCounts(groupRules)
    this.#onForget = onForget
  }

  get size(): number {
    return this.#entries.size
  }

  /** How many entries are in each table. */
  sizeOf(table: Table): number {
    return table === 'tried' ? this.#tried.size : this.#entries.size - this.#tried.size
  }

  get(endpoint: Endpoint): Entry | undefined {
    return this.#entries.get(endpoint)
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  countsOf(table: Table): number[] {
    return (table === 'new' ? this.#new : this.#tried).counts()
  }

  random(table: Table, random: RandomSource): Entry {
    return (table === 'new' ? this.#new : this.#tried).random(random)
  }

  /** Whether its host has all the entries that it may have in a table (`book-hosts.ts`). */
  isHostFull(table: Table, entry: Entry): boolean {
    return this.#hosts.isFull(table, entry)
  }

  /** The bucket of `new` in which what a source group tells of the entry belongs. */
  newBucketFor(entry: Entry, sourceGroup: Group): number {
    return this.#placement.newBucket(this.#placeGroup(entry), sourceGroup)
  }

  /** Who stands in the entry's place in a bucket of `new`; the entry itself if it does. */
  newOccupant(entry: Entry, bucket: number): Entry | undefined {
    return this.#new.at(bucket, this.#newPlace(entry, bucket))
  }

  /** Who stands in the entry's place in `tried`; the entry itself if it does. */
  triedOccupant(entry: Entry): Entry | undefined {
    return this.#tried.at(...this.#triedPlace(entry))
  }

  /** Puts an entry into a bucket of `new`; who stands in its place there leaves. */
  putNew(entry: Entry, bucket: number): void {
    assert.ok(!entry.isTried && entry.newBuckets.length < NEW_BUCKETS_PER_ADDRESS)
    const occupant = this.newOccupant(entry, bucket)
    assert.notEqual(occupant, entry)
    if (occupant !== undefined) this.#leaveNew(occupant, bucket)
    if (entry.newBuckets.length === 0) this.#enter('new', entry)
    this.#new.put(bucket, this.#newPlace(entry, bucket), entry)
    entry.newBuckets.push(bucket)
    this.touch(entry)
  }

  /**
   * Moves an entry to its place in `tried`. Who stands there goes back to `new`, to the place that its source gives it,
   * and who stands in that one leaves. One whose host has all its places in `new` is forgotten.
   */
  putTried(entry: Entry): void {
    assert.ok(!entry.isTried)
    for (const bucket of entry.newBuckets) this.#new.clear(bucket, this.#newPlace(entry, bucket))
    if (entry.newBuckets.length > 0) this.#hosts.remove('new', entry)
    entry.newBuckets = []
    const occupant = this.triedOccupant(entry)
    if (occupant !== undefined) {
      this.#leaveTried(occupant)
      if (this.#hosts.isFull('new', occupant)) this.#forget(occupant)
      else this.putNew(occupant, this.newBucketFor(occupant, occupant.sourceGroup))
    }
    entry.isTried = true
    this.#tried.put(...this.#triedPlace(entry), entry)
    this.#enter('tried', entry)
    this.touch(entry)
  }

  remove(entry: Entry): void {
    if (entry.isTried) {
      this.#leaveTried(entry)
      this.#forget(entry)
    } else for (const bucket of [...entry.newBuckets]) this.#leaveNew(entry, bucket)
  }

  /** An entry's facts have changed. */
  touch(entry: Entry): void {
    this.#changed.add(entry.endpoint)
  }

  /** An entry stands as the store has it: no change. */
  markSaved(entry: Entry): void {
    entry.isSaved = true
    this.#changed.delete(entry.endpoint)
  }

  takeChanges(): BookChanges {
    const changes = { put: [...this.#changed], removed: [...this.#removed] }
    for (const endpoint of changes.put) {
      const entry = this.#entries.get(endpoint)
      if (entry !== undefined) entry.isSaved = true
    }
    this.#changed.clear()
    this.#removed.clear()
    return changes
  }

  #newPlace(entry: Entry, bucket: number): number {
    return this.#placement.place('new', bucket, entry.endpoint)
  }

  #triedPlace(entry: Entry): [bucket: number, place: number] {
    const bucket = this.#placement.triedBucket(entry.endpoint, this.#placeGroup(entry))
    return [bucket, this.#placement.place('tried', bucket, entry.endpoint)]
  }

  /** Nodes of one private network are one group by their addresses, and would all have to share one bucket. */
  #placeGroup({ endpoint, group }: Entry): Group {
    return this.#hosts.isRuled(endpoint) ? group : endpoint
  }

  #enter(table: Table, entry: Entry): void {
    this.#hosts.add(table, entry)
    this.#entries.set(entry.endpoint, entry)
    // The store still has the record of one that was here before.
    if (this.#removed.delete(entry.endpoint)) entry.isSaved = true
  }

  #leaveNew(entry: Entry, bucket: number): void {
    this.#new.clear(bucket, this.#newPlace(entry, bucket))
    entry.newBuckets = entry.newBuckets.filter(other => other !== bucket)
    this.touch(entry)
    if (entry.newBuckets.length > 0) return
    this.#hosts.remove('new', entry)
    this.#forget(entry)
  }

  #leaveTried(entry: Entry): void {
    this.#tried.clear(...this.#triedPlace(entry))
    this.#hosts.remove('tried', entry)
    entry.isTried = false
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.endpoint)
    this.#changed.delete(entry.endpoint)
    if (entry.isSaved) this.#removed.add(entry.endpoint)
    this.#onForget(entry)
  }

  /** @throws when an entry does not stand where it must, or something else does */
  check(): void {
    this.#new.check()
    this.#tried.check()
    let references = 0
    const hosts = new HostCounts('all')
    for (const [endpoint, entry] of this.#entries) {
      assert.equal(entry.endpoint, endpoint)
      assert.equal(
        new Set(entry.newBuckets).size,
        entry.newBuckets.length,
        `${endpoint} is twice in a bucket`,
      )
      assert.ok(entry.newBuckets.length <= NEW_BUCKETS_PER_ADDRESS)
      assert.equal(
        entry.isTried,
        entry.newBuckets.length === 0,
        `${endpoint} stands nowhere, or in both tables`,
      )
      if (entry.isTried) assert.equal(this.triedOccupant(entry), entry, `${endpoint} is not in its place`)
      for (const bucket of entry.newBuckets) {
        assert.equal(this.newOccupant(entry, bucket), entry, `${endpoint} is not in its place`)
      }
      const table = entry.isTried ? 'tried' : 'new'
      hosts.add(table, entry)
      assert.ok(!this.#hosts.isOver(table, entry), `the host of ${endpoint} has too many`)
      references += entry.newBuckets.length
    }
    // All entries are in their places, so as many as there are taken places means that nobody else is.
    assert.equal(references, this.#new.size)
    this.#checkCounts(hosts)
    for (const endpoint of this.#changed) assert.ok(this.#entries.has(endpoint))
    for (const endpoint of this.#removed) assert.ok(!this.#entries.has(endpoint))
  }

  #checkCounts(hosts: HostCounts): void {
    let tried = 0
    for (const entry of this.#entries.values()) {
      if (entry.isTried) tried++
      for (const table of ['new', 'tried'] as const) {
        assert.equal(this.#hosts.of(table, entry), hosts.of(table, entry))
      }
    }
    assert.equal(tried, this.#tried.size)
    assert.equal(hosts.size, this.#hosts.size)
  }
}
