import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SEEK_PERIOD_MS, Seeking } from '../../src/peers/seeking.ts'

const SECOND_MS = 1_000

/** The seconds at which it asks, within a time and with a look each second. */
function asked(seeking: Seeking, fromS: number, toS: number, each: (second: number) => void): number[] {
  const seconds: number[] = []
  for (let second = fromS; second < toS; second++) {
    each(second)
    if (seeking.isDue(second * SECOND_MS)) seconds.push(second)
  }
  return seconds
}

describe('seeking', () => {
  it('asks at once, then after pauses that double up to half an hour', () => {
    const seeking = new Seeking(() => 1)
    const seconds = asked(seeking, 0, 8_000, () => seeking.want())
    assert.deepEqual(seconds, [0, 15, 45, 105, 225, 465, 945, 1_905, 3_705, 5_505, 7_305])
  })

  it('asks in any case after half an hour, or up to a quarter sooner', () => {
    for (const [random, seconds] of [
      [1, [1_800, 3_600]],
      [0, [1_350, 2_700, 4_050]],
    ] as const) {
      const seeking = new Seeking(() => random)
      assert.deepEqual(
        asked(seeking, 0, 4_500, () => {}),
        seconds,
      )
    }
    assert.equal(SEEK_PERIOD_MS, 1_800 * SECOND_MS)
  })

  it('keeps a wish until it may ask, unless it is content before', () => {
    const seeking = new Seeking(() => 1)
    const wishes = (second: number): void => {
      if (second === 1 || second === 2 || second === 20) seeking.want()
      if (second === 21) seeking.content()
    }
    assert.deepEqual(asked(seeking, 0, 1_000, wishes), [1, 16])
  })

  it('starts small again when it was content, and when the last peer is lost', () => {
    for (const start of ['content', 'urge'] as const) {
      const seeking = new Seeking(() => 1)
      const wishes = (second: number): void => {
        if (second === 1_000) seeking[start]()
        seeking.want()
      }
      assert.deepEqual(asked(seeking, 0, 1_050, wishes), [0, 15, 45, 105, 225, 465, 945, 1_000, 1_030], start)
    }
  })
})
