import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Outage, STREAK } from '../../src/peers/outage.ts'

const OPTIONS = { minMs: 1_000, maxMs: 60_000 }

/** An outage one failure before it is noticed. */
function nearly(isAlone: boolean): Outage {
  const outage = new Outage(OPTIONS, () => 0.5)
  for (let n = 1; n < STREAK; n++) {
    assert.equal(outage.failed(isAlone, 0), false)
    assert.equal(outage.isCounting, true)
  }
  return outage
}

describe('an outage', () => {
  it('is noticed after a streak: failures no longer count, and there is a pause', () => {
    const outage = nearly(true)
    assert.equal(outage.failed(true, 0), true)
    assert.equal(outage.isCounting, false)
    assert.deepEqual([outage.isPausing(874), outage.isPausing(875)], [true, false])
  })

  it('makes no pause while somebody is connected', () => {
    const outage = nearly(false)
    assert.equal(outage.failed(false, 0), false)
    assert.equal(outage.isCounting, false)
    assert.equal(outage.isPausing(0), false)
  })

  it('makes longer and longer pauses; a failure during one does not count', () => {
    const outage = nearly(true)
    let nowMs = 0
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      assert.equal(outage.failed(true, nowMs), true)
      assert.equal(outage.failed(true, nowMs + 1), false)
      outage.check()
      nowMs += seconds * 875
      assert.deepEqual([outage.isPausing(nowMs - 1), outage.isPausing(nowMs)], [true, false])
    }
  })

  it('is over when anybody answers', () => {
    const outage = nearly(true)
    outage.failed(true, 0)
    outage.answered()
    assert.deepEqual([outage.isPausing(1), outage.isCounting], [false, true])
    for (let n = 1; n < STREAK; n++) outage.failed(true, 0)
    assert.equal(outage.failed(true, 0), true)
    assert.equal(outage.isPausing(875), false)
  })

  it('spreads its pauses by a quarter', () => {
    for (const [random, pauseMs] of [
      [0, 750],
      [0.999, 999.75],
    ] as const) {
      const outage = new Outage(OPTIONS, () => random)
      for (let n = 0; n < STREAK; n++) outage.failed(true, 0)
      assert.deepEqual([outage.isPausing(pauseMs - 1), outage.isPausing(pauseMs + 1)], [true, false])
    }
  })

  it('refuses pauses that make no sense', () => {
    assert.throws(() => new Outage({ minMs: 0, maxMs: 1 }, () => 0), assert.AssertionError)
    assert.throws(() => new Outage({ minMs: 2, maxMs: 1 }, () => 0), assert.AssertionError)
  })
})
