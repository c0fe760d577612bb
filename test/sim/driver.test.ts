import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { VirtualClock } from '../../src/sim/clock.ts'
import { Driver } from '../../src/sim/driver.ts'

function setUp() {
  const clock = new VirtualClock()
  return { clock, driver: new Driver(clock, setImmediate), ran: [] as string[] }
}

describe('Driver', () => {
  it('lets promises and ticks run to their end between two events of one time', async () => {
    const { clock, driver, ran } = setUp()
    for (const name of ['first', 'second']) {
      clock.schedule(1, async () => {
        ran.push(name)
        process.nextTick(() => ran.push(`${name}: tick`))
        for (let depth = 0; depth < 100; depth++) await null
        queueMicrotask(() => ran.push(`${name}: after a hundred awaits`))
      })
    }
    await driver.run(1)
    assert.deepEqual(ran, [
      'first',
      'first: tick',
      'first: after a hundred awaits',
      'second',
      'second: tick',
      'second: after a hundred awaits',
    ])
  })

  it('runs to its bound, one run after the other', async () => {
    const { clock, driver, ran } = setUp()
    for (let atMs = 1; atMs <= 1_000; atMs++) clock.schedule(atMs, () => ran.push(String(atMs)))
    for (const untilMs of [3, 3, 500.5, 2_000]) {
      await driver.run(untilMs)
      assert.equal(clock.nowMs, untilMs)
      assert.equal(ran.length, Math.min(1_000, Math.floor(untilMs)))
    }
  })

  it('refuses a second run at the same time', async () => {
    const { driver } = setUp()
    const run = driver.run(10)
    assert.throws(() => driver.run(20), /under way/)
    await run
  })

  it('stops when a promise is settled, and gives what it gave', async () => {
    const { clock, driver } = setUp()
    const later = <T>(
      atMs: number,
      settle: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
    ) =>
      new Promise<T>((resolve, reject) => {
        clock.schedule(atMs, () => settle(resolve, reject))
      })
    assert.equal(
      await driver.until(
        later<number>(40, resolve => resolve(7)),
        100,
      ),
      7,
    )
    assert.equal(clock.nowMs, 40)
    await assert.rejects(
      driver.until(
        later(50, (_, reject) => reject(new Error('no'))),
        100,
      ),
      /^Error: no$/,
    )
    assert.equal(clock.nowMs, 50)
    await assert.rejects(driver.until(new Promise(() => {}), 100), /still pending after 100 ms/)
    assert.equal(clock.nowMs, 150)
  })

  it('ends the run with the error of an event', async () => {
    const { clock, driver, ran } = setUp()
    clock.schedule(1, () => {
      throw new Error('out of the event')
    })
    clock.schedule(2, () => ran.push('next'))
    await assert.rejects(driver.run(10), /out of the event/)
    assert.equal(clock.nowMs, 1)
    await driver.run(10)
    assert.deepEqual(ran, ['next'])
  })

  it('holds virtual time while offloaded work is under way, and hands results over in the order of the begin', async () => {
    const { clock, driver, ran } = setUp()
    // The work that was begun first ends last: each waits for the next one's end.
    const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
    ends.push(Promise.withResolvers<void>())
    ends[4]?.resolve()
    clock.schedule(5, () => {
      for (let index = 0; index < 4; index++) {
        const work = async (): Promise<number> => {
          await ends[index + 1]?.promise
          await new Promise(resolve => setImmediate(resolve))
          ends[index]?.resolve()
          return index
        }
        driver.offload(work).then(value => ran.push(`work ${value} at ${clock.nowMs}`))
      }
    })
    clock.schedule(6, () => ran.push('an event at 6'))
    await driver.run(10)
    assert.deepEqual(ran, ['work 0 at 5', 'work 1 at 5', 'work 2 at 5', 'work 3 at 5', 'an event at 6'])
  })

  it('hands the error of offloaded work to its caller', async () => {
    const { driver } = setUp()
    const work = driver.offload(async () => {
      throw new Error('no such file')
    })
    await assert.rejects(driver.until(work, 10), /no such file/)
  })
})
