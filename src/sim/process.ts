/**
 * A simulated process: what is one node's alone, though all nodes share a thread and a set of globals.
 *
 * How: code runs in a process as long as it was called by it. `AsyncLocalStorage` carries that through promises;
 * timers (`timers.ts`) and the network (`network.ts`) remember it for what they call later.
 *
 * A process that is killed falls silent: its timers do not fire and its sockets neither send nor hear, as when the
 * power fails. Nothing of it is told to the other side.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { Random } from '../core/random.ts'

const storage = new AsyncLocalStorage<SimProcess | undefined>()

export class SimProcess {
  readonly name: string
  /** Where `Math.random` and the random bytes of `node:crypto` come from. */
  readonly random: Random
  /** How far its wall clock is off, in milliseconds; its monotonic clock is right. */
  skewMs: number
  #isAlive = true

  /** @param seed the same seed gives the same random numbers */
  constructor(name: string, seed: string, skewMs = 0) {
    this.name = name
    this.random = new Random(seed)
    this.skewMs = skewMs
  }

  /** The process that the calling code belongs to; undefined for the driver's. */
  static current(): SimProcess | undefined {
    return storage.getStore()
  }

  /** Calls `fn` as code that belongs to no process. */
  static outside<T>(fn: () => T): T {
    return storage.run(undefined, fn)
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Calls `fn` as code of this process. */
  run<T>(fn: () => T): T {
    return storage.run(this, fn)
  }

  kill(): void {
    this.#isAlive = false
  }
}
