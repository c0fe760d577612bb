import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { TokenBucket } from '../../src/peers/token-bucket.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

/** At a time: tokens that are granted, or so many wanted and so many got. */
type Step =
  | [atMs: number, what: 'grant', tokens: number]
  | [atMs: number, what: 'take', wanted: number, got: number]

/** A token every 10 s, up to 250. */
const OPTIONS = { tokenMs: 10_000, cap: 250 }

const cases: { id: string; steps: Step[] }[] = [
  { id: 'is empty at first', steps: [[0, 'take', 1, 0]] },
  {
    id: 'has its first token when its time is over, to the millisecond',
    steps: [
      [9_999, 'take', 1, 0],
      [10_000, 'take', 2, 1],
      [19_999, 'take', 1, 0],
      [20_000, 'take', 1, 1],
    ],
  },
  {
    id: 'keeps parts of tokens through takes',
    steps: [
      [15_000, 'take', 5, 1],
      [20_000, 'take', 5, 1],
    ],
  },
  {
    id: 'is filled by time up to its cap',
    steps: [
      [2_499_999, 'take', 0, 0],
      [100_000_000, 'take', 1_000, 250],
      [100_000_000, 'take', 1, 0],
    ],
  },
  {
    id: 'is filled beyond it by grants, up to twice the cap',
    steps: [
      [0, 'grant', 250],
      [0, 'grant', 100],
      [0, 'take', 10, 10],
      [0, 'grant', 250],
      [0, 'take', 1_000, 500],
    ],
  },
  {
    id: 'gains nothing by time while it holds its cap or more',
    steps: [
      [0, 'grant', 300],
      [1_000_000, 'take', 50, 50],
      [2_000_000, 'take', 0, 0],
      [2_000_000, 'take', 251, 250],
    ],
  },
  {
    id: 'keeps the part of a token that it has when a grant lifts it over its cap',
    steps: [
      [0, 'grant', 249],
      [9_999, 'grant', 1],
      [50_000, 'take', 300, 250],
      [50_000, 'take', 1, 0],
      [50_001, 'take', 1, 1],
    ],
  },
  {
    id: 'does not lose by a clock that stands still',
    steps: [
      [10_000, 'grant', 0],
      [10_000, 'take', 1, 1],
      [10_000, 'take', 1, 0],
    ],
  },
]

describe('a token bucket', () => {
  for (const { id, steps } of cases) {
    it(id, () => {
      const bucket = new TokenBucket(OPTIONS, 0)
      for (const [atMs, what, count, got] of steps) {
        if (what === 'grant') bucket.grant(count, atMs)
        else assert.equal(bucket.take(count, atMs), got, `at ${atMs}`)
        bucket.check()
      }
    })
  }

  it('counts whole milliseconds of a clock that has parts of them', () => {
    const bucket = new TokenBucket({ tokenMs: 1, cap: 1_000 }, 0.9)
    let got = 0
    for (let at = 1; at <= 1_000; at++) got += bucket.take(10, at * 0.7 + 0.9)
    // From 0.9 to 700.9 there are 700 ends of milliseconds.
    assert.equal(got, 700)
  })

  it('is exact: beside a twin that counts every millisecond', () => {
    const step = fc.record({
      waitMs: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 400 })),
      grant: fc.option(fc.nat({ max: 12 }), { nil: 0 }),
      wanted: fc.nat({ max: 15 }),
    })
    let taken = 0
    forRandomEvents(step, { runs: 200, most: 100 }, steps => {
      const tokenMs = 7
      const cap = 10
      const bucket = new TokenBucket({ tokenMs, cap }, 0)
      let nowMs = 0
      /** Whole tokens, and milliseconds towards the next. */
      let [whole, part] = [0, 0]
      for (const { waitMs, grant, wanted } of steps) {
        for (let ms = 0; ms < waitMs; ms++) {
          if (whole >= cap) continue
          part++
          if (part === tokenMs) [whole, part] = [whole + 1, 0]
        }
        nowMs += waitMs
        bucket.grant(grant, nowMs)
        whole += grant
        if (whole >= 2 * cap) [whole, part] = [2 * cap, 0]
        const got = Math.min(whole, wanted)
        whole -= got
        taken += got
        assert.equal(bucket.take(wanted, nowMs), got, `at ${nowMs}`)
        bucket.check()
      }
    })
    assert.ok(taken > 10_000)
  })
})
