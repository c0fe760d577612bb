import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FairQueue } from '../../src/gossip/fair-queue.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { FairQueueTwin } from './fair-queue-twin.ts'

/** Items are named by their peer and a number: `a1` is a's first. `dropped` is what each push pushed out. */
interface Case {
  readonly id: string
  readonly maxItems?: number
  readonly maxBytes?: number
  readonly pushes: readonly [item: string, sizeBytes?: number][]
  readonly dropped?: readonly string[]
  readonly served: readonly string[]
}

const cases: Case[] = [
  { id: 'an empty queue serves nothing', pushes: [], served: [] },
  { id: 'first in, first out for one peer', pushes: [['a1'], ['a2'], ['a3']], served: ['a1', 'a2', 'a3'] },
  {
    id: 'peers are served in turn, one item each',
    pushes: [['a1'], ['a2'], ['a3'], ['b1'], ['c1'], ['c2']],
    served: ['a1', 'b1', 'c1', 'a2', 'c2', 'a3'],
  },
  {
    id: 'over its count, the peer with most items loses its oldest',
    maxItems: 3,
    pushes: [['a1'], ['b1'], ['b2'], ['c1']],
    dropped: ['b1'],
    served: ['a1', 'b2', 'c1'],
  },
  {
    id: 'a peer that sends much displaces only itself',
    maxItems: 3,
    pushes: [['a1'], ['b1'], ['b2'], ['b3'], ['b4']],
    dropped: ['b1', 'b2'],
    served: ['a1', 'b3', 'b4'],
  },
  {
    id: 'of equals the one whose turn is next',
    maxItems: 3,
    pushes: [['c1'], ['a1'], ['b1'], ['d1']],
    dropped: ['c1'],
    served: ['a1', 'b1', 'd1'],
  },
  {
    id: 'over its bytes, the peer with most bytes loses, however few items it has',
    maxBytes: 100,
    pushes: [
      ['a1', 10],
      ['a2', 10],
      ['a3', 10],
      ['b1', 60],
      ['a4', 20],
    ],
    dropped: ['b1'],
    served: ['a1', 'a2', 'a3', 'a4'],
  },
  {
    id: 'over both, bytes decide first',
    maxItems: 3,
    maxBytes: 100,
    pushes: [
      ['a1', 1],
      ['a2', 1],
      ['b1', 90],
      ['a3', 20],
    ],
    dropped: ['b1'],
    served: ['a1', 'a2', 'a3'],
  },
  {
    id: 'as many go as are needed',
    maxBytes: 100,
    pushes: [
      ['a1', 30],
      ['a2', 30],
      ['a3', 30],
      ['a4', 95],
    ],
    dropped: ['a1', 'a2', 'a3'],
    served: ['a4'],
  },
  {
    id: 'an item larger than the whole queue goes alone',
    maxBytes: 100,
    pushes: [
      ['a1', 10],
      ['b1', 10],
      ['a2', 101],
    ],
    dropped: ['a2'],
    served: ['a1', 'b1'],
  },
  { id: 'an item as large as the whole queue stays', maxBytes: 100, pushes: [['a1', 100]], served: ['a1'] },
  {
    id: 'empty items count',
    maxItems: 1,
    pushes: [
      ['a1', 0],
      ['a2', 0],
    ],
    dropped: ['a1'],
    served: ['a2'],
  },
]

describe('the fair queue', () => {
  for (const { id, maxItems = 100, maxBytes = 10_000, pushes, dropped = [], served } of cases) {
    it(id, () => {
      const queue = new FairQueue<string>({ maxItems, maxBytes })
      const gone = pushes.flatMap(([item, sizeBytes = 1]) => queue.push(item.slice(0, 1), item, sizeBytes))
      assert.deepEqual(gone, dropped)
      assert.deepEqual(queue.drain(), served)
      assert.equal(queue.shift(), undefined)
      assert.deepEqual([queue.count, queue.bytes], [0, 0])
      queue.check()
    })
  }

  it('keeps a turn while a peer has items, and starts at the end when it comes back', () => {
    const queue = new FairQueue<string>({ maxItems: 100, maxBytes: 100 })
    for (const item of ['a1', 'b1', 'b2']) queue.push(item.slice(0, 1), item, 1)
    assert.equal(queue.shift(), 'a1')
    queue.push('a', 'a2', 1)
    assert.deepEqual(queue.drain(), ['b1', 'a2', 'b2'])
  })

  it('gives back what it holds, also after thousands of items went through', () => {
    const queue = new FairQueue<number>({ maxItems: 200, maxBytes: 10_000 })
    const twin = new FairQueueTwin<number>({ maxItems: 200, maxBytes: 10_000 })
    for (let value = 0; value < 3_000; value++) {
      assert.deepEqual(queue.push('a', value, value % 7), twin.push('a', value, value % 7))
      if (value % 3 > 0) assert.equal(queue.shift(), twin.shift())
      if (value % 100 === 0) queue.check()
    }
    assert.deepEqual(queue.drain(), twin.drain())
  })
})

describe('the fair queue beside its twin', () => {
  const event = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        peer: fc.constantFrom('a', 'b', 'c', 'd'),
        sizeBytes: fc.constantFrom(0, 1, 1, 5, 20, 50, 51),
      }),
    },
    { weight: 3, arbitrary: fc.constant('shift' as const) },
    { weight: 1, arbitrary: fc.constantFrom('shift' as const, 'drain' as const) },
  )

  for (const bounds of [
    { maxItems: 6, maxBytes: 50 },
    { maxItems: 100, maxBytes: 50 },
    { maxItems: 3, maxBytes: 10_000 },
    { maxItems: 1, maxBytes: 1 },
  ]) {
    it(`agrees with at most ${bounds.maxItems} items and ${bounds.maxBytes} bytes`, () => {
      forRandomEvents(event, { runs: 100, most: 200 }, events => {
        const queue = new FairQueue<number>(bounds)
        const twin = new FairQueueTwin<number>(bounds)
        for (const [value, what] of events.entries()) {
          if (what === 'shift') assert.equal(queue.shift(), twin.shift())
          else if (what === 'drain') assert.deepEqual(queue.drain(), twin.drain())
          else
            assert.deepEqual(
              queue.push(what.peer, value, what.sizeBytes),
              twin.push(what.peer, value, what.sizeBytes),
            )
          assert.deepEqual([queue.count, queue.bytes], [twin.count, twin.bytes])
          queue.check()
        }
        assert.deepEqual(queue.drain(), twin.drain())
      })
    })
  }
})
