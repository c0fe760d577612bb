import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { OFFENCES, type Offence } from '../../src/core/offences.ts'
import {
  GOSSIP_SHARE,
  GOSSIP_WORST,
  SCORES_MAX,
  type ScoreEvent,
  type ScoreOptions,
  Scores,
} from '../../src/peers/score.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { ScoresTwin } from './score-twin.ts'

const OPTIONS: ScoreOptions = { halfLifeMs: 1_000, dropBelow: -50 }

/** At a time, an offence of a peer; its score after it; what is done thereupon. */
type Step = [atMs: number, peer: string, offence: Offence, score: number, ...done: ('drop' | 'discourage')[]]

const cases: { id: string; options?: Partial<ScoreOptions>; steps: Step[] }[] = [
  {
    id: 'an offence costs its weight',
    steps: [
      [0, 'p', 'rejected', -10],
      [0, 'p', 'oversized', -20],
      [0, 'p', 'malformed', -45],
      [0, 'q', 'malformed', -25],
    ],
  },
  {
    id: 'half is forgiven in a half-life',
    steps: [
      [0, 'p', 'rejected', -10],
      [1_000, 'p', 'rejected', -15],
      [3_000, 'p', 'rejected', -13.75],
    ],
  },
  {
    id: 'at the line a peer stays, below it is dropped, each time again',
    steps: [
      [0, 'p', 'malformed', -25],
      [0, 'p', 'malformed', -50],
      [0, 'p', 'rejected', -60, 'drop'],
      [1_000, 'p', 'malformed', -55, 'drop'],
    ],
  },
  {
    id: 'twice as far down it is discouraged as well, each time again',
    steps: [
      [0, 'p', 'malformed', -25],
      [0, 'p', 'malformed', -50],
      [0, 'p', 'malformed', -75, 'drop'],
      [0, 'p', 'malformed', -100, 'drop'],
      [0, 'p', 'timeout', -102, 'drop', 'discourage'],
      [0, 'p', 'timeout', -104, 'drop', 'discourage'],
      [1_000, 'p', 'timeout', -54, 'drop'],
    ],
  },
  {
    id: 'the second line can be the first',
    options: { discourageBelow: -50 },
    steps: [
      [0, 'p', 'malformed', -25],
      [0, 'p', 'malformed', -50],
      [0, 'p', 'timeout', -52, 'drop', 'discourage'],
    ],
  },
  {
    id: 'without a line nobody is dropped or discouraged',
    options: { dropBelow: null },
    steps: Array.from({ length: 20 }, (_, index): Step => [0, 'p', 'malformed', -25 * (index + 1)]),
  },
  {
    id: 'without the first line peers can still be discouraged',
    options: { dropBelow: null, discourageBelow: -20 },
    steps: [
      [0, 'p', 'rejected', -10],
      [0, 'p', 'malformed', -35, 'discourage'],
    ],
  },
  {
    id: 'without the second line peers can still be dropped',
    options: { discourageBelow: null },
    steps: Array.from(
      { length: 20 },
      (_, index): Step => [0, 'p', 'malformed', -25 * (index + 1), ...(index < 2 ? [] : ['drop' as const])],
    ),
  },
]

describe('scores', () => {
  for (const { id, options, steps } of cases) {
    it(id, () => {
      const scores = new Scores({ ...OPTIONS, ...options })
      for (const [atMs, peer, offence, score, ...done] of steps) {
        assert.deepEqual(
          scores.handle({ type: 'offence', peer, offence }, atMs),
          done.map(type => ({ type, peer, score, offence })),
          `${peer} at ${atMs}`,
        )
        assert.equal(scores.scoreOf(peer, atMs), score)
        assert.equal(scores.isOut(peer, atMs), done.includes('drop'))
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

  it('refuse lines that would drop everyone or lie in the wrong order, and a time in which nothing is forgiven', () => {
    assert.throws(() => new Scores({ halfLifeMs: 1_000, dropBelow: 0 }), assert.AssertionError)
    assert.throws(() => new Scores({ halfLifeMs: 0, dropBelow: -1 }), assert.AssertionError)
    assert.throws(() => new Scores({ ...OPTIONS, discourageBelow: -49 }), assert.AssertionError)
    assert.throws(
      () => new Scores({ ...OPTIONS, dropBelow: null, discourageBelow: 1 }),
      assert.AssertionError,
    )
  })
})

/** For each weight the number of offences at once that is one too many, under the default lines of -100 and -200. */
const THRESHOLDS: Record<number, { drop: number; discourage: number }> = {
  25: { drop: 5, discourage: 9 },
  20: { drop: 6, discourage: 11 },
  10: { drop: 11, discourage: 21 },
  5: { drop: 21, discourage: 41 },
  2: { drop: 51, discourage: 101 },
}

describe('the table of offences', () => {
  for (const offence of Object.keys(OFFENCES) as Offence[]) {
    it(`drops and discourages for ${offence} after as many as its weight says`, () => {
      const scores = new Scores({ halfLifeMs: 600_000, dropBelow: -100 })
      const firsts: Record<string, number> = {}
      for (let count = 1; count <= 101; count++) {
        for (const { type } of scores.handle({ type: 'offence', peer: 'p', offence }, 0))
          firsts[type] ??= count
      }
      assert.deepEqual(firsts, THRESHOLDS[OFFENCES[offence]])
    })
  }

  it('costs at most a tenth of the default line where honest peers err, and at most a quarter elsewhere', () => {
    const line = 100
    const accidents: Offence[] = ['rejected', 'oversized']
    for (const offence of accidents) assert.ok(OFFENCES[offence] <= line / 10)
    for (const weight of Object.values(OFFENCES)) assert.ok(weight > 0 && weight <= line / 4)
  })
})

describe('what gossipsub thinks', () => {
  /** Readings of gossipsub one after the other, and the score after each, under a drop line of -100. */
  const readings: {
    id: string
    options?: Partial<ScoreOptions>
    steps: [reading: number, score: number][]
  }[] = [
    { id: 'costs in proportion', steps: [[-40, -9.5]] },
    {
      id: 'costs a share of the line at most',
      steps: [
        [-80, -19],
        [-1e9, -19],
        [Number.NEGATIVE_INFINITY, -19],
      ],
    },
    {
      id: 'is no credit',
      steps: [
        [1e9, 0],
        [Number.POSITIVE_INFINITY, 0],
        [0, 0],
      ],
    },
    {
      id: 'counts once: the next reading takes its place',
      steps: [
        [-80, -19],
        [-40, -9.5],
        [-80, -19],
        [5, 0],
      ],
    },
    { id: 'is nothing when it is no number', steps: [[Number.NaN, 0]] },
    {
      id: 'is measured by the second line where there is no first',
      options: { dropBelow: null, discourageBelow: -200 },
      steps: [[-80, -38]],
    },
    { id: 'costs nothing where there is no line', options: { dropBelow: null }, steps: [[-80, 0]] },
  ]
  for (const { id, options, steps } of readings) {
    it(id, () => {
      const scores = new Scores({ ...OPTIONS, dropBelow: -100, ...options })
      for (const [reading, score] of steps) {
        assert.deepEqual(scores.handle({ type: 'gossip', peer: 'p', score: reading }, 0), [])
        assert.ok(
          Math.abs(scores.scoreOf('p', 0) - score) < 1e-9,
          `${scores.scoreOf('p', 0)} after ${reading}`,
        )
        scores.check()
      }
    })
  }

  it('drops nobody alone, also where the line is close to 0', () => {
    for (const dropBelow of [-0.6, -1, -50, -1e6]) {
      const scores = new Scores({ halfLifeMs: 1_000, dropBelow })
      for (let times = 0; times < 100; times++)
        assert.deepEqual(scores.handle({ type: 'gossip', peer: 'p', score: -1e9 }, times), [])
      assert.equal(scores.isOut('p', 100), false)
    }
  })

  it('drops and discourages together with offences', () => {
    const scores = new Scores({ halfLifeMs: 1_000, dropBelow: -100 })
    for (let count = 0; count < 4; count++)
      scores.handle({ type: 'offence', peer: 'p', offence: 'malformed' }, 0)
    const expected = { peer: 'p', offence: 'gossip' } as const
    assert.deepEqual(scores.handle({ type: 'gossip', peer: 'p', score: GOSSIP_WORST }, 0), [
      { ...expected, type: 'drop', score: -119 },
    ])
    for (let count = 0; count < 4; count++)
      scores.handle({ type: 'offence', peer: 'p', offence: 'malformed' }, 0)
    assert.deepEqual(scores.handle({ type: 'gossip', peer: 'p', score: GOSSIP_WORST }, 0), [
      { ...expected, type: 'drop', score: -219 },
      { ...expected, type: 'discourage', score: -219 },
    ])
  })

  it('washes off no offence, and takes none back', () => {
    const scores = new Scores(OPTIONS)
    scores.handle({ type: 'offence', peer: 'p', offence: 'malformed' }, 0)
    scores.handle({ type: 'gossip', peer: 'p', score: 1e9 }, 0)
    assert.equal(scores.scoreOf('p', 0), -25)
    scores.handle({ type: 'gossip', peer: 'p', score: -80 }, 1_000)
    assert.equal(scores.scoreOf('p', 1_000), -12.5 + GOSSIP_SHARE * -50)
  })

  it('fades like an offence when no reading follows', () => {
    const scores = new Scores({ ...OPTIONS, dropBelow: -100 })
    scores.handle({ type: 'gossip', peer: 'p', score: -80 }, 0)
    assert.equal(scores.scoreOf('p', 1_000), -9.5)
  })

  it('is remembered of peers that it thinks ill of, and of no others', () => {
    const scores = new Scores(OPTIONS)
    scores.handle({ type: 'gossip', peer: 'p', score: 3 }, 0)
    scores.handle({ type: 'gossip', peer: 'q', score: -0.001 }, 0)
    assert.equal(scores.size, 0)
    scores.handle({ type: 'gossip', peer: 'p', score: -80 }, 0)
    assert.equal(scores.size, 1)
    scores.handle({ type: 'gossip', peer: 'p', score: 3 }, 0)
    assert.equal(scores.size, 0)
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

  it('forgets nobody for a reading of gossipsub, and takes one of a peer that it remembers', () => {
    const scores = new Scores({ halfLifeMs: 1_000_000, dropBelow: -100 })
    for (let index = 0; index < SCORES_MAX; index++)
      scores.handle({ type: 'offence', peer: `p${index}`, offence: 'timeout' }, 0)
    scores.handle({ type: 'gossip', peer: 'fresh', score: -80 }, 0)
    assert.equal(scores.scoreOf('fresh', 0), 0)
    scores.handle({ type: 'gossip', peer: 'p0', score: -80 }, 0)
    assert.equal(scores.scoreOf('p0', 0), -21)
    for (let index = 0; index < SCORES_MAX; index++) assert.ok(scores.scoreOf(`p${index}`, 0) < 0)
    scores.check()
  })
})

describe('scores beside their twin', () => {
  const peer = fc.constantFrom('p', 'q', 'r')
  const offence = fc.constantFrom<Offence>('rejected', 'oversized', 'malformed')
  const event: fc.Arbitrary<ScoreEvent> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ type: fc.constant('offence' as const), peer, offence }) },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('gossip' as const),
        peer,
        score: fc.constantFrom(-1e6, -80, -30, 2),
      }),
    },
  )
  const timed = fc.record({ waitMs: fc.constantFrom(0, 0, 1, 10, 250, 1_000, 7_000), event })

  it('agree', () => {
    forRandomEvents(timed, { runs: 100, most: 100 }, events => {
      const scores = new Scores(OPTIONS)
      const twin = new ScoresTwin(1_000, -50)
      let nowMs = 0
      for (const { waitMs, event } of events) {
        nowMs += waitMs
        const actions = scores.handle(event, nowMs)
        scores.check()
        assert.deepEqual(
          actions.map(({ type, peer }) => `${type} ${peer}`),
          twin.handle(event, nowMs),
        )
        for (const other of ['p', 'q', 'r']) {
          const difference = scores.scoreOf(other, nowMs) - twin.scoreOf(other, nowMs)
          assert.ok(Math.abs(difference) < 1e-9, `${other} at ${nowMs} differs by ${difference}`)
        }
        for (const action of actions) assert.equal(action.score, scores.scoreOf(action.peer, nowMs))
      }
    })
  })
})
