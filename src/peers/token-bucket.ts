/**
 * A token bucket: a pure machine that says how much may pass, exactly.
 *
 * Rules:
 * - Time fills it, one token every `tokenMs`, up to `cap`. What is granted besides may fill it to twice that, but time
 *   adds nothing while it holds `cap` or more.
 * - It counts whole milliseconds, `tokenMs` of them to a token, so that no sum is ever rounded.
 */
import assert from 'node:assert/strict'

export interface TokenBucketOptions {
  readonly tokenMs: number
  readonly cap: number
}

export class TokenBucket {
  readonly #options: TokenBucketOptions
  /** Tokens times `tokenMs`. */
  #filled = 0
  #atMs: number

  /** Starts empty. */
  constructor(options: TokenBucketOptions, nowMs: number) {
    assert.ok(Number.isSafeInteger(options.tokenMs) && options.tokenMs > 0)
    assert.ok(Number.isSafeInteger(options.cap) && options.cap > 0)
    this.#options = options
    this.#atMs = Math.floor(nowMs)
  }

  /** Adds whole tokens. */
  grant(tokens: number, nowMs: number): void {
    assert.ok(Number.isSafeInteger(tokens) && tokens >= 0)
    this.#fill(nowMs)
    const { tokenMs, cap } = this.#options
    this.#filled = Math.min(this.#filled + tokens * tokenMs, 2 * cap * tokenMs)
  }

  /** Takes a token for each that is wanted, as far as they go. @returns how many */
  take(wanted: number, nowMs: number): number {
    this.#fill(nowMs)
    const { tokenMs } = this.#options
    const taken = Math.min(wanted, Math.floor(this.#filled / tokenMs))
    this.#filled -= taken * tokenMs
    return taken
  }

  #fill(nowMs: number): void {
    const elapsedMs = Math.max(0, Math.floor(nowMs) - this.#atMs)
    this.#atMs += elapsedMs
    const { tokenMs, cap } = this.#options
    if (this.#filled < cap * tokenMs) this.#filled = Math.min(this.#filled + elapsedMs, cap * tokenMs)
  }

  check(): void {
    assert.ok(Number.isSafeInteger(this.#filled) && this.#filled >= 0)
    assert.ok(this.#filled <= 2 * this.#options.cap * this.#options.tokenMs)
  }
}
