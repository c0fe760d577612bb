/**
 * Which message ids have been judged: a bounded memory of ids in two generations.
 *
 * Rules:
 * - An id is remembered for at least `ttlMs` and at most twice that, unless more than half of `max` new ids come
 *   in that time: then those before them may be forgotten at once. Why two generations: forgetting is dropping
 *   one Set, with no timestamp per id and no sweep that holds the thread.
 * - Looking never extends, and neither does adding an id that is known: one that keeps coming back is still
 *   forgotten in time, also when no other id comes.
 *
 * A forgotten id can be judged again. That is harmless (a message is judged twice in ten minutes), whereas an
 * unbounded memory is not.
 */
import assert from 'node:assert/strict'
import type { MessageKey } from './types.ts'

export interface SeenOptions {
  readonly ttlMs: number
  /** At most this many ids are kept, about 100 bytes each; at least 2. */
  readonly max: number
}

/** Ids that were added from `sinceMs` on, for less than one lifetime. */
interface Generation {
  readonly keys: Set<MessageKey>
  readonly sinceMs: number
}

export class Seen {
  readonly #options: SeenOptions
  #young: Generation = { keys: new Set(), sinceMs: Number.NEGATIVE_INFINITY }
  #old: Generation = { keys: new Set(), sinceMs: Number.NEGATIVE_INFINITY }

  constructor(options: SeenOptions) {
    assert.ok(options.ttlMs > 0 && options.max >= 2)
    this.#options = options
  }

  /** How many ids it may keep. */
  get max(): number {
    return this.#options.max
  }

  /** How many ids take memory, those included whose time is over but whose turn to go has not come. */
  get size(): number {
    return this.#young.keys.size + this.#old.keys.size
  }

  has(key: MessageKey, nowMs: number): boolean {
    return this.#holds(this.#young, key, nowMs) || this.#holds(this.#old, key, nowMs)
  }

  /** Remembers an id from now on; one that is known already keeps its age. */
  add(key: MessageKey, nowMs: number): void {
    if (this.has(key, nowMs)) return
    const isOver = nowMs - this.#young.sinceMs >= this.#options.ttlMs
    if (isOver || this.#young.keys.size >= Math.floor(this.#options.max / 2)) {
      this.#old = this.#young
      this.#young = { keys: new Set(), sinceMs: nowMs }
    }
    this.#young.keys.add(key)
  }

  /** Takes back `add`. */
  forget(key: MessageKey): void {
    this.#young.keys.delete(key)
    this.#old.keys.delete(key)
  }

  /** Every id of a generation is younger than it by less than one lifetime, so it is good for two. */
  #holds({ keys, sinceMs }: Generation, key: MessageKey, nowMs: number): boolean {
    return nowMs - sinceMs < 2 * this.#options.ttlMs && keys.has(key)
  }
}
