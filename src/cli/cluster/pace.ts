/**
 * When the next message is due.
 *
 * Messages leave on a fixed timetable, not a fixed time after the one before: a slow moment makes the next ones
 * late, and lateness must not lower the rate that was asked for (it would hide exactly the stalls that a
 * measurement is to show). What is more than `BACKLOG_MAX_MS` behind is skipped, so that a node which was
 * suspended does not answer with a burst.
 */

/** How far behind its timetable a node catches up. */
export const BACKLOG_MAX_MS = 1_000

export class Pace {
  readonly #ratePerMs: number
  readonly #firstMs: number
  /** Messages of the timetable that are behind us, sent or skipped. */
  #past = 0
  #skipped = 0

  /** `ratePerS` above 0. The first message is due `phase` (0 to 1) of an interval after `startMs`. */
  constructor(ratePerS: number, phase: number, startMs: number) {
    this.#ratePerMs = ratePerS / 1_000
    this.#firstMs = startMs + phase / this.#ratePerMs
  }

  /** How many messages are due now; they count as sent. */
  take(nowMs: number): number {
    // From the first message on, not from the last: rounding errors would add up to a wrong rate.
    const due = Math.floor((nowMs - this.#firstMs) * this.#ratePerMs) + 1 - this.#past
    if (due <= 0) return 0
    const taken = Math.min(due, Math.max(1, Math.floor(BACKLOG_MAX_MS * this.#ratePerMs)))
    this.#past += due
    this.#skipped += due - taken
    return taken
  }

  /** Milliseconds until the next message is due, at least 0. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#firstMs + this.#past / this.#ratePerMs - nowMs)
  }

  /** Messages that were never sent because the node was too far behind. */
  get skipped(): number {
    return this.#skipped
  }
}
