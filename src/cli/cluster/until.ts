/**
 * Waiting for a state of affairs, with a deadline.
 *
 * The reports of the nodes change what is known; each of them pokes, and whoever waits looks again. So nothing
 * is polled, and nothing waits longer than it said it would.
 */

interface Waiter {
  readonly holds: () => boolean
  readonly resolve: (held: boolean) => void
}

export class Until {
  readonly #waiters = new Set<Waiter>()

  /** Something has changed. */
  poke(): void {
    for (const { holds, resolve } of [...this.#waiters]) if (holds()) resolve(true)
  }

  /**
   * Resolves to true as soon as `holds` does, to false when `timeoutMs` (at most 2^31 − 1, or Infinity) have
   * passed or `signal` is aborted. `holds` is asked at once and then at every poke.
   */
  async until(holds: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (holds()) return true
    if (signal?.aborted === true) return false
    return await new Promise(resolve => {
      const end = (held: boolean): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', aborted)
        this.#waiters.delete(waiter)
        resolve(held)
      }
      const aborted = (): void => end(false)
      const timer = Number.isFinite(timeoutMs) ? setTimeout(() => end(false), timeoutMs) : undefined
      const waiter = { holds, resolve: end }
      this.#waiters.add(waiter)
      signal?.addEventListener('abort', aborted)
    })
  }
}
