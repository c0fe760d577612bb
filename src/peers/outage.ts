/**
 * The outage: a pure machine that notices when not this or that peer but the network itself is away.
 *
 * Rules:
 * - After `STREAK` dials in a row that nobody answered, failures no longer count against their addresses, until
 *   somebody answers: an hour offline must not age the book. Why not from the first: half of an honest book is stale,
 *   and a flood of made-up addresses would never be found out.
 * - If nobody is connected then, dialling pauses, from `minMs` doubling to `maxMs`, spread by a quarter. A
 *   failure during a pause does not lengthen it: several dials are under way at once.
 * - Any answer ends it, a refusal too, and so does a peer that comes in: then the network is there.
 */
import assert from 'node:assert/strict'
import type { RandomSource } from '../core/ports.ts'

export interface OutageOptions {
  readonly minMs: number
  readonly maxMs: number
}

/** With six of seven addresses stale, one run of dials in twelve is of this length without any outage. */
export const STREAK = 16

export class Outage {
  readonly #options: OutageOptions
  readonly #random: RandomSource
  #streak = 0
  #pauseMs: number
  #untilMs = Number.NEGATIVE_INFINITY

  constructor(options: OutageOptions, random: RandomSource) {
    assert.ok(options.minMs > 0 && options.minMs <= options.maxMs)
    this.#options = options
    this.#random = random
    this.#pauseMs = options.minMs
  }

  /** Whether the next failure is the fault of its address. */
  get isCounting(): boolean {
    return this.#streak < STREAK
  }

  isPausing(nowMs: number): boolean {
    return nowMs < this.#untilMs
  }

  /**
   * A dial has failed.
   * @param isAlone nobody is connected
   * @returns whether a pause begins
   */
  failed(isAlone: boolean, nowMs: number): boolean {
    this.#streak = Math.min(STREAK, this.#streak + 1)
    if (!isAlone || this.isCounting || this.isPausing(nowMs)) return false
    this.#untilMs = nowMs + this.#pauseMs * (0.75 + this.#random() / 4)
    this.#pauseMs = Math.min(this.#options.maxMs, this.#pauseMs * 2)
    return true
  }

  answered(): void {
    this.#streak = 0
    this.#pauseMs = this.#options.minMs
    this.#untilMs = Number.NEGATIVE_INFINITY
  }

  check(): void {
    assert.ok(this.#streak >= 0 && this.#streak <= STREAK)
    assert.ok(this.#pauseMs >= this.#options.minMs && this.#pauseMs <= this.#options.maxMs)
  }
}
