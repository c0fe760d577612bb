/**
 * How fast places are filled: a pure machine.
 *
 * Rules:
 * - A burst of `BURST` dials, then one each `SPACING_MS`. Refusals come in no time, and a book full of them must not
 *   become a flood.
 * - When there was nobody to dial we rest, for 250 ms, doubling to `REST_MAX_MS`; facts that change the answer (`wake`)
 *   end the rest, and so does finding somebody. A small network whose nodes are all connected costs one look into the
 *   book in 8 seconds.
 */
import { STREAK } from './outage.ts'

/** Enough to fill all places without waiting. */
export const BURST = STREAK
export const SPACING_MS = 500

const REST_MIN_MS = 250
export const REST_MAX_MS = 8_000

export class Pace {
  /** When the burst is whole again. */
  #wholeMs = Number.NEGATIVE_INFINITY
  #restMs = REST_MIN_MS
  #restUntilMs = Number.NEGATIVE_INFINITY

  allows(nowMs: number): boolean {
    return nowMs >= this.#restUntilMs && this.#wholeMs <= nowMs + (BURST - 1) * SPACING_MS
  }

  /** Somebody was found, and is dialled. */
  dialled(nowMs: number): void {
    this.#wholeMs = Math.max(this.#wholeMs, nowMs) + SPACING_MS
    this.#restMs = REST_MIN_MS
  }

  /** Nobody was found. */
  rest(nowMs: number): void {
    this.#restUntilMs = nowMs + this.#restMs
    this.#restMs = Math.min(REST_MAX_MS, this.#restMs * 2)
  }

  /** A place is free again: look at once. */
  wake(): void {
    this.#restMs = REST_MIN_MS
    this.#restUntilMs = Number.NEGATIVE_INFINITY
  }

  /** There are new addresses, or somebody who had dialled us is gone. Others can cause that: soon, not at once. */
  stir(nowMs: number): void {
    this.#restMs = REST_MIN_MS
    this.#restUntilMs = Math.min(this.#restUntilMs, nowMs + REST_MIN_MS)
  }
}
