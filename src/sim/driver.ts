/**
 * The driver: runs the virtual clock inside the real event loop.
 *
 * Rules:
 * - After each event that calls code of the nodes, all promises and ticks that it woke run to their end before the
 *   next event begins: computation takes no virtual time. How: every such event is an immediate of its own, and
 *   Node empties both queues between two immediates. They are set in batches, as a turn of the event loop costs
 *   ten times as much as an immediate (0.9 µs and 0.08 µs).
 * - Real work that ends at a time of its own (files, the thread pool) goes through `offload`: virtual time stands
 *   still while any is under way, and results are handed over one by one in the order in which the work was begun.
 *   So a run is the same however long the work takes.
 * - An event that throws ends the run with its error.
 */
import assert from 'node:assert/strict'
import type { VirtualClock } from './clock.ts'
import { SimProcess } from './process.ts'

const BATCH = 64

interface Run {
  readonly untilMs: number
  /** Ends the run before its time. */
  isDone(): boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Work under way; `handOver` comes when it has ended. */
interface Offloaded {
  handOver: (() => void) | undefined
}

export class Driver {
  readonly #clock: VirtualClock
  readonly #setImmediate: typeof setImmediate
  readonly #offloaded: Offloaded[] = []
  #run: Run | undefined
  #isPumping = false
  #events = 0

  /** @param realSetImmediate Node's own, from before the globals were replaced */
  constructor(clock: VirtualClock, realSetImmediate: typeof setImmediate) {
    this.#clock = clock
    this.#setImmediate = realSetImmediate
  }

  /** How many events have called code of the nodes. */
  get events(): number {
    return this.#events
  }

  /** Runs all events up to and including `untilMs`, a virtual time. One run at a time. */
  run(untilMs: number): Promise<void> {
    return this.#start(untilMs, () => false)
  }

  /**
   * Runs until the promise is settled.
   * @throws what the promise rejects with; Error when it is still pending after `withinMs` of virtual time
   */
  async until<T>(promise: Promise<T>, withinMs: number): Promise<T> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    promise.then(settle, settle)
    await this.#start(this.#clock.nowMs + withinMs, () => isSettled)
    if (!isSettled) throw new Error(`a promise is still pending after ${withinMs} ms of virtual time`)
    return await promise
  }

  /** Begins real work; what it gives is handed over while a run is under way. */
  offload<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const entry: Offloaded = { handOver: undefined }
    this.#offloaded.push(entry)
    const end = (handOver: () => void): void => {
      entry.handOver = handOver
      if (this.#run !== undefined && !this.#isPumping) this.#pump()
    }
    work().then(
      value => end(() => resolve(value)),
      error => end(() => reject(error)),
    )
    return promise
  }

  #start(untilMs: number, isDone: () => boolean): Promise<void> {
    assert.ok(this.#run === undefined, 'a run is under way')
    return new Promise((resolve, reject) => {
      this.#run = { untilMs, isDone, resolve, reject }
      if (!this.#isPumping) this.#pump()
    })
  }

  #pump(): void {
    this.#isPumping = true
    // Whoever calls this may be code of a node: what the clock runs next is not.
    SimProcess.outside(() => {
      for (let i = 0; i < BATCH; i++) this.#setImmediate(this.#step)
      this.#setImmediate(this.#pumpAgain)
    })
  }

  readonly #pumpAgain = (): void => {
    const [first] = this.#offloaded
    this.#isPumping = this.#run !== undefined && (first === undefined || first.handOver !== undefined)
    if (this.#isPumping) this.#pump()
  }

  readonly #step = (): void => {
    const run = this.#run
    if (run === undefined) return
    const [first] = this.#offloaded
    if (run.isDone()) this.#end(run.resolve)
    else if (first !== undefined) this.#handOver(first)
    else this.#advance(run)
  }

  #advance(run: Run): void {
    this.#events++
    try {
      if (!this.#clock.step(run.untilMs)) this.#end(run.resolve)
    } catch (error) {
      this.#end(() => run.reject(error))
    }
  }

  #end(settle: () => void): void {
    this.#run = undefined
    settle()
  }

  #handOver(first: Offloaded): void {
    if (first.handOver === undefined) return
    this.#offloaded.shift()
    first.handOver()
  }
}
