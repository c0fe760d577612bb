import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { messageKey } from '../../src/core/hash.ts'
import { Random } from '../../src/core/random.ts'
import { Seen } from '../../src/core/seen.ts'
import { Known, type KnownOptions } from '../../src/gossip/known.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

type Step =
  | [atMs: number, what: 'add' | 'knows' | 'misses', peer: string, id: string]
  | [atMs: number, what: 'forget', peer: string]

const ROOMY: KnownOptions = { idsMax: 100, peersMax: 10, ttlMs: 10 }

const keyOf = (id: string): string => id.padEnd(20, '.')

function knownWith(options: KnownOptions, seed = 'known'): Known {
  const source = new Random(seed)
  return new Known(options, () => source.fraction())
}

/** What one peer's ids do over time is `Seen`'s, and tested below beside it. */
const cases: { id: string; options?: Partial<KnownOptions>; steps: Step[] }[] = [
  { id: 'knows nothing at first', steps: [[0, 'misses', 'p', 'a']] },
  {
    id: 'knows who has what',
    steps: [
      [0, 'add', 'p', 'a'],
      [0, 'add', 'q', 'b'],
      [0, 'knows', 'p', 'a'],
      [0, 'misses', 'p', 'b'],
      [0, 'misses', 'q', 'a'],
      [0, 'knows', 'q', 'b'],
    ],
  },
  {
    id: 'forgets after two lifetimes, and not within one',
    steps: [
      [0, 'add', 'p', 'a'],
      [9, 'add', 'p', 'b'],
      [10, 'add', 'p', 'c'],
      [10, 'knows', 'p', 'a'],
      [19, 'knows', 'p', 'b'],
      [20, 'misses', 'p', 'a'],
      [29, 'knows', 'p', 'c'],
      [30, 'misses', 'p', 'c'],
    ],
  },
  {
    id: 'neither looking nor adding again extends',
    steps: [
      [0, 'add', 'p', 'a'],
      [9, 'add', 'p', 'a'],
      [19, 'knows', 'p', 'a'],
      [20, 'misses', 'p', 'a'],
      [20, 'add', 'p', 'a'],
      [39, 'knows', 'p', 'a'],
    ],
  },
  {
    id: 'a peer that announces much displaces only its own',
    options: { idsMax: 2 },
    steps: [
      [0, 'add', 'p', 'a'],
      [0, 'add', 'q', 'a'],
      [0, 'add', 'p', 'b'],
      [0, 'add', 'p', 'c'],
      [0, 'misses', 'p', 'a'],
      [0, 'knows', 'p', 'c'],
      [0, 'knows', 'q', 'a'],
    ],
  },
  {
    id: 'forgets a peer, and only that',
    steps: [
      [0, 'add', 'p', 'a'],
      [0, 'add', 'q', 'a'],
      [0, 'forget', 'p'],
      [0, 'forget', 'r'],
      [0, 'misses', 'p', 'a'],
      [0, 'knows', 'q', 'a'],
      [0, 'add', 'p', 'b'],
      [0, 'misses', 'p', 'a'],
    ],
  },
  {
    id: 'beyond its peers it drops the one that was first added, used or not',
    options: { peersMax: 2 },
    steps: [
      [0, 'add', 'p', 'a'],
      [1, 'add', 'q', 'a'],
      [2, 'add', 'p', 'b'],
      [3, 'add', 'r', 'a'],
      [3, 'misses', 'p', 'a'],
      [3, 'misses', 'p', 'b'],
      [3, 'knows', 'q', 'a'],
      [3, 'knows', 'r', 'a'],
    ],
  },
  {
    id: 'a peer that was forgotten makes room for another',
    options: { peersMax: 2 },
    steps: [
      [0, 'add', 'p', 'a'],
      [0, 'add', 'q', 'a'],
      [0, 'forget', 'q'],
      [0, 'add', 'r', 'a'],
      [0, 'knows', 'p', 'a'],
      [0, 'knows', 'r', 'a'],
    ],
  },
]

describe('known', () => {
  for (const { id, options, steps } of cases) {
    it(id, () => {
      const known = knownWith({ ...ROOMY, ...options })
      for (const [atMs, what, peer, name = ''] of steps) {
        if (what === 'forget') known.forget(peer)
        else if (what === 'add') known.add(peer, keyOf(name), atMs)
        else
          assert.equal(
            known.has(peer, keyOf(name), atMs),
            what === 'knows',
            `${what} ${peer} ${name} at ${atMs}`,
          )
        known.check()
      }
    })
  }

  it('frees what is over when it is looked at', () => {
    const known = knownWith(ROOMY)
    known.add('p', keyOf('a'), 0)
    known.add('p', keyOf('b'), 10)
    assert.equal(known.idCount, 2)
    assert.equal(known.has('p', keyOf('b'), 30), false)
    assert.equal(known.idCount, 0)
    known.add('p', keyOf('c'), 31)
    assert.ok(known.has('p', keyOf('c'), 31))
    known.check()
  })

  it('refuses bounds with which it could remember nothing, and what is no key', () => {
    const known = knownWith(ROOMY)
    for (const wrong of [{ idsMax: 1 }, { peersMax: 0 }, { ttlMs: 0 }])
      assert.throws(() => knownWith({ ...ROOMY, ...wrong }), assert.AssertionError)
    assert.throws(() => known.add('p', 'short', 0), assert.AssertionError)
  })
})

describe('ids as 48 bits', () => {
  const roomy = { idsMax: 200_000, peersMax: 2, ttlMs: 1_000 }

  /** Whether two ids are the same to a memory with this source of factors. */
  const collide = (random: () => number, one: string, other: string): boolean => {
    const known = new Known(roomy, random)
    known.add('p', one, 0)
    known.check()
    return known.has('p', other, 0)
  }

  it('differ with every bit of the id', () => {
    const bytes = new Uint8Array(20)
    new Random('base').fill(bytes)
    const keys = [messageKey(bytes)]
    for (let bit = 0; bit < 160; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      keys.push(messageKey(flipped))
    }
    for (const seed of ['1', '2', '3', '4']) {
      const known = knownWith(roomy, seed)
      for (const key of keys) {
        assert.equal(known.has('p', key, 0), false)
        known.add('p', key, 0)
      }
    }
  })

  it('use all 48: with 24, some 24 of these would be taken for others', () => {
    const source = new Random('ids')
    const known = knownWith(roomy)
    const bytes = new Uint8Array(20)
    let wrong = 0
    for (let index = 0; index < 40_000; index++) {
      source.fill(bytes)
      const key = messageKey(bytes)
      if (known.has('p', key, 0)) wrong++
      else if (index % 2 === 0) known.add('p', key, 0)
    }
    assert.deepEqual([wrong, known.idCount], [0, 20_000])
    known.check()
  })

  it('hang on the factors: who knows them can make ids collide, for them alone', () => {
    const one = 'abcdefghijklmnopqrst'
    const swapped = 'bacdefghijklmnopqrst'
    const source = new Random('other')
    assert.equal(
      collide(() => 0.5, one, swapped),
      true,
    )
    assert.equal(
      collide(() => source.fraction(), one, swapped),
      false,
    )
  })

  it('stay in their bounds with the largest factors and bytes', () => {
    const largest = '\xff'.repeat(20)
    assert.equal(
      collide(() => 1 - 2 ** -53, largest, largest),
      true,
    )
  })
})

describe('known beside its twin', () => {
  const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(keyOf)
  const PEERS = ['p', 'q', 'r']
  const event = fc.record({
    type: fc.constantFrom('add', 'add', 'add', 'add', 'look', 'forget'),
    peer: fc.constantFrom(...PEERS),
    key: fc.constantFrom(...IDS),
    waitMs: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 5, 9, 10, 11, 20, 50),
  })

  /** A `Seen` for each peer, oldest peer first, is what `Known` must be like, to the millisecond. */
  for (const { idsMax, peersMax } of [
    { idsMax: 2, peersMax: 2 },
    { idsMax: 5, peersMax: 3 },
    { idsMax: 6, peersMax: 1 },
    { idsMax: 100, peersMax: 2 },
  ]) {
    it(`agrees with room for ${idsMax} ids of ${peersMax} peers`, () => {
      forRandomEvents(event, { runs: 60, most: 200 }, events => {
        const known = knownWith({ idsMax, peersMax, ttlMs: 10 })
        let twin: { readonly peer: string; readonly seen: Seen }[] = []
        let nowMs = 0
        for (const { type, peer, key, waitMs } of events) {
          nowMs += waitMs
          if (type === 'forget') {
            known.forget(peer)
            twin = twin.filter(entry => entry.peer !== peer)
          }
          if (type === 'add') {
            known.add(peer, key, nowMs)
            if (!twin.some(entry => entry.peer === peer))
              twin = [...twin, { peer, seen: new Seen({ ttlMs: 10, max: idsMax }) }].slice(-peersMax)
            twin.find(entry => entry.peer === peer)?.seen.add(key, nowMs)
          }
          known.check()
          assert.equal(known.peerCount, twin.length)
          // Only some are looked up each time: looking must not be what keeps the memory right.
          const looked = type === 'look' ? PEERS : [peer]
          for (const other of looked) {
            for (const id of IDS) {
              const expected = twin.find(entry => entry.peer === other)?.seen.has(id, nowMs) ?? false
              assert.equal(known.has(other, id, nowMs), expected, `${other} ${id} at ${nowMs}`)
            }
          }
        }
      })
    })
  }
})
