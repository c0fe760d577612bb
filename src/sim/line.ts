/**
 * A line: one direction of a node's access to the network, with a rate that its connections share.
 *
 * Rules:
 * - Connections that have something to send take turns, a slice of at most 16 kB each: their shares are equal, as those
 *   of TCP connections are on average. Eight real transfers over 20 Mbit/s ended after 2.5 to 3.3 s (the median and the
 *   last), eight of these after 3.25 s.
 * - A slice that has begun is sent to its end, at the rate that it began with.
 * - What is written at one moment leaves in one slice: the line begins after the event that woke it.
 */
import assert from 'node:assert/strict'
import type { VirtualClock } from './clock.ts'

/** The largest slice, in bytes: the grain of the model. */
export const SLICE_BYTES = 16_384

/** Something that goes over a line in one piece. */
export interface Slice {
  readonly kind: 'open' | 'data' | 'fin' | 'rst'
  /** The receiver's own. */
  readonly bytes: Uint8Array
}

export interface Sender {
  /** There is something to send that may be sent now. */
  readonly isReady: boolean
  /** The next slice, when ready. */
  take(maxBytes: number): Slice
  /** It goes over the line from `startMs` (now) to `endMs`. */
  carry(slice: Slice, startMs: number, endMs: number): void
}

export class Line {
  readonly #clock: VirtualClock
  /** In the order of their turns. */
  readonly #ring = new Set<Sender>()
  #bytesPerMs = 0
  #freeAtMs = 0
  #isWaking = false

  constructor(clock: VirtualClock, bitsPerSecond: number) {
    this.#clock = clock
    this.setRate(bitsPerSecond)
  }

  /** From the next slice on. @param bitsPerSecond above 0; Infinity is a line that is never waited for */
  setRate(bitsPerSecond: number): void {
    assert.ok(bitsPerSecond > 0, 'a line needs a rate')
    this.#bytesPerMs = bitsPerSecond / 8_000
  }

  /** How long `sizeBytes` take, in milliseconds. */
  durationMs(sizeBytes: number): number {
    return sizeBytes / this.#bytesPerMs
  }

  /** Gives a sender its turn, once; it stays in the round as long as it is ready. */
  add(sender: Sender): void {
    this.#ring.add(sender)
    this.#wake()
  }

  remove(sender: Sender): void {
    this.#ring.delete(sender)
  }

  #wake(): void {
    if (this.#isWaking) return
    this.#isWaking = true
    this.#clock.scheduleQuiet(this.#freeAtMs, () => this.#serve())
  }

  #serve(): void {
    this.#isWaking = false
    const { nowMs } = this.#clock
    // Senders that are put back are met again in the same loop.
    for (const sender of this.#ring) {
      this.#ring.delete(sender)
      if (!sender.isReady) continue
      const slice = sender.take(SLICE_BYTES)
      const endMs = nowMs + this.durationMs(slice.bytes.byteLength)
      sender.carry(slice, nowMs, endMs)
      if (sender.isReady) this.#ring.add(sender)
      this.#freeAtMs = endMs
      if (endMs > nowMs) break
    }
    if (this.#ring.size > 0) this.#wake()
  }
}
