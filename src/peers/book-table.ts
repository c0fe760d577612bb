/**
 * One table of the address book: buckets of 64 places, each place empty or taken. A pure data structure.
 *
 * A bucket takes memory only while it holds something: most nodes know a few hundred addresses, and a simulation has
 * hundreds of nodes, while all places of both tables together are 81,920.
 */
import assert from 'node:assert/strict'
import type { RandomSource } from '../core/ports.ts'
import { BUCKET_PLACES } from './book-placement.ts'

export class BookTable<T> {
  readonly #buckets: ((T | undefined)[] | undefined)[]
  /** How many places of a bucket are taken. */
  readonly #counts: Uint8Array
  #inUse = 0
  #size = 0

  constructor(buckets: number) {
    this.#buckets = new Array(buckets).fill(undefined)
    this.#counts = new Uint8Array(buckets)
  }

  /** How many places are taken. */
  get size(): number {
    return this.#size
  }

  at(bucket: number, place: number): T | undefined {
    return this.#buckets[bucket]?.[place]
  }

  /** The place must be empty. */
  put(bucket: number, place: number, item: T): void {
    assert.ok(bucket < this.#buckets.length && place < BUCKET_PLACES)
    assert.equal(this.at(bucket, place), undefined)
    const places = this.#buckets[bucket] ?? new Array<T | undefined>(BUCKET_PLACES).fill(undefined)
    this.#buckets[bucket] = places
    places[place] = item
    if (this.#count(bucket, 1) === 1) this.#inUse++
  }

  /** The place must be taken. */
  clear(bucket: number, place: number): void {
    const places = this.#buckets[bucket]
    assert.ok(places?.[place] !== undefined)
    places[place] = undefined
    if (this.#count(bucket, -1) > 0) return
    this.#buckets[bucket] = undefined
    this.#inUse--
  }

  /** How many places are taken, for each bucket. */
  counts(): number[] {
    return [...this.#counts]
  }

  /**
   * What stands first from a random place on, round about, in a random bucket that is not empty. Two numbers are drawn.
   * The table must not be empty. Bitcoin Core draws among all buckets until one is not empty: the same distribution,
   * but without end in a book that has one address.
   */
  random(random: RandomSource): T {
    assert.ok(this.#size > 0)
    const places = this.#buckets[this.#bucketInUse(Math.floor(random() * this.#inUse))] ?? []
    const start = Math.floor(random() * BUCKET_PLACES)
    for (let step = 0; step < BUCKET_PLACES; step++) {
      const item = places[(start + step) % BUCKET_PLACES]
      if (item !== undefined) return item
    }
    assert.fail('a bucket in use is empty')
  }

  /** The n-th bucket that is not empty, from 0. By number, not by age: what is drawn depends on the places alone. */
  #bucketInUse(n: number): number {
    let left = n
    return this.#counts.findIndex(count => count > 0 && left-- === 0)
  }

  #count(bucket: number, by: 1 | -1): number {
    const count = (this.#counts[bucket] ?? 0) + by
    this.#counts[bucket] = count
    this.#size += by
    return count
  }

  /** @throws when the counts are not those of the places */
  check(): void {
    const counts = this.#buckets.map(places => (places ?? []).filter(item => item !== undefined).length)
    assert.deepEqual(counts, this.counts())
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      this.#size,
    )
    assert.equal(counts.filter(count => count > 0).length, this.#inUse)
  }
}
