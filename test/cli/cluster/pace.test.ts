import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BACKLOG_MAX_MS, Pace } from '../../../src/cli/cluster/pace.ts'

/** Of times and counts in floating point. */
const ROUNDING = 1e-6

describe('Pace', () => {
  it('keeps its timetable when it is asked late', () => {
    const pace = new Pace(10, 0, 1_000)
    assert.equal(pace.waitMs(900), 100)
    assert.equal(pace.take(999), 0)
    assert.equal(pace.take(1_000), 1)
    assert.equal(pace.waitMs(1_000), 100)
    assert.equal(pace.take(1_350), 3)
    assert.equal(pace.waitMs(1_350), 50)
  })

  it('skips what is more than its backlog behind', () => {
    const pace = new Pace(100, 0, 0)
    assert.equal(pace.take(10_000), BACKLOG_MAX_MS / 10)
    assert.equal(pace.skipped, 1_001 - BACKLOG_MAX_MS / 10)
    assert.equal(pace.take(10_000), 0)
  })

  it('catches up with one message when the interval is longer than the backlog', () => {
    const pace = new Pace(0.1, 0.5, 0)
    assert.equal(pace.take(4_999), 0)
    assert.equal(pace.take(60_000), 1)
    assert.equal(pace.skipped, 5)
  })

  it('sends what the rate says, however often it is asked', () => {
    const rates = fc.double({ min: 0.5, max: 5_000, noNaN: true })
    fc.assert(
      fc.property(rates, fc.array(fc.nat(500), { minLength: 1 }), (ratePerS, steps) => {
        const pace = new Pace(ratePerS, 0, 0)
        let nowMs = 0
        let taken = 0
        for (const step of steps) {
          nowMs += step
          const now = pace.take(nowMs)
          assert.ok(now <= Math.max(1, (ratePerS * BACKLOG_MAX_MS) / 1_000))
          taken += now
          assert.equal(pace.take(nowMs), 0)
          assert.ok(pace.waitMs(nowMs) <= 1_000 / ratePerS + ROUNDING)
        }
        const [sent, asked] = [taken + pace.skipped, (nowMs * ratePerS) / 1_000]
        assert.ok(asked < sent + ROUNDING && sent <= asked + 1 + ROUNDING, `${sent} for ${asked}`)
      }),
    )
  })
})
