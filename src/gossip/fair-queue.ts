/**
 * A bounded queue that serves peers in turn, so that a peer which sends much delays and displaces only itself.
 *
 * Rules:
 * - First in, first out per peer; across peers one item each in turn.
 * - When the queue is over its count or its bytes, the peer that holds most of what is over (bytes, if both are;
 *   of equals the one whose turn is next) loses its oldest item, until all fits. The newest items are kept: in a
 *   ledger an old transaction is the likelier one to be known, included or outdated. A single item larger than
 *   the whole queue is dropped itself, and nothing else for it.
 * - Choosing whom to cut looks at every peer that has items, so it costs time in proportion to connected peers,
 *   and only while the queue is full.
 */
import assert from 'node:assert/strict'
import type { PeerId } from '../core/types.ts'

export interface FairQueueOptions {
  readonly maxItems: number
  readonly maxBytes: number
}

interface Item<T> {
  readonly value: T
  readonly sizeBytes: number
}

interface Lane<T> {
  /** Places before `head` were taken and hold nothing; they are cut off in bulk, so that taking is cheap. */
  items: (Item<T> | undefined)[]
  head: number
  bytes: number
}

export class FairQueue<T> {
  readonly #options: FairQueueOptions
  /** In the order of turns: the first lane is served next. */
  readonly #lanes = new Map<PeerId, Lane<T>>()
  #count = 0
  #bytes = 0

  constructor(options: FairQueueOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Adds an item and returns what had to go for it, oldest first; it may be the item itself. */
  push(peer: PeerId, value: T, sizeBytes: number): T[] {
    if (sizeBytes > this.#options.maxBytes) return [value]
    let lane = this.#lanes.get(peer)
    if (lane === undefined) {
      lane = { items: [], head: 0, bytes: 0 }
      this.#lanes.set(peer, lane)
    }
    lane.items.push({ value, sizeBytes })
    lane.bytes += sizeBytes
    this.#count++
    this.#bytes += sizeBytes
    return this.#cut()
  }

  /** The next item, or undefined when there is none. */
  shift(): T | undefined {
    for (const [peer, lane] of this.#lanes) {
      // Its turn is over: to the end of the line, if it has more.
      this.#lanes.delete(peer)
      const value = this.#take(lane)
      if (lane.items.length > lane.head) this.#lanes.set(peer, lane)
      return value
    }
    return undefined
  }

  /** Empties the queue; what was in it, in the order in which it would have been served. */
  drain(): T[] {
    const all: T[] = []
    for (let value = this.shift(); value !== undefined; value = this.shift()) all.push(value)
    return all
  }

  check(): void {
    const lanes = [...this.#lanes.values()]
    const waiting = lanes.flatMap(lane => lane.items.slice(lane.head))
    assert.equal(this.#count, waiting.length)
    assert.equal(
      this.#bytes,
      waiting.reduce((sum, item) => sum + (item?.sizeBytes ?? 0), 0),
    )
    assert.ok(this.#count <= this.#options.maxItems && this.#bytes <= this.#options.maxBytes)
    assert.ok(
      lanes.every(lane => lane.items.length > lane.head),
      'a lane without items is in the line',
    )
  }

  #cut(): T[] {
    const dropped: T[] = []
    while (this.#count > this.#options.maxItems || this.#bytes > this.#options.maxBytes) {
      const [peer, lane] = this.#fullest(this.#bytes > this.#options.maxBytes)
      dropped.push(this.#take(lane))
      if (lane.items.length === lane.head) this.#lanes.delete(peer)
    }
    return dropped
  }

  #fullest(byBytes: boolean): [PeerId, Lane<T>] {
    let fullest: [PeerId, Lane<T>] | undefined
    let most = -1
    for (const entry of this.#lanes) {
      const lane = entry[1]
      const load = byBytes ? lane.bytes : lane.items.length - lane.head
      if (load > most) {
        most = load
        fullest = entry
      }
    }
    assert.ok(fullest !== undefined, 'an empty queue is over its bound')
    return fullest
  }

  #take(lane: Lane<T>): T {
    const item = lane.items[lane.head]
    assert.ok(item !== undefined)
    lane.items[lane.head] = undefined
    lane.head++
    if (lane.head > 64 && lane.head * 2 > lane.items.length) {
      lane.items = lane.items.slice(lane.head)
      lane.head = 0
    }
    lane.bytes -= item.sizeBytes
    this.#count--
    this.#bytes -= item.sizeBytes
    return item.value
  }
}
