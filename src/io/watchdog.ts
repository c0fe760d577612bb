/**
 * The watchdog: notices when the event loop stands still or an await takes too long, and names the part.
 *
 * How: a timer that should fire every `TICK_MS` and fires late shows how long the thread was held. Sections
 * that Floodgate runs on someone's behalf (a handler) are timed, and the longest one since the last tick is
 * named when it explains at least half of the delay; otherwise it was code that we do not see into.
 */
import { FloodgateError } from '../core/errors.ts'
import type { Clock, Log, Metrics, Watchdog } from '../core/ports.ts'

export interface WatchdogOptions {
  /** A delay of the event loop beyond this is logged. */
  readonly eventLoopDelayMs: number
}

const TICK_MS = 50

/** Above this many log lines a minute the delays are only counted. */
const LINES_PER_MINUTE = 10

export interface RunningWatchdog extends Watchdog {
  stop(): void
}

export function startWatchdog(
  options: WatchdogOptions,
  clock: Clock,
  log: Log,
  metrics: Metrics,
): RunningWatchdog {
  let lastTickMs = clock.nowMs()
  let longest = { part: '', ms: 0 }
  let worstMs = 0
  let stalls = 0
  let minuteSinceMs = lastTickMs
  let lines = 0

  metrics.counterFrom(
    'floodgate_event_loop_stalls_total',
    'Times the event loop stood still for too long',
    [],
    () => [[{}, stalls]],
  )
  metrics.gaugeFrom('floodgate_event_loop_delay_seconds', 'Longest delay since the last reading', [], () => {
    const reading = worstMs / 1_000
    worstMs = 0
    return [[{}, reading]]
  })

  const report = (delayMs: number, nowMs: number): void => {
    stalls++
    if (nowMs - minuteSinceMs > 60_000) {
      minuteSinceMs = nowMs
      lines = 0
    }
    if (++lines > LINES_PER_MINUTE) return
    const isExplained = longest.ms * 2 >= delayMs
    const part = isExplained ? longest.part : 'unknown: no part that is watched'
    log.warn('the event loop stood still', {
      delayMs: Math.round(delayMs),
      part,
      partMs: Math.round(longest.ms),
    })
  }

  const stop = clock.every(TICK_MS, () => {
    const nowMs = clock.nowMs()
    const delayMs = nowMs - lastTickMs - TICK_MS
    lastTickMs = nowMs
    worstMs = Math.max(worstMs, delayMs)
    if (delayMs > options.eventLoopDelayMs) report(delayMs, nowMs)
    longest = { part: '', ms: 0 }
  })

  return {
    stop,
    section(part, fn) {
      const startedMs = clock.nowMs()
      try {
        return fn()
      } finally {
        const ms = clock.nowMs() - startedMs
        if (ms > longest.ms) longest = { part, ms }
      }
    },
  }
}

/**
 * Waits for a promise, but no longer than `timeoutMs`: then it is logged by the part's name. The promise goes on,
 * and what it still does is no longer waited for.
 * @throws FloodgateError TIMEOUT
 */
export async function withDeadline<T>(
  part: string,
  promise: Promise<T>,
  timeoutMs: number,
  log: Log,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      log.error('an await is past its deadline', { part, timeoutMs })
      reject(new FloodgateError('TIMEOUT', `${part} was not done after ${timeoutMs} ms`))
    }, timeoutMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
