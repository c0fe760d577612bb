import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Outbound } from '../../src/peers/outbound.ts'
import { REST_MAX_MS } from '../../src/peers/pace.ts'
import { TRIES_MAX } from '../../src/peers/pick.ts'
import {
  A,
  A2,
  B,
  C,
  type Course,
  closed,
  D,
  E,
  FULL,
  failed,
  gone,
  greeted,
  inShort,
  joined,
  ListBook,
  learned,
  OPTIONS,
  play,
  refused,
  TICK_MS,
  tick,
  WALL_MS,
} from './outbound-setup.ts'

const LOCAL = ['10.0.0.1:9000', '10.0.0.1:9001', '127.0.0.1:9000'] as const

const places: readonly Course[] = [
  {
    id: 'are filled, so many dials at once, and then no more',
    book: [A, B, C, D],
    steps: [
      [0, tick, `outbound ${A}`, `outbound ${B}`],
      [50, greeted(A, 'P'), `outbound ${C}`],
      [60, greeted(B, 'Q')],
      [70, greeted(C, 'R')],
      [20_000, tick],
    ],
  },
  {
    id: 'are never two in one group, not even two dials',
    book: [A, A2, B],
    steps: [
      [0, tick, `outbound ${A}`, `outbound ${B}`],
      [1, greeted(B, 'Q'), 'seek'],
      [300, failed(A), `outbound ${A2}`],
      [301, greeted(A2, 'P')],
      [10_000, tick],
    ],
  },
  {
    id: 'go to any endpoints where groups have no rules',
    book: LOCAL,
    options: { groupRules: 'routable' },
    steps: [
      [0, tick, `outbound ${LOCAL[0]}`, `outbound ${LOCAL[1]}`],
      [1, greeted(LOCAL[1], 'P'), `outbound ${LOCAL[2]}`],
    ],
  },
  {
    id: 'that are lost are filled at once, and their groups are free',
    book: [A, B, C, A2],
    steps: [...FULL, [5_000, closed('P'), `outbound ${A2}`]],
  },
  {
    id: 'go to those who were lost when there is nobody else, after a pause that doubles, at most a rest later',
    book: [A],
    options: { target: 1 },
    steps: [
      [0, tick, `outbound ${A}`],
      [0, greeted(A, 'P')],
      [300_000, closed('P'), 'seek'],
      [301_800, tick, `outbound ${A}`],
      [302_000, failed(A)],
      [303_800, tick, `outbound ${A}`],
      [304_000, failed(A)],
      [307_800, tick, `outbound ${A}`],
      [307_900, greeted(A, 'P')],
    ],
  },
  {
    id: 'go to who closes soon after longer and longer pauses, until it has stayed a minute',
    book: [A],
    options: { target: 1 },
    steps: [
      [0, tick, `outbound ${A}`],
      [0, greeted(A, 'P')],
      [0, closed('P'), 'seek'],
      [1_800, tick, `outbound ${A}`],
      [1_800, greeted(A, 'P')],
      [2_000, closed('P')],
      [3_800, tick, `outbound ${A}`],
      [4_000, greeted(A, 'P')],
      [63_999, closed('P'), 'seek'],
      [67_800, tick, `outbound ${A}`],
      [67_900, greeted(A, 'P')],
      [127_900, closed('P'), 'seek'],
      [129_700, tick, `outbound ${A}`],
    ],
  },
  {
    id: 'do not go to those who may not be dialled',
    book: [A, B],
    mayNot: [A],
    steps: [[0, tick, `outbound ${B}`, 'seek']],
  },
  {
    id: 'are not filled at all when there shall be none',
    book: [A, B],
    options: { target: 0 },
    steps: [
      [0, tick],
      [4_000_000, tick],
    ],
  },
]

const answers: readonly Course[] = [
  {
    id: 'of another network, or ourselves: the address leaves the book',
    book: [A, B],
    options: { target: 1 },
    steps: [
      [0, tick, `outbound ${A}`],
      [1, refused(A, 'network', 'P'), `outbound ${B}`],
      [2, refused(B, 'self'), 'seek'],
      [10_000, tick],
    ],
  },
  {
    id: 'of no use otherwise: the address is tried again after its pause',
    book: [A],
    options: { target: 1 },
    steps: [
      [0, tick, `outbound ${A}`],
      [10, refused(A, 'version', 'P'), 'seek'],
      [1_800, tick, `outbound ${A}`],
    ],
  },
  {
    id: 'of a peer that has dialled us: it is left alone as long as it is connected',
    book: [A],
    options: { target: 1 },
    steps: [
      [0, joined('P'), `outbound ${A}`],
      [10, refused(A, 'duplicate', 'P'), 'seek'],
      [13_200, tick, 'seek'],
      [30_000, tick],
      [30_001, gone('P')],
      [30_300, tick, `outbound ${A}`],
    ],
  },
  {
    id: 'of somebody whose connection we never heard of: a pause',
    book: [A],
    options: { target: 1 },
    steps: [
      [0, tick, `outbound ${A}`],
      [10, refused(A, 'duplicate', 'P'), 'seek'],
      [1_800, tick, `outbound ${A}`],
    ],
  },
  {
    id: 'of who is connected already takes no place and costs no connection',
    book: [A, B, C, D],
    steps: [
      [0, tick, `outbound ${A}`, `outbound ${B}`],
      [1, greeted(A, 'P'), `outbound ${C}`],
      [2, greeted(B, 'P'), `outbound ${D}`],
      [3, joined('Q')],
      [4, greeted(C, 'Q'), 'seek'],
      [5, greeted(D, 'R')],
    ],
  },
  {
    id: 'that nobody asked for change nothing',
    book: [],
    steps: [
      [0, tick, 'seek'],
      [1, failed(A)],
      [2, greeted(A, 'P')],
      [3, refused(A, 'network')],
      [4, closed('P')],
      [5, gone('P')],
    ],
  },
]

const rotation: readonly Course[] = [
  {
    id: 'gives the youngest place to one from another group, if it greets; and no further before that one is gone',
    book: [A, B, C, D, E],
    options: { feelerPeriodMs: 1e9 },
    steps: [
      ...FULL,
      [30_000, tick, `rotation ${D}`],
      [30_100, greeted(D, 'S'), 'drop R rotated'],
      [61_100, closed('R'), `rotation ${E}`],
      [61_200, failed(E)],
      [100_000, tick],
    ],
  },
  {
    id: 'leaves alone what it has tried for ten minutes, and whom it sent away',
    book: [A, B, C, A2, D],
    options: { feelerPeriodMs: 1e9 },
    steps: [
      ...FULL,
      [30_000, tick, `rotation ${D}`],
      [30_000, greeted(D, 'S'), 'drop R rotated'],
      [30_001, closed('R')],
      [630_000, tick, `rotation ${C}`],
      [630_000, greeted(C, 'R'), 'drop S rotated'],
    ],
  },
  {
    id: 'fills a place that was lost meanwhile, and what is then too many goes',
    book: [A, B, C, D, E],
    steps: [
      ...FULL,
      [30_000, tick, `rotation ${D}`],
      [30_001, closed('P'), `outbound ${E}`],
      [30_002, greeted(D, 'S')],
      [30_003, greeted(E, 'T'), 'drop T surplus'],
      [30_004, closed('T')],
      [59_900, tick],
    ],
  },
  {
    id: 'waits while places are free',
    book: [A, B],
    steps: [
      [0, tick, `outbound ${A}`, `outbound ${B}`],
      [0, greeted(A, 'P'), 'seek'],
      [0, greeted(B, 'Q')],
      [13_200, tick, 'seek'],
      [39_500, tick, 'seek'],
    ],
  },
]

const feelers: readonly Course[] = [
  {
    id: 'go out when all places are taken, one at a time, to new addresses in any group, and are dropped at once',
    book: [A, A2],
    options: { target: 1, rotationMinMs: 1e9, rotationMaxMs: 1e9 },
    steps: [
      [0, tick, `outbound ${A}`],
      [90_000, greeted(A, 'P')],
      [166_400, tick, `feeler ${A2}`],
      [300_001, greeted(A2, 'Q'), 'drop Q feeler'],
      [400_000, tick],
    ],
  },
  {
    id: 'do not go out while places are free',
    book: [A],
    options: { target: 2 },
    steps: [
      [0, tick, `outbound ${A}`, 'seek'],
      [0, greeted(A, 'P')],
      [13_200, tick, 'seek'],
      [39_500, tick, 'seek'],
      [92_000, tick, 'seek'],
      [180_000, tick],
    ],
  },
]

for (const [name, courses] of Object.entries({ places, answers, rotation, feelers })) {
  describe(`outbound connections: ${name}`, () => {
    for (const course of courses) it(course.id, () => play(course))
  })
}

describe('outbound connections in a network smaller than their target', () => {
  /** All of three endpoints are connected, and two places free. */
  const settled = (): { book: ListBook; outbound: Outbound } => {
    const book = new ListBook(A, B, C)
    const parts = { book, random: () => 0.5, mayDial: () => true, anchors: [] }
    const outbound = new Outbound({ ...OPTIONS, target: 5 }, parts)
    outbound.handle(tick, 0, WALL_MS)
    for (const endpoint of [A, B, C]) outbound.handle(greeted(endpoint, endpoint), 0, WALL_MS)
    return { book, outbound }
  }

  it('are quiet: some hundred draws in eight seconds, no dial, and seeds ever more seldom', () => {
    const { book, outbound } = settled()
    const before = book.draws
    const seeks: number[] = []
    for (let nowMs = 0; nowMs <= 7_200_000; nowMs += TICK_MS) {
      for (const action of outbound.handle(tick, nowMs, WALL_MS + nowMs)) {
        assert.equal(action.type, 'seek')
        seeks.push(nowMs)
      }
    }
    const looks = 7_200_000 / REST_MAX_MS + 10
    assert.ok(book.draws - before <= looks * TRIES_MAX, `${book.draws - before} draws`)
    const pauses = seeks.slice(1).map((atMs, index) => atMs - (seeks[index] ?? 0))
    assert.deepEqual(
      pauses,
      pauses.toSorted((one, other) => one - other),
    )
    assert.ok(seeks.length > 8 && (pauses.at(-1) ?? 0) > 1_500_000, seeks.join(' '))
    assert.ok(pauses.every(pauseMs => pauseMs <= 1_800_000))
  })

  it('find new addresses soon after they were learned, not at once', () => {
    const { book, outbound } = settled()
    for (let nowMs = 0; nowMs < 60_000; nowMs += TICK_MS) outbound.handle(tick, nowMs, WALL_MS + nowMs)
    book.put(D)
    const dials: string[] = []
    for (let nowMs = 60_000; nowMs < 60_300; nowMs += 50) {
      for (const action of outbound.handle(nowMs === 60_000 ? learned : tick, nowMs, WALL_MS + nowMs))
        dials.push(`${nowMs} ${inShort(action)}`)
    }
    assert.deepEqual(dials, [`60250 outbound ${D}`])
  })
})
