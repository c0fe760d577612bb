import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startWatchdog, withDeadline } from '../../src/io/watchdog.ts'
import { FakeLog, FakeMetrics, VirtualClock } from '../fixtures/fakes.ts'

/** A clock whose thread can be held: time goes on, and no timer fires meanwhile. */
class HeldClock extends VirtualClock {
  #heldMs = 0

  override nowMs(): number {
    return super.nowMs() + this.#heldMs
  }

  hold(ms: number): void {
    this.#heldMs += ms
  }
}

const LIMIT_MS = 200
const UNKNOWN = 'unknown: no part that is watched'

function watch() {
  const clock = new HeldClock()
  const log = new FakeLog()
  const metrics = new FakeMetrics()
  const watchdog = startWatchdog({ eventLoopDelayMs: LIMIT_MS }, clock, log, metrics)
  const parts = () => log.lines.map(({ fields }) => fields.part)
  return { clock, log, metrics, watchdog, parts }
}

describe('the watchdog', () => {
  test('says nothing while timers fire in time, or late by no more than the limit', () => {
    const { clock, log, metrics } = watch()
    clock.advance(10_000)
    clock.hold(LIMIT_MS)
    clock.advance(1_000)
    assert.deepEqual(log.lines, [])
    assert.equal(metrics.read().floodgate_event_loop_stalls_total, 0)
  })

  test('names the section that held the thread', () => {
    const { clock, log, metrics, watchdog } = watch()
    clock.advance(100)
    const answer = watchdog.section('handler of blocks', () => {
      clock.hold(500)
      return 7
    })
    clock.advance(100)
    assert.equal(answer, 7)
    assert.deepEqual(log.lines, [
      {
        level: 'warn',
        message: 'the event loop stood still',
        fields: { delayMs: 500, part: 'handler of blocks', partMs: 500 },
      },
    ])
    assert.equal(metrics.read().floodgate_event_loop_stalls_total, 1)
  })

  test('names a section that threw, and passes its error on', () => {
    const { clock, watchdog, parts } = watch()
    const failure = new Error('a bug')
    const run = (): void =>
      watchdog.section('handler of blocks', () => {
        clock.hold(500)
        throw failure
      })
    assert.throws(run, failure)
    clock.advance(100)
    assert.deepEqual(parts(), ['handler of blocks'])
  })

  const cases: { id: string; run: (held: ReturnType<typeof watch>) => void; part: string }[] = [
    { id: 'nobody is watched', run: ({ clock }) => clock.hold(300), part: UNKNOWN },
    {
      id: 'the longest section explains less than half',
      run: ({ clock, watchdog }) => {
        watchdog.section('short', () => clock.hold(140))
        clock.hold(160)
      },
      part: UNKNOWN,
    },
    {
      id: 'of several sections the longest',
      run: ({ clock, watchdog }) => {
        watchdog.section('short', () => clock.hold(100))
        watchdog.section('long', () => clock.hold(300))
        watchdog.section('short', () => clock.hold(100))
      },
      part: 'long',
    },
    {
      id: 'a section that ended before the last tick is not to blame',
      run: ({ clock, watchdog }) => {
        watchdog.section('earlier', () => clock.hold(190))
        clock.advance(100)
        clock.hold(300)
      },
      part: UNKNOWN,
    },
  ]
  for (const { id, run, part } of cases) {
    test(`blames: ${id}`, () => {
      const held = watch()
      run(held)
      held.clock.advance(100)
      assert.deepEqual(held.parts(), [part])
    })
  }

  test('writes at most ten lines a minute, and counts all', () => {
    const { clock, log, metrics } = watch()
    const stall = (): void => {
      clock.hold(300)
      clock.advance(200)
    }
    for (let count = 0; count < 25; count++) stall()
    assert.equal(log.lines.length, 10)
    clock.advance(60_000)
    for (let count = 0; count < 25; count++) stall()
    assert.equal(log.lines.length, 20)
    assert.equal(metrics.read().floodgate_event_loop_stalls_total, 50)
  })

  test('tells the longest delay since the last reading', () => {
    const { clock, metrics } = watch()
    clock.hold(100)
    clock.advance(200)
    clock.hold(50)
    clock.advance(200)
    assert.equal(metrics.read().floodgate_event_loop_delay_seconds, 0.1)
    assert.equal(metrics.read().floodgate_event_loop_delay_seconds, 0)
  })

  test('stops', () => {
    const { clock, log, watchdog } = watch()
    watchdog.stop()
    assert.equal(clock.timers, 0)
    clock.hold(1_000)
    clock.advance(1_000)
    assert.deepEqual(log.lines, [])
  })
})

describe('a wait with a deadline', () => {
  test('gives what the promise gives, or its error', async () => {
    const log = new FakeLog()
    assert.equal(await withDeadline('a part', Promise.resolve(7), 60_000, log), 7)
    const failure = new Error('a bug')
    await assert.rejects(withDeadline('a part', Promise.reject(failure), 60_000, log), failure)
    assert.deepEqual(log.lines, [])
  })

  test('gives up on a promise that does not end, and names it', async () => {
    const log = new FakeLog()
    const never = new Promise<never>(() => {})
    await assert.rejects(withDeadline('closing the store', never, 1, log), {
      code: 'TIMEOUT',
      message: /closing the store/,
    })
    assert.deepEqual(log.lines, [
      {
        level: 'error',
        message: 'an await is past its deadline',
        fields: { part: 'closing the store', timeoutMs: 1 },
      },
    ])
  })

  test('a promise that fails after its deadline bothers nobody', async () => {
    const { promise, reject } = Promise.withResolvers<never>()
    await assert.rejects(withDeadline('a part', promise, 1, new FakeLog()), { code: 'TIMEOUT' })
    reject(new Error('too late'))
    // An unhandled rejection would fail this test.
    await new Promise(resolve => setImmediate(resolve))
  })
})
