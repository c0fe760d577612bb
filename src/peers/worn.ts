/**
 * What rotation has tried lately: a pure machine's bounded memory of groups (or endpoints, where groups have no rules).
 *
 * At most `WORN_MAX` are remembered; beyond that the oldest is forgotten, which lets rotation try it again too early.
 * In the time for which they are kept, rotation uses about 60.
 */
import assert from 'node:assert/strict'

/** How long a group is left alone. */
export const WORN_MS = 600_000

export const WORN_MAX = 1_000

export class Worn {
  /** Oldest first. */
  readonly #untilMs = new Map<string, number>()

  has(key: string, nowMs: number): boolean {
    return (this.#untilMs.get(key) ?? nowMs) > nowMs
  }

  add(key: string, nowMs: number): void {
    this.#untilMs.delete(key)
    this.#untilMs.set(key, nowMs + WORN_MS)
    for (const [oldest, untilMs] of this.#untilMs) {
      if (untilMs > nowMs && this.#untilMs.size <= WORN_MAX) break
      this.#untilMs.delete(oldest)
    }
  }

  check(): void {
    assert.ok(this.#untilMs.size <= WORN_MAX)
  }
}
