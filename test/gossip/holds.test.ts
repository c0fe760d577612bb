import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  HOLD_ID_BYTES,
  HOLD_IDS_MAX,
  HOLD_MS,
  type HoldAction,
  Holds,
  type HoldsOptions,
} from '../../src/gossip/holds.ts'

/**
 * What happens, and what must come of it. Messages are named by their peer and a number: `p1` is p's first. `size`
 * is what a message is charged, those ids included that it waits for.
 */
type Step =
  | { park: string; missing: readonly string[]; size?: number; atMs?: number; gives: readonly string[] }
  | { accept: string; gives: readonly string[] }
  | { refuse: string; gives: readonly string[] }
  | { tick: number; gives: readonly string[] }
  | { close: true; gives: readonly string[] }

const ROOMY: HoldsOptions = {
  holdMs: 60,
  maxCount: 100,
  maxBytes: 1_000_000,
  perPeerMaxCount: 100,
  perPeerMaxBytes: 1_000_000,
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `id${index}`)

const cases: { id: string; options?: Partial<HoldsOptions>; steps: Step[] }[] = [
  {
    id: 'a message waits for another, which is asked for from its sender',
    steps: [
      { park: 'p1', missing: ['a'], gives: ['want p: a'] },
      { accept: 'b', gives: [] },
      { accept: 'a', gives: ['release p1'] },
      { accept: 'a', gives: [] },
    ],
  },
  {
    id: 'a message waits for all, in whatever order they come',
    steps: [
      { park: 'p1', missing: ['a', 'b', 'c'], gives: ['want p: a b c'] },
      { accept: 'b', gives: [] },
      { accept: 'a', gives: [] },
      { accept: 'b', gives: [] },
      { accept: 'c', gives: ['release p1'] },
    ],
  },
  {
    id: 'repetitions count once',
    steps: [
      { park: 'p1', missing: ['a', 'a', 'b', 'a'], gives: ['want p: a b'] },
      { accept: 'a', gives: [] },
      { accept: 'b', gives: ['release p1'] },
    ],
  },
  {
    id: 'only an accept releases',
    steps: [
      { park: 'p1', missing: ['a'], gives: ['want p: a'] },
      { refuse: 'a', gives: [] },
      { accept: 'a', gives: ['release p1'] },
    ],
  },
  {
    id: 'what becomes of a held message elsewhere changes nothing',
    steps: [
      { park: 'p1', missing: ['a'], gives: ['want p: a'] },
      { refuse: 'p1', gives: [] },
      { accept: 'p1', gives: [] },
      { accept: 'a', gives: ['release p1'] },
    ],
  },
  {
    id: 'all who wait for one are released, oldest first',
    steps: [
      { park: 'q1', missing: ['a'], gives: ['want q: a'] },
      { park: 'p1', missing: ['a', 'b'], gives: ['want p: a b'] },
      { park: 'p2', missing: ['a'], gives: ['want p: a'] },
      { accept: 'a', gives: ['release q1', 'release p2'] },
      { accept: 'b', gives: ['release p1'] },
    ],
  },
  {
    id: 'a chain is released link by link',
    steps: [
      { park: 'p1', missing: ['p2'], gives: ['want p: p2'] },
      { park: 'p2', missing: ['a'], gives: ['want p: a'] },
      { accept: 'a', gives: ['release p2'] },
      { accept: 'p2', gives: ['release p1'] },
    ],
  },
  {
    id: 'a message may wait again, for others',
    steps: [
      { park: 'p1', missing: ['a'], gives: ['want p: a'] },
      { accept: 'a', gives: ['release p1'] },
      { park: 'p1', missing: ['b'], atMs: 50, gives: ['want p: b'] },
      { tick: 109, gives: [] },
      { tick: 110, gives: ['expire p1 time'] },
    ],
  },
  {
    id: 'one that waits for nothing is released',
    steps: [{ park: 'p1', missing: [], gives: ['release p1'] }],
  },
  {
    id: 'one that waits for itself expires',
    steps: [
      { park: 'p1', missing: ['a', 'p1'], gives: ['expire p1 self'] },
      { accept: 'a', gives: [] },
    ],
  },
  {
    id: 'one that waits for too many expires',
    steps: [
      { park: 'p1', missing: ids(HOLD_IDS_MAX + 1), gives: ['expire p1 room'] },
      { park: 'p2', missing: ids(HOLD_IDS_MAX), gives: [`want p: ${ids(HOLD_IDS_MAX).join(' ')}`] },
    ],
  },
  {
    id: 'two that wait for each other expire by time, in their order',
    steps: [
      { park: 'p1', missing: ['q1'], gives: ['want p: q1'] },
      { park: 'q1', missing: ['p1'], atMs: 5, gives: ['want q: p1'] },
      { tick: 59, gives: [] },
      { tick: 60, gives: ['expire p1 time'] },
      { tick: 64, gives: [] },
      { tick: 65, gives: ['expire q1 time'] },
    ],
  },
  {
    id: 'over its quota a peer loses its own oldest',
    options: { perPeerMaxCount: 2 },
    steps: [
      { park: 'q1', missing: ['a'], gives: ['want q: a'] },
      { park: 'p1', missing: ['a'], gives: ['want p: a'] },
      { park: 'p2', missing: ['b'], gives: ['want p: b'] },
      { park: 'p3', missing: ['c'], gives: ['expire p1 room', 'want p: c'] },
      { accept: 'a', gives: ['release q1'] },
    ],
  },
  {
    id: 'over its quota of bytes a peer loses as many as are needed',
    options: { perPeerMaxBytes: 2_000 },
    steps: [
      { park: 'p1', missing: ['a'], size: 600, gives: ['want p: a'] },
      { park: 'p2', missing: ['a'], size: 600, gives: ['want p: a'] },
      { park: 'p3', missing: ['a'], size: 800, gives: ['want p: a'] },
      { park: 'q1', missing: ['a'], size: 2_000, gives: ['want q: a'] },
      { park: 'p4', missing: ['a'], size: 1_200, gives: ['expire p1 room', 'expire p2 room', 'want p: a'] },
    ],
  },
  {
    id: 'over the count the fullest peer loses its oldest',
    options: { maxCount: 3 },
    steps: [
      { park: 'q1', missing: ['a'], gives: ['want q: a'] },
      { park: 'p1', missing: ['a'], gives: ['want p: a'] },
      { park: 'p2', missing: ['a'], gives: ['want p: a'] },
      { park: 'r1', missing: ['a'], gives: ['expire p1 room', 'want r: a'] },
      { accept: 'a', gives: ['release q1', 'release p2', 'release r1'] },
    ],
  },
  {
    id: 'of equals the one that has been here longest',
    options: { maxCount: 3 },
    steps: [
      { park: 'q1', missing: ['x'], gives: ['want q: x'] },
      { park: 'p1', missing: ['a'], gives: ['want p: a'] },
      { accept: 'x', gives: ['release q1'] },
      { park: 'q2', missing: ['a'], gives: ['want q: a'] },
      { park: 'r1', missing: ['a'], gives: ['want r: a'] },
      { park: 's1', missing: ['a'], gives: ['expire p1 room', 'want s: a'] },
    ],
  },
  {
    id: 'over the bytes the peer with most bytes loses, however few messages it has',
    options: { maxBytes: 5_000 },
    steps: [
      { park: 'p1', missing: ['a'], size: 500, gives: ['want p: a'] },
      { park: 'p2', missing: ['a'], size: 500, gives: ['want p: a'] },
      { park: 'q1', missing: ['a'], size: 3_500, gives: ['want q: a'] },
      { park: 'p3', missing: ['a'], size: 501, gives: ['expire q1 room', 'want p: a'] },
    ],
  },
  {
    id: 'a new one that is itself the fullest goes, and nothing is asked for',
    options: { maxBytes: 5_000 },
    steps: [
      { park: 'p1', missing: ['a'], size: 2_000, gives: ['want p: a'] },
      { park: 'q1', missing: ['b'], size: 4_000, gives: ['expire q1 room'] },
      { accept: 'b', gives: [] },
    ],
  },
  {
    id: 'one that could never stay goes, and none for it',
    options: { maxBytes: 5_000, perPeerMaxBytes: 3_000 },
    steps: [
      { park: 'p1', missing: ['a'], size: 2_000, gives: ['want p: a'] },
      { park: 'p2', missing: ['a'], size: 3_001, gives: ['expire p2 room'] },
      { park: 'p3', missing: ids(8), size: 3_200, gives: ['expire p3 room'] },
      { accept: 'a', gives: ['release p1'] },
    ],
  },
  {
    id: 'closing forgets all',
    steps: [
      { park: 'p1', missing: ['a'], gives: ['want p: a'] },
      { close: true, gives: [] },
      { accept: 'a', gives: [] },
      { tick: 1_000, gives: [] },
      { park: 'p1', missing: ['a'], atMs: 1_000, gives: ['want p: a'] },
    ],
  },
]

/** Messages are `p1!` for `p1`, so that key and message cannot be taken for each other. */
function spell(actions: readonly HoldAction<string>[]): string[] {
  return actions.map(action => {
    if (action.type === 'want') return `want ${action.from}: ${action.ids.join(' ')}`
    assert.equal(action.message, `${action.key}!`)
    assert.equal(action.from, action.key[0])
    return `${action.type} ${action.key}${action.type === 'expire' ? ` ${action.reason}` : ''}`
  })
}

describe('holds', () => {
  for (const { id, options, steps } of cases) {
    it(id, () => {
      const holds = new Holds<string>({ ...ROOMY, ...options })
      for (const step of steps) {
        assert.deepEqual(spell(handleStep(holds, step)), step.gives, JSON.stringify(step))
        holds.check()
      }
    })
  }

  it('answers with one and the same list where nothing is to be done', () => {
    const holds = new Holds<string>(ROOMY)
    const judged = { type: 'judged', key: 'a', accepted: true } as const
    const nothing = holds.handle(judged, 0)
    assert.deepEqual(nothing, [])
    assert.ok(Object.isFrozen(nothing))
    holds.handle({ type: 'parked', key: 'b', from: 'p', sizeBytes: 1, missing: ['c'], message: 'b!' }, 0)
    assert.equal(holds.handle(judged, 0), nothing)
    assert.equal(holds.handle({ type: 'judged', key: 'c', accepted: false }, 0), nothing)
    assert.equal(holds.handle({ type: 'tick' }, 0), nothing)
    assert.equal(holds.handle({ type: 'close' }, 0), nothing)
  })

  it('says what it holds', () => {
    const holds = new Holds<string>(ROOMY)
    holds.handle({ type: 'parked', key: 'a', from: 'p', sizeBytes: 7, missing: ['b', 'c'], message: 'a!' }, 0)
    assert.deepEqual([holds.heldCount, holds.heldBytes], [1, 7 + 2 * HOLD_ID_BYTES])
    assert.deepEqual([holds.has('a'), holds.has('b')], [true, false])
    holds.handle({ type: 'judged', key: 'b', accepted: true }, 0)
    assert.equal(holds.heldBytes, 7 + 2 * HOLD_ID_BYTES)
    holds.handle({ type: 'judged', key: 'c', accepted: true }, 0)
    assert.deepEqual([holds.heldCount, holds.heldBytes, holds.has('a')], [0, 0, false])
  })

  it('holds for a minute unless told otherwise', () => {
    const { holdMs: _, ...others } = ROOMY
    const holds = new Holds<string>(others)
    holds.handle({ type: 'parked', key: 'a', from: 'p', sizeBytes: 1, missing: ['b'], message: 'a!' }, 0)
    assert.equal(holds.handle({ type: 'tick' }, HOLD_MS - 1).length, 0)
    assert.equal(holds.handle({ type: 'tick' }, HOLD_MS).length, 1)
    assert.equal(HOLD_MS, 60_000)
  })

  it('refuses what its caller must not do', () => {
    const holds = new Holds<string>(ROOMY)
    const parked = {
      type: 'parked',
      key: 'a',
      from: 'p',
      sizeBytes: 1,
      missing: ['b'],
      message: 'a!',
    } as const
    holds.handle(parked, 0)
    assert.throws(() => holds.handle(parked, 0), assert.AssertionError)
    for (const wrong of [{ holdMs: 0 }, { maxCount: 0 }, { perPeerMaxCount: 0 }])
      assert.throws(() => new Holds({ ...ROOMY, ...wrong }), assert.AssertionError)
  })
})

function handleStep(holds: Holds<string>, step: Step): readonly HoldAction<string>[] {
  if ('accept' in step) return holds.handle({ type: 'judged', key: step.accept, accepted: true }, 0)
  if ('refuse' in step) return holds.handle({ type: 'judged', key: step.refuse, accepted: false }, 0)
  if ('tick' in step) return holds.handle({ type: 'tick' }, step.tick)
  if ('close' in step) return holds.handle({ type: 'close' }, 0)
  const { park: key, missing, atMs = 0 } = step
  const sizeBytes = Math.max(0, (step.size ?? 0) - missing.length * HOLD_ID_BYTES)
  const from = key[0] ?? ''
  return holds.handle({ type: 'parked', key, from, sizeBytes, missing, message: `${key}!` }, atMs)
}
