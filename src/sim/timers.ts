/**
 * The timer functions of Node, on the virtual clock.
 *
 * Rules, all as Node has them:
 * - A delay is at least 1 ms and a whole number of milliseconds, also for `setTimeout(fn)`; one that is not a number
 *   or longer than 24.8 days is 1 ms.
 * - A callback runs with the asynchronous context of the code that made the timer.
 * - `unref` changes nothing: what keeps the run going is the driver, not the timers.
 *
 * Timers of a process that was killed vanish.
 */
import { AsyncResource } from 'node:async_hooks'
import type { VirtualClock, VirtualEvent } from './clock.ts'
import { SimProcess } from './process.ts'

const DELAY_MAX_MS = 2 ** 31 - 1

/** What `setTimeout` and `setInterval` return; the methods are those of Node's `Timeout`. */
export class VirtualTimer {
  readonly #timers: VirtualTimers
  readonly #fn: () => void
  readonly #delayMs: number
  readonly #repeats: boolean
  readonly #resource = new AsyncResource('VirtualTimer')
  readonly #process = SimProcess.current()
  #event: VirtualEvent | undefined
  #hasRef = true
  /** Its number for `clearTimeout`, once it was asked for. */
  id: number | undefined

  constructor(timers: VirtualTimers, fn: () => void, delayMs: number, repeats: boolean) {
    this.#timers = timers
    this.#fn = fn
    this.#delayMs = delayMs
    this.#repeats = repeats
    this.#arm()
  }

  /** Starts its time anew, also when it has fired or was cleared. */
  refresh(): this {
    this.close()
    this.#arm()
    return this
  }

  close(): this {
    if (this.#event !== undefined) this.#timers.clock.cancel(this.#event)
    this.#event = undefined
    this.#timers.forget(this)
    return this
  }

  ref(): this {
    this.#hasRef = true
    return this
  }

  unref(): this {
    this.#hasRef = false
    return this
  }

  hasRef(): boolean {
    return this.#hasRef
  }

  [Symbol.toPrimitive](): number {
    return this.#timers.numberOf(this)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #arm(): void {
    const { clock } = this.#timers
    this.#event = clock.schedule(clock.nowMs + this.#delayMs, () => this.#fire())
  }

  #fire(): void {
    this.#event = undefined
    const isDead = this.#process?.isAlive === false
    // Before the callback, which may clear it.
    if (this.#repeats && !isDead) this.#arm()
    else this.#timers.forget(this)
    if (!isDead) this.#resource.runInAsyncScope(this.#fn)
  }
}

/** The functions, as one set for one clock. */
export class VirtualTimers {
  readonly clock: VirtualClock
  /** Timers that are set and whose number was asked for: `clearTimeout` takes numbers too. */
  readonly #numbered = new Map<number, VirtualTimer>()
  #numbers = 1

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  readonly setTimeout = (fn: Callback, delayMs?: number, ...args: unknown[]): VirtualTimer =>
    new VirtualTimer(this, bound(fn, args), delayOf(delayMs), false)

  readonly setInterval = (fn: Callback, delayMs?: number, ...args: unknown[]): VirtualTimer =>
    new VirtualTimer(this, bound(fn, args), delayOf(delayMs), true)

  /** Runs at the same virtual time, after what is due now. */
  readonly setImmediate = (fn: Callback, ...args: unknown[]): VirtualTimer =>
    new VirtualTimer(this, bound(fn, args), 0, false)

  /** `clearTimeout`, `clearInterval` and `clearImmediate`: anything that is no timer is left alone. */
  readonly clear = (timer: unknown): void => {
    const known = timer instanceof VirtualTimer ? timer : this.#numbered.get(Number(timer))
    known?.close()
  }

  /** A signal that aborts with a `TimeoutError`, as `AbortSignal.timeout`. */
  readonly timeoutSignal = (delayMs: number): AbortSignal => {
    const controller = new AbortController()
    const expire = (): void =>
      controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
    new VirtualTimer(this, expire, delayOf(delayMs), false)
    return controller.signal
  }

  /** `setTimeout` of `node:timers/promises`. */
  readonly sleep = <T>(delayMs?: number, value?: T, options: { signal?: AbortSignal } = {}): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const { signal } = options
    const abort = (): void => {
      this.clear(timer)
      reject(new DOMException('The operation was aborted', { name: 'AbortError', cause: signal?.reason }))
    }
    const timer = this.setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve(value as T)
    }, delayMs)
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    return promise
  }

  numberOf(timer: VirtualTimer): number {
    timer.id ??= this.#numbers++
    this.#numbered.set(timer.id, timer)
    return timer.id
  }

  forget(timer: VirtualTimer): void {
    if (timer.id !== undefined) this.#numbered.delete(timer.id)
  }
}

type Callback = (...args: unknown[]) => void

function bound(fn: Callback, args: unknown[]): () => void {
  if (typeof fn !== 'function') throw new TypeError('The "callback" argument must be of type function')
  return args.length === 0 ? fn : () => fn(...args)
}

function delayOf(delayMs: number | undefined): number {
  const delay = Math.trunc(Number(delayMs))
  return delay >= 1 && delay <= DELAY_MAX_MS ? delay : 1
}
