import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Anchor, Anchors, TRIALS_MAX } from '../../src/peers/anchors.ts'
import { Outbound } from '../../src/peers/outbound.ts'
import {
  A,
  A2,
  B,
  C,
  type Course,
  closed,
  D,
  E,
  failed,
  greeted,
  inShort,
  joined,
  ListBook,
  OPTIONS,
  play,
  refused,
  tick,
  WALL_MS,
} from './outbound-setup.ts'

const anchor = (endpoint: string, trials = 0): Anchor => ({ endpoint, peer: `at ${endpoint}`, trials })

/** No rotation and no feelers. */
const CALM = { rotationMinMs: 1e9, rotationMaxMs: 1e9, feelerPeriodMs: 1e9 }
const MINUTE_MS = 60_000

const courses: readonly Course[] = [
  {
    id: 'are dialled before all others, and their trials written before that',
    book: [C, D],
    options: { ...CALM, anchors: 2 },
    anchors: [anchor(A), anchor(B, 1)],
    steps: [
      [0, tick, `anchors ${A} 1 ${B} 2`, `anchor ${A}`, `anchor ${B}`, `outbound ${C}`],
      [1, greeted(A, `at ${A}`)],
      [2, failed(B), `outbound ${D}`],
    ],
  },
  {
    id: 'are no more than wanted, and no more than places',
    book: [],
    options: { ...CALM, target: 1, anchors: 2 },
    anchors: [anchor(A), anchor(B)],
    steps: [[0, tick, `anchors ${A} 1`, `anchor ${A}`]],
  },
  {
    id: 'are never two in one group, nor in that of another place',
    book: [B],
    options: { ...CALM, anchors: 2 },
    anchors: [anchor(A), anchor(A2)],
    steps: [
      [0, tick, `anchors ${A} 1 ${A2} 0`, `anchor ${A}`, `outbound ${B}`, 'seek'],
      [10, failed(A), `anchors ${A} 1 ${A2} 1`, `anchor ${A2}`],
    ],
  },
  {
    id: 'are given up after so many trials',
    book: [B],
    options: { ...CALM, anchors: 2, target: 2 },
    anchors: [anchor(A, TRIALS_MAX), anchor(C, 2)],
    steps: [[0, tick, `anchors ${C} 3`, `anchor ${C}`, `outbound ${B}`]],
  },
  {
    id: 'have their trials forgiven after a minute',
    book: [],
    options: { ...CALM, anchors: 1, target: 1 },
    anchors: [anchor(A, 1)],
    steps: [
      [0, tick, `anchors ${A} 2`, `anchor ${A}`],
      [100, greeted(A, `at ${A}`)],
      [MINUTE_MS + 100, tick, `anchors ${A} 0`],
      [20 * MINUTE_MS, tick],
    ],
  },
  {
    id: 'have their trials forgiven when the node stops in order, after which nothing happens',
    book: [],
    options: { ...CALM, anchors: 1, target: 1 },
    anchors: [anchor(A, 1)],
    steps: [
      [0, tick, `anchors ${A} 2`, `anchor ${A}`],
      [100, greeted(A, `at ${A}`)],
      [200, { type: 'stop' }, `anchors ${A} 0`],
      [300, closed(`at ${A}`)],
      [20 * MINUTE_MS, tick],
    ],
  },
  {
    id: 'are given up one at a start, not all at once',
    book: [],
    options: { ...CALM, anchors: 2, target: 2 },
    anchors: [anchor(A, 3), anchor(B, 3)],
    steps: [[0, tick, `anchors ${B} 3`, `anchor ${B}`, 'seek']],
  },
  {
    id: 'are forgotten when somebody of another network answers',
    book: [],
    options: { ...CALM, anchors: 1, target: 1 },
    anchors: [anchor(A)],
    steps: [
      [0, tick, `anchors ${A} 1`, `anchor ${A}`],
      [1, refused(A, 'network'), 'anchors', 'seek'],
    ],
  },
  {
    id: 'have had no trial when they are connected already',
    book: [B, C],
    options: { ...CALM, anchors: 1, target: 1 },
    anchors: [anchor(A)],
    steps: [
      [0, tick, `anchors ${A} 1`, `anchor ${A}`],
      [1, refused(A, 'duplicate', `at ${A}`), `anchors ${A} 0`, `outbound ${B}`],
    ],
  },
  {
    id: 'are not dialled when they have dialled us',
    book: [B],
    options: { ...CALM, anchors: 1, target: 1 },
    anchors: [anchor(A)],
    steps: [[0, joined(`at ${A}`), `outbound ${B}`]],
  },
  {
    id: 'are first written after a minute, then when one is lost, but not within ten minutes',
    book: [A, B, C, D],
    options: { ...CALM, anchors: 2, parallelDials: 4 },
    steps: [
      [0, tick, `outbound ${A}`, `outbound ${B}`, `outbound ${C}`],
      [1, greeted(A, 'P')],
      [2, greeted(B, 'Q')],
      [3, greeted(C, 'R')],
      [MINUTE_MS, tick, `anchors ${A} 0 ${B} 0`],
      [5 * MINUTE_MS, closed('P'), `outbound ${D}`],
      [5 * MINUTE_MS, greeted(D, 'S')],
      [11 * MINUTE_MS, tick, `anchors ${B} 0 ${C} 0`],
      [12 * MINUTE_MS, closed('Q'), `outbound ${A}`],
      [21 * MINUTE_MS, tick, `anchors ${C} 0 ${D} 0`],
    ],
  },
  {
    id: 'are written sooner while there could be more',
    book: [A, B],
    options: { ...CALM, anchors: 2, target: 2 },
    steps: [
      [0, tick, `outbound ${A}`, `outbound ${B}`],
      [1, greeted(A, 'P')],
      [MINUTE_MS, tick, `anchors ${A} 0`],
      [MINUTE_MS + 1, greeted(B, 'Q')],
      [2 * MINUTE_MS, tick, `anchors ${A} 0 ${B} 0`],
    ],
  },
  {
    id: 'stay anchors although others were quicker to answer',
    book: [B, C],
    options: { ...CALM, anchors: 1 },
    anchors: [anchor(A)],
    steps: [
      [0, tick, `anchors ${A} 1`, `anchor ${A}`, `outbound ${B}`, `outbound ${C}`],
      [1, greeted(B, 'Q')],
      [2, greeted(C, 'R')],
      [500, greeted(A, `at ${A}`)],
      [MINUTE_MS + 500, tick, `anchors ${A} 0`],
      [26 * MINUTE_MS, tick],
    ],
  },
  {
    id: 'that could not be reached give way to those that are connected, and else stay',
    book: [C],
    options: { ...CALM, anchors: 2, target: 2 },
    anchors: [anchor(A), anchor(B)],
    steps: [
      [0, tick, `anchors ${A} 1 ${B} 1`, `anchor ${A}`, `anchor ${B}`],
      [1, failed(B), `outbound ${C}`],
      [2, greeted(C, 'R')],
      [3, failed(A), 'seek'],
      [13_200, tick, 'seek'],
      [39_500, tick, 'seek'],
      [MINUTE_MS, tick, `anchors ${C} 0 ${A} 1`],
    ],
  },
  {
    id: 'that have had all their trials do not stay, whoever is connected',
    book: [C],
    options: { ...CALM, anchors: 2, target: 2 },
    anchors: [anchor(A, 2), anchor(B, 1)],
    steps: [
      [0, tick, `anchors ${A} 3 ${B} 2`, `anchor ${A}`, `anchor ${B}`],
      [1, failed(A), `outbound ${C}`],
      [2, greeted(C, 'R')],
      [50_000, failed(B), 'seek'],
      [MINUTE_MS, tick, `anchors ${C} 0 ${B} 2`],
    ],
  },
  {
    id: 'at which somebody answered in vain are not tried again in this run',
    book: [B],
    options: { ...CALM, anchors: 1, target: 1 },
    anchors: [anchor(A)],
    steps: [
      [0, tick, `anchors ${A} 1`, `anchor ${A}`],
      [1, refused(A, 'version'), `outbound ${B}`],
      [2, greeted(B, 'Q')],
      [5_000, closed('Q'), 'seek'],
      [6_800, tick, `outbound ${B}`],
    ],
  },
  {
    id: 'are tried again, before all others, when the last place is lost',
    book: [B],
    options: { ...CALM, anchors: 1, target: 1 },
    anchors: [anchor(A)],
    steps: [
      [0, tick, `anchors ${A} 1`, `anchor ${A}`],
      [1, failed(A), `outbound ${B}`],
      [2, greeted(B, 'Q')],
      [5_000, closed('Q'), `anchors ${A} 1`, `anchor ${A}`],
    ],
  },
  {
    id: 'do not go by rotation',
    book: [A, B, C, D, E],
    options: { ...CALM, anchors: 2, target: 2, rotationMinMs: 70_000, rotationMaxMs: 70_000 },
    steps: [
      [0, tick, `outbound ${A}`, `outbound ${B}`],
      [0, greeted(A, 'P')],
      [0, greeted(B, 'Q')],
      [MINUTE_MS, tick, `anchors ${A} 0 ${B} 0`],
      [10 * MINUTE_MS, tick],
    ],
  },
]

describe('anchors', () => {
  for (const course of courses) it(course.id, () => play(course))

  it('are known by their role once they are on the list', () => {
    const parts = { book: new ListBook(A, B), random: () => 0.5, mayDial: () => true, anchors: [] }
    const outbound = new Outbound({ ...OPTIONS, ...CALM, target: 2, anchors: 1 }, parts)
    outbound.handle(tick, 0, WALL_MS)
    outbound.handle(greeted(A, 'P'), 1, WALL_MS)
    outbound.handle(greeted(B, 'Q'), 2, WALL_MS)
    const roles = (): unknown[] => ['P', 'Q', 'R'].map(peer => outbound.roleOf(peer))
    assert.deepEqual(roles(), ['outbound', 'outbound', undefined])
    outbound.handle(tick, MINUTE_MS, WALL_MS)
    assert.deepEqual(roles(), ['anchor', 'outbound', undefined])
    const { results, ...counts } = outbound.counts()
    assert.deepEqual(counts, { established: 2, anchors: 1, dialling: 0 })
    assert.deepEqual(results.outbound, { greeted: 2, refused: 0, failed: 0 })
  })

  it('that kill us are dialled three times in all', () => {
    let saved: readonly Anchor[] = [anchor(A), anchor(B)]
    let dials = 0
    for (let start = 0; start < 10; start++) {
      const parts = { book: new ListBook(), random: () => 0.5, mayDial: () => true, anchors: saved }
      const outbound = new Outbound({ ...OPTIONS, anchors: 2 }, parts)
      // Actions are carried out in their order until A is dialled, which is the end of this process.
      for (const action of outbound.handle(tick, 0, WALL_MS)) {
        if (action.type === 'anchors') saved = action.anchors
        if (inShort(action) === `anchor ${A}`) dials++
      }
    }
    assert.equal(dials, TRIALS_MAX)
    assert.deepEqual(saved, [])
  })

  it('that fail while nobody answers have had no trial, and come first after each pause', () => {
    const trash = Array.from({ length: 200 }, (_, n) => `12.${n}.0.1:9000`)
    const parts = {
      book: new ListBook(...trash),
      random: () => 0.5,
      mayDial: () => true,
      anchors: [anchor(A, 1)],
    }
    const outbound = new Outbound({ ...OPTIONS, anchors: 1 }, parts)
    const dials: { atMs: number; endpoint: string }[] = []
    let saved: readonly Anchor[] = []
    for (let nowMs = 0; nowMs < 3_600_000; nowMs += 100) {
      const actions = outbound.handle(tick, nowMs, WALL_MS + nowMs)
      for (const action of actions) {
        if (action.type === 'anchors') saved = action.anchors
        if (action.type !== 'dial') continue
        dials.push({ atMs: nowMs, endpoint: action.endpoint })
        actions.push(...outbound.handle(failed(action.endpoint), nowMs, WALL_MS + nowMs))
      }
      outbound.check()
    }
    const rounds = dials.filter(({ endpoint }) => endpoint === A)
    assert.ok(rounds.length > 60 && rounds.length < 90, `${rounds.length} rounds`)
    for (const [index, dial] of dials.entries()) {
      const isAfterPause = dial.atMs - (dials[index - 1]?.atMs ?? 0) >= 800
      if (index > 20 && isAfterPause) assert.equal(dial.endpoint, A, `at ${dial.atMs}`)
    }
    assert.deepEqual(
      saved.map(({ trials }) => trials),
      [1],
    )
  })
})

describe('a list of anchors', () => {
  it('takes nothing twice, and nothing beyond its length', () => {
    const anchors = new Anchors(2, [anchor(A), anchor(A), anchor(B), anchor(C)])
    anchors.check()
    assert.deepEqual(
      anchors.list().map(({ endpoint }) => endpoint),
      [A, B],
    )
    assert.equal(anchors.takeChange(), true)
    assert.equal(anchors.takeChange(), false)
  })

  it('of length 0 is never written', () => {
    const anchors = new Anchors(0, [anchor(A)])
    anchors.update([{ endpoint: B, peer: 'Q', sinceMs: 0 }], 10 * MINUTE_MS)
    assert.deepEqual([anchors.list(), anchors.takeChange()], [[], false])
  })

  it('learns who is at an endpoint now', () => {
    const anchors = new Anchors(1, [anchor(A)])
    anchors.dialled(A)
    anchors.takeChange()
    anchors.greeted(A, 'somebody else')
    assert.equal(anchors.takeChange(), true)
    assert.equal(anchors.list()[0]?.peer, 'somebody else')
  })
})
