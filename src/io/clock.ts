/**
 * The real clock and the real randomness: the only place that reads them for the layers above `io`.
 */
import type { Clock, RandomSource } from '../core/ports.ts'

/** Good enough for jitter and choices; keys and nonces are made in `io` with `node:crypto`. */
export const systemRandom: RandomSource = () => Math.random()

/** A clock on the system's monotonic and wall time. */
export function systemClock(): Clock {
  return {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    every(periodMs, fn) {
      const timer = setInterval(fn, periodMs)
      timer.unref()
      return () => clearInterval(timer)
    },
    after(delayMs, fn) {
      const timer = setTimeout(fn, delayMs)
      timer.unref()
      return () => clearTimeout(timer)
    },
  }
}
