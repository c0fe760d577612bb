/**
 * The receiver's end of a pipe: what has arrived and waits for its turn in the receiver's line.
 */
import type { VirtualClock } from './clock.ts'
import type { Line, Sender, Slice } from './line.ts'

export class Arrivals implements Sender {
  readonly #clock: VirtualClock
  readonly #line: Line
  readonly #deliver: (slice: Slice) => void
  readonly #waiting: { readonly slice: Slice; readonly lastMs: number }[] = []
  #undelivered = 0

  /** @param deliver called for each slice, in order */
  constructor(clock: VirtualClock, line: Line, deliver: (slice: Slice) => void) {
    this.#clock = clock
    this.#line = line
    this.#deliver = deliver
  }

  /** All that was added is delivered. */
  get isEmpty(): boolean {
    return this.#undelivered === 0
  }

  /** @param lastMs when the last byte is there: not delivered before that time, however fast the line is */
  add(slice: Slice, lastMs: number): void {
    this.#undelivered++
    this.#waiting.push({ slice, lastMs })
    this.#line.add(this)
  }

  get isReady(): boolean {
    return this.#waiting.length > 0
  }

  /** What went over the sender's line in one piece is not cut again. */
  take(): Slice {
    const [first] = this.#waiting
    return (first as { slice: Slice }).slice
  }

  carry(slice: Slice, _startMs: number, endMs: number): void {
    const lastMs = this.#waiting.shift()?.lastMs ?? endMs
    this.#clock.schedule(Math.max(endMs, lastMs), () => {
      this.#undelivered--
      this.#deliver(slice)
    })
  }
}
