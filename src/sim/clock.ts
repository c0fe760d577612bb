/**
 * The virtual clock: a queue of events in the order of their time, and a time that jumps from one to the next.
 *
 * Rules:
 * - Events of the same time run in the order in which they were made: nothing is left to chance, and a run can be
 *   repeated event by event.
 * - An event that was due before now runs now; time never goes backwards.
 * - A quiet event calls nothing but the simulator's own code, so whoever drives the clock need not wait for promises
 *   after it (`driver.ts`).
 * - A cancelled event leaves the queue when its turn comes, or when half of the queue is cancelled: deadlines are
 *   made and cancelled by the hundred thousand, and taking each out of the middle would cost more than it saves.
 *
 * A binary heap, since events come in any order and only the first one is ever wanted.
 */
import assert from 'node:assert/strict'

/** A handle to cancel an event with. */
export interface VirtualEvent {
  readonly atMs: number
  readonly sequence: number
  readonly isQuiet: boolean
  /** Undefined once it has run or was cancelled. */
  run: (() => void) | undefined
}

/** Below this size cancelled events are not worth a sweep. */
const SWEEP_FROM = 1_024

export class VirtualClock {
  #nowMs = 0
  #made = 0
  #cancelled = 0
  #heap: VirtualEvent[] = []

  /** Milliseconds since the begin of the run, with fractions. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** How many events wait. */
  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  /** Runs `run` at `atMs`. */
  schedule(atMs: number, run: () => void): VirtualEvent {
    return this.#add(atMs, run, false)
  }

  /** Like `schedule`, for code that neither wakes a promise nor calls anything of the nodes'. */
  scheduleQuiet(atMs: number, run: () => void): VirtualEvent {
    return this.#add(atMs, run, true)
  }

  /** One that has run, or was cancelled before, is left alone. */
  cancel(event: VirtualEvent): void {
    if (event.run === undefined) return
    event.run = undefined
    this.#cancelled++
    if (this.#heap.length >= SWEEP_FROM && this.#cancelled * 2 > this.#heap.length) this.#sweep()
  }

  /** When the next event is due; undefined when there is none. */
  get nextMs(): number | undefined {
    this.#dropCancelled()
    return this.#heap[0]?.atMs
  }

  /**
   * Runs the events up to and including `untilMs`, but no further than one that is not quiet.
   * @returns false when there is nothing more to run; time is then at `untilMs`
   * @throws what the event throws
   */
  step(untilMs: number): boolean {
    for (;;) {
      const nextMs = this.nextMs
      if (nextMs === undefined || nextMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return false
      }
      const event = this.#pop()
      this.#nowMs = event.atMs
      const { run } = event
      event.run = undefined
      run?.()
      if (!event.isQuiet) return true
    }
  }

  check(): void {
    for (const [index, event] of this.#heap.entries()) {
      assert.ok(event.atMs >= this.#nowMs, `an event at ${event.atMs} was left behind at ${this.#nowMs}`)
      const parent = this.#heap[(index - 1) >> 1]
      assert.ok(index === 0 || (parent !== undefined && isBefore(parent, event)), 'the heap is out of order')
    }
    const cancelled = this.#heap.filter(event => event.run === undefined).length
    assert.equal(cancelled, this.#cancelled)
  }

  #add(atMs: number, run: () => void, isQuiet: boolean): VirtualEvent {
    assert.ok(!Number.isNaN(atMs))
    const event = { atMs: Math.max(atMs, this.#nowMs), sequence: this.#made++, isQuiet, run }
    this.#heap.push(event)
    this.#rise(this.#heap.length - 1, event)
    return event
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) {
      this.#pop()
      this.#cancelled--
    }
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(event => event.run !== undefined)
    this.#cancelled = 0
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) {
      const event = this.#heap[index]
      if (event !== undefined) this.#sink(index, event)
    }
  }

  #pop(): VirtualEvent {
    const [first] = this.#heap
    const last = this.#heap.pop()
    assert.ok(first !== undefined && last !== undefined)
    if (this.#heap.length > 0) this.#sink(0, last)
    return first
  }

  /** Puts `event` where `from` is, or above it. */
  #rise(from: number, event: VirtualEvent): void {
    const heap = this.#heap
    let index = from
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || isBefore(parent, event)) break
      heap[index] = parent
      index = above
    }
    heap[index] = event
  }

  /** Puts `event` where `from` is, or below it. */
  #sink(from: number, event: VirtualEvent): void {
    const heap = this.#heap
    let index = from
    for (;;) {
      const left = index * 2 + 1
      const right = heap[left + 1]
      let child = heap[left]
      if (child === undefined) break
      let below = left
      if (right !== undefined && isBefore(right, child)) {
        child = right
        below = left + 1
      }
      if (isBefore(event, child)) break
      heap[index] = child
      index = below
    }
    heap[index] = event
  }
}

function isBefore(a: VirtualEvent, b: VirtualEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}
