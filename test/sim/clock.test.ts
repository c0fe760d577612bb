import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { VirtualClock, type VirtualEvent } from '../../src/sim/clock.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

/** Runs everything up to `untilMs`; returns how many loud events there were. */
function runAll(clock: VirtualClock, untilMs: number): number {
  let loud = 0
  while (clock.step(untilMs)) loud++
  return loud
}

describe('VirtualClock', () => {
  it('runs events in the order of their time, and of their making within it', () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    for (const [name, atMs] of Object.entries({ c: 30, a: 10, d: 30, b: 20 })) {
      clock.schedule(atMs, () => ran.push(`${name} at ${clock.nowMs}`))
    }
    runAll(clock, 100)
    assert.deepEqual(ran, ['a at 10', 'b at 20', 'c at 30', 'd at 30'])
    assert.equal(clock.nowMs, 100)
  })

  it('runs what an event makes for its own time after what was there before', () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    clock.schedule(10, () => {
      ran.push('first')
      clock.schedule(10, () => ran.push('made by the first'))
      clock.schedule(5, () => ran.push('due before now'))
    })
    clock.schedule(10, () => ran.push('second'))
    runAll(clock, 10)
    assert.deepEqual(ran, ['first', 'second', 'made by the first', 'due before now'])
    assert.equal(clock.nowMs, 10)
  })

  it('stops after a loud event, and goes through quiet ones', () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    clock.scheduleQuiet(1, () => ran.push('quiet 1'))
    clock.schedule(2, () => ran.push('loud 2'))
    clock.scheduleQuiet(3, () => ran.push('quiet 3'))
    assert.equal(clock.step(10), true)
    assert.deepEqual(ran, ['quiet 1', 'loud 2'])
    assert.equal(clock.step(10), false)
    assert.deepEqual(ran, ['quiet 1', 'loud 2', 'quiet 3'])
    assert.equal(clock.nowMs, 10)
  })

  it('runs nothing beyond its bound', () => {
    const clock = new VirtualClock()
    const ran: number[] = []
    for (const atMs of [9.5, 10, 10.5]) clock.schedule(atMs, () => ran.push(atMs))
    runAll(clock, 10)
    assert.deepEqual(ran, [9.5, 10])
    assert.equal(clock.nextMs, 10.5)
  })

  it('runs no event that was cancelled, also by one before it', () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    const late = clock.schedule(2, () => ran.push('late'))
    const early = clock.schedule(1, () => {
      ran.push('early')
      clock.cancel(late)
      clock.cancel(early)
    })
    runAll(clock, 10)
    assert.deepEqual(ran, ['early'])
    assert.equal(clock.size, 0)
  })

  it('forgets cancelled events before their time when there are many', () => {
    const clock = new VirtualClock()
    const events = Array.from({ length: 5_000 }, (_, index) => clock.schedule(index, () => {}))
    for (const event of events.slice(0, 4_000)) clock.cancel(event)
    clock.check()
    assert.equal(clock.size, 1_000)
    assert.equal(runAll(clock, 10_000), 1_000)
  })

  it('lets the error of an event through, and goes on after it', () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    clock.schedule(1, () => {
      throw new Error('out of the event')
    })
    clock.schedule(2, () => ran.push('after it'))
    assert.throws(() => clock.step(10), /out of the event/)
    runAll(clock, 10)
    assert.deepEqual(ran, ['after it'])
  })

  it('agrees with a sorted list on random events', () => {
    type Op =
      | { type: 'add'; inMs: number }
      | { type: 'cancel'; which: number }
      | { type: 'run'; forMs: number }
    const op = fc.oneof(
      { weight: 4, arbitrary: fc.record({ type: fc.constant('add' as const), inMs: fc.nat(50) }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('cancel' as const), which: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('run' as const), forMs: fc.nat(40) }) },
    )
    forRandomEvents<Op>(op, { runs: 50, most: 3_000 }, ops => {
      const clock = new VirtualClock()
      const ran: number[] = []
      const expected: number[] = []
      let waiting: { readonly index: number; readonly atMs: number; readonly event: VirtualEvent }[] = []
      let nowMs = 0
      for (const [index, next] of ops.entries()) {
        if (next.type === 'add') {
          const atMs = nowMs + next.inMs
          waiting.push({ index, atMs, event: clock.schedule(atMs, () => ran.push(index)) })
        } else if (next.type === 'cancel') {
          const [taken] = waiting.splice(next.which % Math.max(1, waiting.length), 1)
          if (taken !== undefined) clock.cancel(taken.event)
        } else {
          nowMs += next.forMs
          const due = waiting.filter(({ atMs }) => atMs <= nowMs)
          waiting = waiting.filter(({ atMs }) => atMs > nowMs)
          // The sort is stable, so equal times stay in the order of their making.
          expected.push(...due.sort((a, b) => a.atMs - b.atMs).map(item => item.index))
          runAll(clock, nowMs)
        }
        clock.check()
        assert.equal(clock.size, waiting.length)
      }
      assert.deepEqual(ran, expected)
    })
  })
})
