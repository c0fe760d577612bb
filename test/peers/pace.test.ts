import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BURST, Pace, REST_MAX_MS, SPACING_MS } from '../../src/peers/pace.ts'

/** How many dials it allows, one after another, up to a time. */
function allowed(pace: Pace, fromMs: number, toMs: number): number {
  let dials = 0
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 100) {
    while (pace.allows(nowMs)) {
      pace.dialled(nowMs)
      dials++
    }
  }
  return dials
}

describe('the pace', () => {
  it('is a burst, then one in a while, and a burst again after quiet', () => {
    const pace = new Pace()
    assert.equal(allowed(pace, 0, 0), BURST)
    assert.equal(allowed(pace, 100, 100 + 10 * SPACING_MS), 10)
    assert.equal(allowed(pace, 1_000_000, 1_000_000), BURST)
  })

  it('rests when nobody was found, longer each time', () => {
    const pace = new Pace()
    let nowMs = 0
    for (const restMs of [250, 500, 1_000, 2_000, 4_000, REST_MAX_MS, REST_MAX_MS]) {
      pace.rest(nowMs)
      assert.equal(pace.allows(nowMs + restMs - 1), false)
      nowMs += restMs
      assert.equal(pace.allows(nowMs), true)
    }
    pace.dialled(nowMs)
    pace.rest(nowMs)
    assert.equal(pace.allows(nowMs + 250), true)
  })

  it('wakes at once, or is stirred and looks soon', () => {
    const pace = new Pace()
    for (let n = 0; n < 10; n++) pace.rest(0)
    pace.stir(1_000)
    assert.deepEqual([pace.allows(1_249), pace.allows(1_250)], [false, true])
    for (let n = 0; n < 10; n++) pace.rest(2_000)
    pace.wake()
    assert.equal(pace.allows(2_000), true)
    pace.rest(3_000)
    pace.stir(3_100)
    assert.equal(pace.allows(3_250), true, 'stirring does not make a rest longer')
  })
})
