import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  coverageOf,
  type Expectation,
  type SentEvent,
  Tally,
  type TallyEvent,
  type Totals,
  type VerdictEvent,
} from '../../../src/cli/cluster/tally.ts'

const sent = (id: string, expect: Expectation, node = 0, atUs = 1_000, sizeBytes = 100): SentEvent => ({
  type: 'sent',
  id,
  node,
  atUs,
  sizeBytes,
  expect,
})

const verdict = (
  id: string,
  kind: VerdictEvent['verdict'],
  node: number,
  from = 0,
  atUs = 3_000,
): VerdictEvent => ({ type: 'verdict', id, node, atUs, from, verdict: kind })

const NOTHING: Totals = {
  messages: 0,
  deliveries: 0,
  payloadBytes: 0,
  refused: 0,
  rejected: 0,
  ignored: 0,
  spoilt: { sent: 0, rejectedBy: 0, beyondFirstHop: 0, delivered: 0, unjudged: 0 },
  duplicates: 0,
  untracked: 0,
  unmatched: 0,
}

const after = (events: readonly TallyEvent[], bounds = {}, nodes = 3): Totals => {
  const tally = new Tally(nodes, bounds)
  for (const event of events) tally.handle(event)
  return tally.totals()
}

describe('Tally', () => {
  const cases: { id: string; events: TallyEvent[]; expected: Partial<Totals>; bounds?: object }[] = [
    { id: 'nothing', events: [], expected: {} },
    {
      id: 'a message that everybody has',
      events: [sent('a', 'accept'), verdict('a', 'accept', 1), verdict('a', 'accept', 2, 1)],
      expected: { messages: 1, deliveries: 2, payloadBytes: 100 },
    },
    {
      id: 'a message that one node lacks',
      events: [sent('a', 'accept'), verdict('a', 'accept', 1)],
      expected: { messages: 1, deliveries: 1, payloadBytes: 100 },
    },
    {
      id: 'reports that come before that of the sender',
      events: [verdict('a', 'accept', 1), verdict('a', 'accept', 2), sent('a', 'accept')],
      expected: { messages: 1, deliveries: 2, payloadBytes: 100 },
    },
    {
      id: 'a delivery twice, and one to the sender itself',
      events: [
        sent('a', 'accept'),
        verdict('a', 'accept', 1),
        verdict('a', 'accept', 1),
        verdict('a', 'accept', 0, 1),
      ],
      expected: { messages: 1, deliveries: 1, payloadBytes: 100 },
    },
    {
      id: 'the same id sent again',
      events: [sent('a', 'accept'), sent('a', 'accept', 1)],
      expected: { messages: 1, payloadBytes: 100, duplicates: 1 },
    },
    {
      id: 'ignored and rejected where it should have been accepted',
      events: [sent('a', 'accept'), verdict('a', 'ignore', 1), verdict('a', 'reject', 2)],
      expected: { messages: 1, payloadBytes: 100, ignored: 1, rejected: 1 },
    },
    {
      id: 'real input that the gate refuses',
      events: [sent('a', 'judged'), verdict('a', 'reject', 1), verdict('a', 'reject', 2)],
      expected: { refused: 1, rejected: 1 },
    },
    {
      id: 'real input on which the nodes disagree',
      events: [sent('a', 'judged'), verdict('a', 'reject', 1), verdict('a', 'accept', 2)],
      expected: { messages: 1, deliveries: 1, payloadBytes: 100, rejected: 1 },
    },
    {
      id: 'a spoilt message that its neighbours reject',
      events: [sent('a', 'reject'), verdict('a', 'reject', 1), verdict('a', 'reject', 2)],
      expected: {
        rejected: 1,
        spoilt: { sent: 1, rejectedBy: 2, beyondFirstHop: 0, delivered: 0, unjudged: 0 },
      },
    },
    {
      id: 'a spoilt message that somebody passed on',
      events: [sent('a', 'reject'), verdict('a', 'reject', 1), verdict('a', 'reject', 2, 1)],
      expected: {
        rejected: 1,
        spoilt: { sent: 1, rejectedBy: 2, beyondFirstHop: 1, delivered: 0, unjudged: 0 },
      },
    },
    {
      id: 'a spoilt message that was passed on and ignored there, from a stranger',
      events: [verdict('a', 'ignore', 2, -1), sent('a', 'reject')],
      expected: {
        ignored: 1,
        spoilt: { sent: 1, rejectedBy: 0, beyondFirstHop: 1, delivered: 0, unjudged: 0 },
      },
    },
    {
      id: 'a spoilt message that a neighbour accepted',
      events: [sent('a', 'reject'), verdict('a', 'accept', 1)],
      expected: { spoilt: { sent: 1, rejectedBy: 0, beyondFirstHop: 1, delivered: 1, unjudged: 0 } },
    },
    {
      id: 'a spoilt message that nobody judged',
      events: [sent('a', 'reject')],
      expected: { spoilt: { sent: 1, rejectedBy: 0, beyondFirstHop: 0, delivered: 0, unjudged: 1 } },
    },
    {
      id: 'too many unfinished: the oldest leaves the coverage',
      bounds: { trackedMax: 1 },
      events: [sent('a', 'accept'), verdict('a', 'accept', 1), sent('b', 'accept')],
      expected: { messages: 1, payloadBytes: 100, untracked: 1 },
    },
    {
      id: 'too many refused: the oldest stays counted',
      bounds: { trackedMax: 1 },
      events: [sent('a', 'judged'), verdict('a', 'reject', 1), sent('b', 'judged')],
      expected: { messages: 1, payloadBytes: 100, refused: 1, rejected: 1 },
    },
    {
      id: 'too many spoilt: the oldest keeps its counts',
      bounds: { trackedMax: 1 },
      events: [sent('a', 'reject'), verdict('a', 'reject', 1, 2), sent('b', 'reject')],
      expected: {
        rejected: 1,
        spoilt: { sent: 2, rejectedBy: 1, beyondFirstHop: 1, delivered: 0, unjudged: 1 },
      },
    },
    {
      id: 'too many verdicts on unknown messages: the oldest is dropped',
      bounds: { earlyMax: 2 },
      events: [
        verdict('a', 'accept', 1),
        verdict('a', 'accept', 2),
        verdict('b', 'accept', 1),
        sent('a', 'accept'),
      ],
      expected: { messages: 1, deliveries: 1, payloadBytes: 100, unmatched: 1 },
    },
  ]
  for (const { id, events, expected, bounds } of cases) {
    it(id, () => assert.deepEqual(after(events, bounds), { ...NOTHING, ...expected }))
  }

  it('measures latencies from the send to each delivery, in all and by node', () => {
    const tally = new Tally(3)
    tally.handle(verdict('a', 'accept', 1, 0, 3_000))
    tally.handle(sent('a', 'accept', 0, 1_000))
    tally.handle(verdict('a', 'accept', 2, 1, 21_000))
    assert.equal(tally.latencies.count, 2)
    assert.equal(tally.latencies.maxMs, 20)
    assert.deepEqual(
      tally.latenciesOf.map(node => node.maxMs),
      [0, 2, 20],
    )
  })

  it('says what is open: until everybody has it, it is refused, or a gate has seen the spoilt copy', () => {
    const tally = new Tally(3)
    const open = (): (number | boolean)[] => [
      tally.openCount,
      ...['a', 'b', 'c', 'd'].map(id => tally.isOpen(id)),
    ]
    for (const event of [sent('a', 'accept'), sent('b', 'judged'), sent('c', 'reject')]) tally.handle(event)
    assert.deepEqual(open(), [2, true, true, true, false])
    for (const event of [verdict('a', 'accept', 1), verdict('b', 'reject', 1), verdict('c', 'reject', 1)])
      tally.handle(event)
    assert.deepEqual(open(), [1, true, false, false, false])
    tally.handle(verdict('a', 'accept', 2))
    assert.deepEqual(open(), [0, false, false, false, false])
  })

  it('leaves young unfinished messages out when it is asked to', () => {
    const tally = new Tally(3)
    for (const [id, atUs] of [
      ['a', 10],
      ['b', 20],
      ['c', 30],
    ] as const)
      tally.handle(sent(id, 'accept', 0, atUs))
    tally.handle(verdict('c', 'accept', 1))
    tally.handle(verdict('c', 'accept', 2))
    assert.equal(tally.totals().messages, 3)
    assert.deepEqual([tally.totals(10).messages, tally.totals(10).deliveries], [2, 2])
  })
})

describe('coverageOf', () => {
  const cases: [string, Partial<Totals>, number][] = [
    ['nothing proves nothing', {}, 0],
    ['all', { messages: 2, deliveries: 8 }, 1],
    ['some', { messages: 2, deliveries: 6 }, 0.75],
    ['spoilt messages alone lack nothing', { spoilt: { ...NOTHING.spoilt, sent: 1 } }, 1],
    ['refused besides spoilt', { refused: 1, spoilt: { ...NOTHING.spoilt, sent: 1 } }, 0],
    ['out of the books besides spoilt', { untracked: 1, spoilt: { ...NOTHING.spoilt, sent: 1 } }, 0],
  ]
  for (const [id, totals, expected] of cases) {
    it(id, () => assert.equal(coverageOf({ ...NOTHING, ...totals }, 5), expected))
  }
})
