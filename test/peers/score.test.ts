import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { OFFENCES, type Offence } from '../../src/core/offences.ts'
import { SCORES_MAX, type ScoreAction, type ScoreOptions, Scores } from '../../src/peers/score.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

const OPTIONS: ScoreOptions = { halfLifeMs: 1_000, dropBelow: -50 }

/** At a time, an offence of a peer; whether it is then dropped; its score after it. */
type Step = [atMs: number, peer: string, offence: Offence, drop: boolean, score: number]

const cases: { id: string; options?: Partial<ScoreOptions>; steps: Step[] }[] = [
  {
    id: 'an offence costs its weight',
    steps: [
      [0, 'p', 'rejected', false, -10],
      [0, 'p', 'oversized', false, -20],
      [0, 'p', 'malformed', false, -45],
      [0, 'q', 'malformed', false, -25],
    ],
  },
  {
    id: 'half is forgiven in a half-life',
    steps: [
      [0, 'p', 'rejected', false, -10],
      [1_000, 'p', 'rejected', false, -15],
      [3_000, 'p', 'rejected', false, -13.75],
    ],
  },
  {
    id: 'at the line a peer stays, below it is dropped, each time again',
    steps: [
      [0, 'p', 'malformed', false, -25],
      [0, 'p', 'malformed', false, -50],
      [0, 'p', 'rejected', true, -60],
      [1_000, 'p', 'malformed', true, -55],
    ],
  },
  {
    id: 'without a line nobody is dropped',
    options: { dropBelow: null },
    steps: Array.from({ length: 20 }, (_, index): Step => [0, 'p', 'malformed', false, -25 * (index + 1)]),
  },
]

describe('scores', () => {
  for (const { id, options, steps } of cases) {
    it(id, () => {
      const scores = new Scores({ ...OPTIONS, ...options })
      for (const [atMs, peer, offence, isDropped, score] of steps) {
        const drops = scores.handle({ type: 'offence', peer, offence }, atMs)
        assert.deepEqual(
          drops,
          isDropped ? [{ type: 'drop', peer, score, offence }] : [],
          `${peer} at ${atMs}`,
        )
        assert.equal(scores.scoreOf(peer, atMs), score)
        scores.check()
      }
    })
  }

  it('are 0 for a peer without fault, and recover by themselves', () => {
    const scores = new Scores(OPTIONS)
    assert.equal(scores.scoreOf('p', 0), 0)
    scores.handle({ type: 'offence', peer: 'p', offence: 'rejected' }, 0)
    assert.equal(scores.scoreOf('p', 2_000), -2.5)
    assert.equal(scores.scoreOf('q', 2_000), 0)
  })

  it('cost at most a tenth of the default line where honest peers err, and at most a quarter elsewhere', () => {
    const line = 100
    const accidents: Offence[] = ['rejected', 'oversized']
    for (const offence of accidents) assert.ok(OFFENCES[offence] <= line / 10)
    for (const weight of Object.values(OFFENCES)) assert.ok(weight > 0 && weight <= line / 4)
  })

  it('refuse a line that would drop everyone, and a time in which nothing is forgiven', () => {
    assert.throws(() => new Scores({ halfLifeMs: 1_000, dropBelow: 0 }), assert.AssertionError)
    assert.throws(() => new Scores({ halfLifeMs: 0, dropBelow: -1 }), assert.AssertionError)
  })
})

describe('the memory of scores', () => {
  /** So many offenders, one a millisecond, the first of them guiltier. */
  function full(): Scores {
    const scores = new Scores({ halfLifeMs: 1_000_000, dropBelow: null })
    scores.handle({ type: 'offence', peer: 'guilty', offence: 'malformed' }, 0)
    for (let index = 1; index < SCORES_MAX; index++) {
      scores.handle({ type: 'offence', peer: `p${index}`, offence: 'rejected' }, index)
    }
    assert.equal(scores.size, SCORES_MAX)
    return scores
  }

  it('forgets the least guilty one first, not the oldest', () => {
    const scores = full()
    scores.handle({ type: 'offence', peer: 'fresh', offence: 'rejected' }, SCORES_MAX)
    scores.check()
    assert.equal(scores.size, SCORES_MAX)
    assert.ok(scores.scoreOf('guilty', SCORES_MAX) < -20)
    assert.equal(scores.scoreOf('p1', SCORES_MAX), 0)
    assert.ok(scores.scoreOf('p2', SCORES_MAX) < 0)
    assert.equal(scores.scoreOf('fresh', SCORES_MAX), -10)
  })

  it('needs no room for a peer that it remembers', () => {
    const scores = full()
    scores.handle({ type: 'offence', peer: 'p5', offence: 'rejected' }, SCORES_MAX)
    assert.equal(scores.size, SCORES_MAX)
    assert.ok(scores.scoreOf('p1', SCORES_MAX) < 0)
  })

  it('forgets all that are forgiven before one that is not', () => {
    const scores = full()
    // After 4.5 half-lives 10 has become less than 0.5, and 25 has not.
    scores.handle({ type: 'offence', peer: 'fresh', offence: 'rejected' }, 4_500_000)
    assert.equal(scores.size, 2)
    assert.ok(scores.scoreOf('guilty', 4_500_000) < -1)
  })

  it('is not washed away by many fresh offenders', () => {
    const scores = full()
    for (let index = 0; index < 50; index++) {
      scores.handle({ type: 'offence', peer: `new${index}`, offence: 'rejected' }, SCORES_MAX + index)
    }
    assert.ok(scores.scoreOf('guilty', SCORES_MAX + 50) < -20)
    assert.equal(scores.size, SCORES_MAX)
  })
})

/** The naive twin: every offence that ever was, decayed one by one. */
class ScoresTwin {
  readonly #offences: { readonly peer: string; readonly weight: number; readonly atMs: number }[] = []

  scoreOf(peer: string, nowMs: number): number {
    const own = this.#offences.filter(offence => offence.peer === peer)
    return -own.reduce(
      (sum, { weight, atMs }) => sum + weight / 2 ** ((nowMs - atMs) / OPTIONS.halfLifeMs),
      0,
    )
  }

  handle(peer: string, offence: Offence, nowMs: number): string[] {
    this.#offences.push({ peer, weight: OFFENCES[offence], atMs: nowMs })
    return this.scoreOf(peer, nowMs) < Number(OPTIONS.dropBelow) ? [peer] : []
  }
}

describe('scores beside their twin', () => {
  const event = fc.record({
    waitMs: fc.constantFrom(0, 0, 1, 10, 250, 1_000, 7_000),
    peer: fc.constantFrom('p', 'q', 'r'),
    offence: fc.constantFrom<Offence>('rejected', 'oversized', 'malformed'),
  })

  it('agree', () => {
    forRandomEvents(event, { runs: 100, most: 100 }, events => {
      const scores = new Scores(OPTIONS)
      const twin = new ScoresTwin()
      let nowMs = 0
      for (const { waitMs, peer, offence } of events) {
        nowMs += waitMs
        const drops: ScoreAction[] = scores.handle({ type: 'offence', peer, offence }, nowMs)
        scores.check()
        assert.deepEqual(
          drops.map(drop => drop.peer),
          twin.handle(peer, offence, nowMs),
        )
        for (const other of ['p', 'q', 'r']) {
          const difference = scores.scoreOf(other, nowMs) - twin.scoreOf(other, nowMs)
          assert.ok(Math.abs(difference) < 1e-9, `${other} at ${nowMs} differs by ${difference}`)
        }
        for (const drop of drops) assert.equal(drop.score, scores.scoreOf(drop.peer, nowMs))
      }
    })
  })
})
