/**
 * Waiting for something to become true, with a deadline: in place of sleeping for as long as it usually takes.
 */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 5

/** Resolves once the condition holds. Fails, naming what was waited for, when that takes longer than the deadline. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > endMs) assert.fail(`after ${deadlineMs} ms still not: ${what}`)
    await pause(POLL_MS)
  }
}

/** What the promise gives, unless it takes longer than the deadline. */
export async function within<T>(what: string, deadlineMs: number, promise: Promise<T>): Promise<T> {
  const abort = new AbortController()
  const late = pause(deadlineMs, undefined, { signal: abort.signal }).then(() =>
    assert.fail(`after ${deadlineMs} ms still not: ${what}`),
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    abort.abort()
    late.catch(() => {})
  }
}
