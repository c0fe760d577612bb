/**
 * How many bytes may be under way to one neighbour: a window steered by delay, as LEDBAT (RFC 6817) does.
 *
 * Why: what has been handed to TCP can be neither reordered nor taken back. If a node gave its socket all that it has
 * to send, every urgent message would wait behind it, and a chunk would be on its way long after its receiver got it
 * from somebody else. So the socket must never become the queue.
 *
 * Rules:
 * - A chunk is under way from its sending until the neighbour says that it has it. The shortest time that this took
 *   lately is the way itself; what a chunk takes longer it has waited in queues.
 * - While chunks wait for less than `TARGET_MS` the window grows: by all that was acknowledged until a chunk first
 *   waited, later by one chunk for a window full. When they wait longer it shrinks, at most once a round trip.
 * - One chunk is always allowed: else a neighbour would never be measured again.
 * - A window that was not used up does not grow: nothing was learned about it.
 * - A chunk that is not acknowledged in `LOST_AFTER_MS` is no longer counted, and the window starts again small.
 */
import assert from 'node:assert/strict'

/** How long chunks may wait in queues on their way. Urgent messages of other topics wait as long behind them. */
const TARGET_MS = 35

/** The window of a neighbour that has not been measured: a few packets more than TCP itself starts with. */
export const START_BYTES = 32 * 1_024

const MAX_BYTES = 4 * 1_024 * 1_024

const LOST_AFTER_MS = 5_000

/** For so long, and once more, the shortest way is remembered: routes change. */
const BASE_MS = 60_000

interface Flight {
  readonly sizeBytes: number
  readonly sentAtMs: number
}

export class Pacing {
  readonly #flights = new Map<string, Flight>()
  #windowBytes = START_BYTES
  #inFlightBytes = 0
  #isStarting = true
  #shrunkAtMs = Number.NEGATIVE_INFINITY
  #wasFull = false
  /** The shortest way in this period, and in the one before. */
  #base = {
    young: Number.POSITIVE_INFINITY,
    old: Number.POSITIVE_INFINITY,
    sinceMs: Number.NEGATIVE_INFINITY,
  }

  get windowBytes(): number {
    return this.#windowBytes
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  /** The shortest time to an acknowledgement lately, in milliseconds; undefined before the first. */
  get baseMs(): number | undefined {
    const shortest = Math.min(this.#base.young, this.#base.old)
    return Number.isFinite(shortest) ? shortest : undefined
  }

  hasRoom(): boolean {
    const isFree = this.#inFlightBytes === 0 || this.#inFlightBytes < this.#windowBytes
    if (!isFree) this.#wasFull = true
    return isFree
  }

  /** Whether a chunk was sent and is neither acknowledged nor lost. */
  isUnderWay(chunk: string): boolean {
    return this.#flights.has(chunk)
  }

  /** A chunk has left. Sending it again starts its time anew. */
  sent(chunk: string, sizeBytes: number, nowMs: number): void {
    this.#land(chunk)
    this.#flights.set(chunk, { sizeBytes, sentAtMs: nowMs })
    this.#inFlightBytes += sizeBytes
  }

  /** The neighbour says that it has a chunk. @returns whether we had sent it and it counted */
  acknowledged(chunk: string, nowMs: number): boolean {
    const flight = this.#land(chunk)
    if (flight === undefined) return false
    const tookMs = nowMs - flight.sentAtMs
    this.#measure(tookMs, nowMs)
    const waitedMs = tookMs - (this.baseMs ?? tookMs)
    if (waitedMs > TARGET_MS) this.#shrink(waitedMs, tookMs, nowMs)
    else if (this.#wasFull) this.#grow(flight.sizeBytes, waitedMs)
    return true
  }

  /** Counts what is lost no longer. */
  tick(nowMs: number): void {
    for (const [chunk, { sentAtMs }] of this.#flights) {
      if (nowMs - sentAtMs < LOST_AFTER_MS) return
      this.#land(chunk)
      this.#windowBytes = START_BYTES
    }
  }

  #land(chunk: string): Flight | undefined {
    const flight = this.#flights.get(chunk)
    if (flight === undefined) return undefined
    this.#flights.delete(chunk)
    this.#inFlightBytes -= flight.sizeBytes
    return flight
  }

  #measure(tookMs: number, nowMs: number): void {
    if (nowMs - this.#base.sinceMs >= BASE_MS) {
      this.#base = { young: tookMs, old: this.#base.young, sinceMs: nowMs }
    }
    this.#base.young = Math.min(this.#base.young, tookMs)
  }

  #grow(ackedBytes: number, waitedMs: number): void {
    this.#wasFull = false
    const share = this.#isStarting ? 1 : (1 - waitedMs / TARGET_MS) * (ackedBytes / this.#windowBytes)
    this.#windowBytes = Math.min(MAX_BYTES, this.#windowBytes + ackedBytes * share)
  }

  #shrink(waitedMs: number, tookMs: number, nowMs: number): void {
    this.#isStarting = false
    if (nowMs - this.#shrunkAtMs < tookMs) return
    this.#shrunkAtMs = nowMs
    // In proportion to what is too much of the queue, at most by half.
    this.#windowBytes = Math.max(1, this.#windowBytes * Math.max(0.5, 1 - (waitedMs - TARGET_MS) / tookMs))
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    const flights = [...this.#flights.values()]
    assert.equal(
      flights.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      this.#inFlightBytes,
    )
    assert.ok(this.#windowBytes >= 1 && this.#windowBytes <= MAX_BYTES)
  }
}
