/**
 * Holds under random events, beside their naive twin. Few messages, few peers and small bounds, so that things
 * collide: messages wait for each other, for themselves, and for what never comes.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type HoldAction, type HoldEvent, Holds, type HoldsOptions } from '../../src/gossip/holds.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { HoldsTwin } from './holds-twin.ts'

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const PEERS = ['p', 'q', 'r', 's']

const key = fc.constantFrom(...KEYS)

/** What is parked when it is held already is left out: the caller must not do it. */
const what: fc.Arbitrary<HoldEvent<string>> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant('parked' as const),
      key,
      from: fc.constantFrom(...PEERS),
      sizeBytes: fc.constantFrom(0, 1, 100, 400, 1_000, 2_000),
      missing: fc.oneof(
        { weight: 30, arbitrary: fc.array(key, { maxLength: 4 }) },
        {
          weight: 1,
          arbitrary: fc
            .constantFrom(256, 257)
            .map(length => Array.from({ length }, (_, index) => `id${index}`)),
        },
      ),
      message: fc.constantFrom('one', 'other'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('judged' as const),
      key,
      accepted: fc.constantFrom(true, true, false),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ type: 'tick' as const }) },
)

const event = fc.record({
  waitMs: fc.constantFrom(0, 0, 0, 0, 1, 5, 20, 50, 99, 100, 101, 1_000),
  what: fc.oneof(
    { weight: 60, arbitrary: what },
    { weight: 1, arbitrary: fc.constant({ type: 'close' as const }) },
  ),
})

const roomy: Required<HoldsOptions> = {
  holdMs: 100,
  maxCount: 100,
  maxBytes: 1_000_000,
  perPeerMaxCount: 100,
  perPeerMaxBytes: 1_000_000,
}
const variants: { id: string; options: Required<HoldsOptions> }[] = [
  { id: 'room for all', options: roomy },
  { id: 'four in all', options: { ...roomy, maxCount: 4 } },
  { id: 'two for a peer', options: { ...roomy, perPeerMaxCount: 2 } },
  { id: 'bytes in all', options: { ...roomy, maxBytes: 6_000 } },
  { id: 'bytes for a peer', options: { ...roomy, perPeerMaxBytes: 3_000 } },
  {
    id: 'all of these',
    options: { holdMs: 100, maxCount: 4, maxBytes: 6_000, perPeerMaxCount: 3, perPeerMaxBytes: 4_000 },
  },
]

describe('holds beside their twin', () => {
  /** What happened in any run, so that a run in which nothing happens is noticed. */
  const happened = new Set<string>()

  for (const { id, options } of variants) {
    it(`agree: ${id}`, () => {
      forRandomEvents(event, { runs: 80, most: 200 }, events => {
        const holds = new Holds<string>(options)
        const twin = new HoldsTwin<string>(options)
        /** Parked and without an answer yet: each gets exactly one. */
        const open = new Set<string>()
        let nowMs = 0
        const play = (made: HoldEvent<string>): void => {
          const actions = holds.handle(made, nowMs)
          holds.check()
          assert.deepEqual(actions, twin.handle(made, nowMs))
          if (made.type === 'parked') open.add(made.key)
          if (made.type === 'close') open.clear()
          for (const action of actions) {
            happened.add(kindOf(action))
            if (action.type !== 'want') assert.ok(open.delete(action.key), 'an answer too many')
          }
          assert.deepEqual([holds.heldCount, holds.heldBytes], [twin.heldCount, twin.heldBytes])
          for (const one of KEYS) {
            assert.equal(holds.has(one), twin.has(one))
            assert.equal(holds.has(one), open.has(one))
          }
        }
        for (const { waitMs, what: made } of events) {
          nowMs += waitMs
          if (made.type !== 'parked' || !holds.has(made.key)) play(made)
        }
        nowMs += options.holdMs
        play({ type: 'tick' })
        assert.deepEqual([holds.heldCount, holds.heldBytes, open.size], [0, 0, 0])
      })
    })
  }

  it('have met everything that can happen', () => {
    assert.deepEqual([...happened].toSorted(), [
      'expire room',
      'expire self',
      'expire time',
      'release',
      'want',
    ])
  })
})

function kindOf(action: HoldAction<string>): string {
  return action.type === 'expire' ? `expire ${action.reason}` : action.type
}
