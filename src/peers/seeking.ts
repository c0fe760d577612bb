/**
 * When to ask other sources for addresses (DNS seeds, bootstrap): a pure machine.
 *
 * Rules:
 * - Who wants addresses asks at once, then after pauses that double from `PAUSE_MIN_MS` to `PERIOD_MS`: seeds belong to
 *   everyone, and those who run them must not be flooded by a network that is smaller than its targets.
 * - The pauses start small again when there is nothing to wish for, and when the last peer was lost.
 * - It is asked every `PERIOD_MS` in any case. Two islands that have all the peers they want cannot see that they are
 *   two; only somebody outside can.
 * - All is spread by a quarter: nodes that were started together must not ask together for ever.
 */
import type { RandomSource } from '../core/ports.ts'

export const SEEK_PAUSE_MIN_MS = 15_000
export const SEEK_PERIOD_MS = 1_800_000

export class Seeking {
  readonly #random: RandomSource
  #isWanted = false
  /** From one question to the next while there is a wish. */
  #pauseMs = SEEK_PAUSE_MIN_MS
  #asked: { readonly atMs: number; readonly spread: number } | undefined
  /** When to ask in any case; set by the first look at the clock. */
  #latestMs: number | undefined

  constructor(random: RandomSource) {
    this.#random = random
  }

  /** There is nothing to dial. */
  want(): void {
    this.#isWanted = true
  }

  /** All places are taken. */
  content(): void {
    this.#isWanted = false
    this.#pauseMs = SEEK_PAUSE_MIN_MS
  }

  /** The last peer is lost. */
  urge(): void {
    this.#pauseMs = SEEK_PAUSE_MIN_MS
  }

  /** Whether to ask now; then it has been asked, and the wish is over. */
  isDue(nowMs: number): boolean {
    this.#latestMs ??= nowMs + this.#later()
    const isRipe = this.#asked === undefined || nowMs >= this.#asked.atMs + this.#pauseMs * this.#asked.spread
    if (!(this.#isWanted && isRipe) && nowMs < this.#latestMs) return false
    if (this.#isWanted && this.#asked !== undefined)
      this.#pauseMs = Math.min(SEEK_PERIOD_MS, this.#pauseMs * 2)
    this.#isWanted = false
    this.#asked = { atMs: nowMs, spread: 0.75 + this.#random() / 4 }
    this.#latestMs = nowMs + this.#later()
    return true
  }

  #later(): number {
    return SEEK_PERIOD_MS * (0.75 + this.#random() / 4)
  }
}
