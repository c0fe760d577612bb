/**
 * Which address is dialled next: a pure machine of two parts, the choice out of the book and the pauses.
 *
 * Rules:
 * - The choice is the loop of Bitcoin's `ThreadOpenConnections` (`net.cpp`): at most `TRIES_MAX` draws from the book,
 *   and an address that was tried within the last 10 minutes counts only after `FRESH_TRIES` of them. Bounded work,
 *   and in a large book nobody is asked twice in a short time.
 * - Beside that stands a pause for each endpoint, doubling from 1 s to 60 s and spread by a quarter. Why both: the ten
 *   minutes are right where there are thousands of others to ask, and much too long for a node of a ten-node network
 *   that has just lost its peers. There the draws run out, the recent ones count, and the pauses alone hold back.
 * - A connection that stood for a minute has proved its address good: the pause starts small again. Why not every
 *   success: a peer that greets and closes at once would be dialled every second for ever.
 * - `due` remembers whom we have lost or failed to reach: a small book draws an address with many failures so seldom
 *   (0.66 to the power of them) that it could be passed over for minutes although there is nobody else.
 * - At most `PAUSES_MAX` endpoints are remembered; beyond that the one touched longest ago is forgotten, which costs
 *   no more than one dial too early.
 */
import assert from 'node:assert/strict'
import type { Endpoint } from '../core/endpoint.ts'
import type { RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import { ageMs } from './book-entry.ts'
import type { AddressInfo } from './view.ts'

/** What outbound connections need of the address book; all times are wall time. */
export interface DialBook {
  get(endpoint: Endpoint): AddressInfo | undefined
  /** A dial begins, or has failed; `counted`: by the fault of the address. */
  attempt(endpoint: Endpoint, counted: boolean, wallMs: number): void
  good(endpoint: Endpoint, peer: PeerId, wallMs: number): void
  heard(endpoint: Endpoint, wallMs: number): void
  remove(endpoint: Endpoint): boolean
  select(options: { newOnly?: boolean }, wallMs: number): AddressInfo | undefined
  selectCollision(wallMs: number): AddressInfo | undefined
  resolveCollisions(wallMs: number): void
}

/** How often the book is asked for one choice. */
export const TRIES_MAX = 100

/** So many of them look for an address that was not tried lately. */
export const FRESH_TRIES = 30

/** What "lately" means. */
export const RECENT_MS = 600_000

/** A draw from the book that fits, or undefined when `TRIES_MAX` draws gave none. */
export function pick(
  book: Pick<DialBook, 'select'>,
  options: { newOnly?: boolean },
  fits: (info: AddressInfo) => boolean,
  wallMs: number,
): Endpoint | undefined {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const info = book.select(options, wallMs)
    if (info === undefined) return undefined
    if (tries < FRESH_TRIES && ageMs(info.lastAttemptMs, wallMs) < RECENT_MS) continue
    if (fits(info)) return info.endpoint
  }
  return undefined
}

const PAUSE_MIN_MS = 1_000
export const PAUSE_MAX_MS = 60_000

/** How many endpoints have a pause at most. */
export const PAUSES_MAX = 1_000

interface Pause {
  failures: number
  untilMs: number
}

export class Pauses {
  readonly #random: RandomSource
  /** The one touched longest ago comes first. */
  readonly #pauses = new Map<Endpoint, Pause>()

  constructor(random: RandomSource) {
    this.#random = random
  }

  get size(): number {
    return this.#pauses.size
  }

  isPaused(endpoint: Endpoint, nowMs: number): boolean {
    return (this.#pauses.get(endpoint)?.untilMs ?? nowMs) > nowMs
  }

  failed(endpoint: Endpoint, nowMs: number): void {
    const failures = this.#pauses.get(endpoint)?.failures ?? 0
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** failures) * (0.75 + this.#random() / 4)
    this.#pauses.delete(endpoint)
    this.#pauses.set(endpoint, { failures: failures + 1, untilMs: nowMs + pauseMs })
    for (const oldest of this.#pauses.keys()) {
      if (this.#pauses.size <= PAUSES_MAX) break
      this.#pauses.delete(oldest)
    }
  }

  /** A connection has ended that stood for `stoodMs`. */
  lost(endpoint: Endpoint, stoodMs: number, nowMs: number): void {
    if (stoodMs >= PAUSE_MAX_MS) this.#pauses.delete(endpoint)
    this.failed(endpoint, nowMs)
  }

  /** Ends a pause; how often it failed is still known. */
  lift(endpoint: Endpoint): void {
    const pause = this.#pauses.get(endpoint)
    if (pause !== undefined) pause.untilMs = Number.NEGATIVE_INFINITY
  }

  /** Those whose pause is over. */
  *due(nowMs: number): Generator<Endpoint> {
    for (const [endpoint, pause] of this.#pauses) if (pause.untilMs <= nowMs) yield endpoint
  }

  check(): void {
    assert.ok(this.#pauses.size <= PAUSES_MAX)
    for (const pause of this.#pauses.values()) assert.ok(pause.failures > 0)
  }
}
