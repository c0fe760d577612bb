/**
 * Which message ids have been judged: a bounded memory of ids in two generations.
 *
 * Rules:
 * - An id is remembered for at least `ttlMs` and at most twice that, unless more than `max` ids come in that
 *   time: then the oldest half is forgotten at once. Why two generations: forgetting is dropping one Set, with
 *   no timestamp per id and no sweep that holds the thread.
 * - `has` never forgets and never extends: an id that keeps coming back is still forgotten in time.
 *
 * A forgotten id can be judged again. That is harmless (a message is judged twice in ten minutes), whereas an
 * unbounded memory is not.
 */
import type { MessageKey } from './types.ts'

export interface SeenOptions {
  readonly ttlMs: number
  /** At most this many ids are kept, about 100 bytes each. */
  readonly max: number
}

export class Seen {
  readonly #options: SeenOptions
  #young = new Set<MessageKey>()
  #old = new Set<MessageKey>()
  #youngSinceMs = Number.NEGATIVE_INFINITY

  constructor(options: SeenOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  has(key: MessageKey): boolean {
    return this.#young.has(key) || this.#old.has(key)
  }

  /** Remembers an id from now on; one that is known already keeps its age. */
  add(key: MessageKey, nowMs: number): void {
    this.#turnOver(nowMs)
    if (!this.#old.has(key)) this.#young.add(key)
  }

  #turnOver(nowMs: number): void {
    const ageMs = nowMs - this.#youngSinceMs
    const { ttlMs, max } = this.#options
    if (this.#young.size < Math.ceil(max / 2) && ageMs < ttlMs) return
    // After a silence of two lifetimes the young ids are as old as the old ones.
    this.#old = ageMs < 2 * ttlMs ? this.#young : new Set()
    this.#young = new Set()
    this.#youngSinceMs = nowMs
  }
}
