import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { VirtualClock } from '../../src/sim/clock.ts'
import { Driver } from '../../src/sim/driver.ts'
import { SimProcess } from '../../src/sim/process.ts'
import { VirtualTimers } from '../../src/sim/timers.ts'

function setUp() {
  const clock = new VirtualClock()
  const driver = new Driver(clock, setImmediate)
  const ran: string[] = []
  const note = (name: string) => () => {
    ran.push(`${name} at ${clock.nowMs}`)
  }
  return { clock, driver, timers: new VirtualTimers(clock), ran, note }
}

describe('VirtualTimers', () => {
  const delays: [given: number | undefined, takesMs: number][] = [
    [undefined, 1],
    [0, 1],
    [-5, 1],
    [Number.NaN, 1],
    [0.4, 1],
    [1.9, 1],
    [250, 250],
    [2 ** 31 - 1, 2 ** 31 - 1],
    [2 ** 31, 1],
  ]
  for (const [given, takesMs] of delays) {
    it(`takes ${takesMs} ms for a delay of ${given}, as Node does`, async () => {
      const { driver, timers, ran, note } = setUp()
      timers.setTimeout(note('timer'), given)
      await driver.run(2 ** 31)
      assert.deepEqual(ran, [`timer at ${takesMs}`])
    })
  }

  it('runs timers that timers make, with promises in between', async () => {
    const { driver, timers, ran, note } = setUp()
    timers.setTimeout(async () => {
      note('outer')()
      await null
      note('after its await')()
      timers.setTimeout(note('inner'), 5)
    }, 10)
    timers.setTimeout(note('same time'), 10)
    timers.setTimeout(note('between'), 12)
    await driver.run(100)
    assert.deepEqual(ran, [
      'outer at 10',
      'after its await at 10',
      'same time at 10',
      'between at 12',
      'inner at 15',
    ])
  })

  it('passes arguments on', async () => {
    const { driver, timers, ran } = setUp()
    timers.setTimeout((...args) => ran.push(args.join()), 1, 'a', 2)
    timers.setImmediate((...args) => ran.push(args.join()), 'now')
    await driver.run(1)
    assert.deepEqual(ran, ['now', 'a,2'])
  })

  it('refuses what is not a function', () => {
    const { timers } = setUp()
    assert.throws(() => timers.setTimeout('code' as never, 1), TypeError)
  })

  it('repeats intervals without drift until they are cleared, also from inside', async () => {
    const { driver, timers, ran, note } = setUp()
    let rounds = 0
    const timer = timers.setInterval(() => {
      note('tick')()
      if (++rounds === 3) timers.clear(timer)
    }, 7)
    await driver.run(100)
    assert.deepEqual(ran, ['tick at 7', 'tick at 14', 'tick at 21'])
  })

  it('clears by object, by number and by the number as text; anything else is left alone', async () => {
    const { driver, timers, ran, note } = setUp()
    const byNumber = timers.setTimeout(note('by number'), 1)
    const byText = timers.setTimeout(note('by text'), 1)
    const byObject = timers.setTimeout(note('by object'), 1)
    timers.setTimeout(note('kept'), 1)
    timers.clear(Number(byNumber))
    timers.clear(String(Number(byText)))
    timers.clear(byObject)
    for (const nothing of [undefined, null, 12_345, 'x', {}]) timers.clear(nothing)
    await driver.run(10)
    assert.deepEqual(ran, ['kept at 1'])
  })

  it('starts anew with refresh, and stops with close', async () => {
    const { driver, timers, ran, note } = setUp()
    const refreshed = timers.setTimeout(note('refreshed'), 10)
    const closed = timers.setTimeout(note('closed'), 10)
    await driver.run(5)
    refreshed.refresh()
    closed.close()
    await driver.run(30)
    assert.deepEqual(ran, ['refreshed at 15'])
    refreshed.refresh()
    await driver.run(50)
    assert.deepEqual(ran, ['refreshed at 15', 'refreshed at 40'])
  })

  it('aborts a signal when its time is over, with the error of AbortSignal.timeout', async () => {
    const { driver, timers } = setUp()
    const signal = timers.timeoutSignal(6_000)
    await driver.run(5_999)
    assert.equal(signal.aborted, false)
    await driver.run(6_000)
    assert.equal(signal.aborted, true)
    assert.equal((signal.reason as DOMException).name, 'TimeoutError')
  })

  it('sleeps, and is woken by a signal', async () => {
    const { clock, driver, timers } = setUp()
    const slept = timers.sleep(50, 'value')
    assert.equal(await driver.until(slept, 1_000), 'value')
    assert.equal(clock.nowMs, 50)
    const controller = new AbortController()
    const woken = timers.sleep(50, 'value', { signal: controller.signal })
    timers.setTimeout(() => controller.abort(), 20)
    await assert.rejects(driver.until(woken, 1_000), { name: 'AbortError' })
    assert.equal(clock.nowMs, 70)
  })

  it('runs a timer in the process that made it, and never after that was killed', async () => {
    const { driver, timers } = setUp()
    const ran: (string | undefined)[] = []
    const processes = ['a', 'b'].map(name => new SimProcess(name, name))
    const [a] = processes
    for (const process of processes) {
      process.run(() => {
        timers.setInterval(() => ran.push(SimProcess.current()?.name), 10)
        // A timer made after an await belongs to the process too.
        Promise.resolve().then(() => timers.setTimeout(() => ran.push(SimProcess.current()?.name), 25))
      })
    }
    timers.setTimeout(() => ran.push(SimProcess.current()?.name), 11)
    await driver.run(15)
    a?.kill()
    await driver.run(32)
    assert.deepEqual(ran, ['a', 'b', undefined, 'b', 'b', 'b'])
  })
})
