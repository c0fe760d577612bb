import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Seen } from '../../src/core/seen.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

type Step = ['add' | 'knows' | 'misses' | 'forget', key: string, atMs: number]

/** With `ttlMs` 10 and room for `max` ids. */
const cases: { id: string; max: number; steps: Step[] }[] = [
  { id: 'knows nothing at first', max: 4, steps: [['misses', 'a', 0]] },
  {
    id: 'remembers for at least a lifetime, also across generations',
    max: 100,
    steps: [
      ['add', 'a', 0],
      ['add', 'b', 9],
      ['knows', 'a', 10],
      ['add', 'c', 10],
      ['knows', 'b', 19],
      ['add', 'd', 20],
      ['knows', 'c', 20],
      ['knows', 'd', 20],
    ],
  },
  {
    id: 'forgets after two lifetimes when no other id comes',
    max: 100,
    steps: [
      ['add', 'a', 0],
      ['knows', 'a', 10],
      ['misses', 'a', 20],
      ['misses', 'a', 1_000],
    ],
  },
  {
    id: 'forgets after two lifetimes when others come late in each generation',
    max: 100,
    steps: [
      ['add', 'a', 0],
      ['add', 'b', 19],
      ['misses', 'a', 20],
      ['add', 'c', 28],
      ['misses', 'a', 28],
      ['knows', 'b', 28],
    ],
  },
  {
    id: 'looking does not extend',
    max: 100,
    steps: [
      ['add', 'a', 0],
      ['knows', 'a', 5],
      ['knows', 'a', 10],
      ['misses', 'a', 20],
    ],
  },
  {
    id: 'adding what is known does not extend',
    max: 100,
    steps: [
      ['add', 'a', 0],
      ['add', 'a', 9],
      ['add', 'b', 10],
      ['add', 'a', 11],
      ['misses', 'a', 20],
    ],
  },
  {
    id: 'what was forgotten and comes again is new',
    max: 100,
    steps: [
      ['add', 'a', 0],
      ['misses', 'a', 25],
      ['add', 'a', 25],
      ['knows', 'a', 34],
    ],
  },
  {
    id: 'remembers half of max, whatever else comes at the same moment',
    max: 4,
    steps: [
      ['add', 'a', 0],
      ['add', 'b', 0],
      ['add', 'c', 0],
      ['knows', 'a', 0],
      ['add', 'd', 0],
      ['add', 'e', 0],
      ['misses', 'a', 0],
      ['knows', 'd', 0],
    ],
  },
  {
    id: 'adding what is known pushes nothing out',
    max: 4,
    steps: [
      ['add', 'a', 0],
      ['add', 'b', 0],
      ['add', 'c', 0],
      ['add', 'd', 0],
      ['add', 'd', 0],
      ['add', 'c', 0],
      ['knows', 'a', 0],
    ],
  },
  {
    id: 'takes an id back',
    max: 4,
    steps: [
      ['add', 'a', 0],
      ['add', 'b', 0],
      ['add', 'c', 0],
      ['forget', 'a', 0],
      ['forget', 'c', 0],
      ['misses', 'a', 0],
      ['misses', 'c', 0],
      ['knows', 'b', 0],
    ],
  },
]

describe('seen', () => {
  for (const { id, max, steps } of cases) {
    it(id, () => {
      const seen = new Seen({ ttlMs: 10, max })
      for (const [what, key, atMs] of steps) {
        if (what === 'add') seen.add(key, atMs)
        else if (what === 'forget') seen.forget(key)
        else assert.equal(seen.has(key, atMs), what === 'knows', `${what} ${key} at ${atMs}`)
      }
    })
  }

  it('keeps at most max ids, also with an odd max', () => {
    for (const max of [2, 3, 4, 7, 1_000]) {
      const seen = new Seen({ ttlMs: 10, max })
      for (let index = 0; index < 3 * max; index++) {
        seen.add(`${index}`, 0)
        assert.ok(seen.size <= max, `${seen.size} ids with max ${max}`)
      }
    }
  })

  it('refuses bounds with which it could remember nothing', () => {
    assert.throws(() => new Seen({ ttlMs: 10, max: 1 }), assert.AssertionError)
    assert.throws(() => new Seen({ ttlMs: 0, max: 10 }), assert.AssertionError)
  })
})

/**
 * The rules say what must be remembered and what must be forgotten; between the two it may be either. The twin
 * keeps the time of each id that ever came.
 */
class SeenTwin {
  readonly #added: { readonly key: string; readonly atMs: number; isTakenBack: boolean }[] = []
  readonly #ttlMs: number
  readonly #max: number

  constructor(ttlMs: number, max: number) {
    this.#ttlMs = ttlMs
    this.#max = max
  }

  /** undefined: either is right. */
  knows(key: string, nowMs: number): boolean | undefined {
    const index = this.#added.findLastIndex(entry => entry.key === key)
    const entry = this.#added[index]
    if (entry === undefined || entry.isTakenBack || nowMs - entry.atMs >= 2 * this.#ttlMs) return false
    const newer = this.#added.slice(index + 1)
    if (newer.filter(other => !other.isTakenBack).length >= this.#max) return false
    return nowMs - entry.atMs < this.#ttlMs && newer.length < Math.floor(this.#max / 2) ? true : undefined
  }

  add(key: string, nowMs: number): void {
    this.#added.push({ key, atMs: nowMs, isTakenBack: false })
  }

  forget(key: string): void {
    for (const entry of this.#added) if (entry.key === key) entry.isTakenBack = true
  }
}

describe('seen beside its twin', () => {
  const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const event = fc.record({
    type: fc.constantFrom('add', 'add', 'add', 'look', 'forget'),
    key: fc.constantFrom(...KEYS),
    waitMs: fc.constantFrom(0, 0, 0, 1, 2, 5, 9, 10, 11, 20, 50),
  })

  for (const max of [2, 5, 6, 100]) {
    it(`agrees with room for ${max}`, () => {
      forRandomEvents(event, { runs: 100, most: 200 }, events => {
        const seen = new Seen({ ttlMs: 10, max })
        const twin = new SeenTwin(10, max)
        let nowMs = 0
        for (const { type, key, waitMs } of events) {
          nowMs += waitMs
          const wasKnown = seen.has(key, nowMs)
          if (type === 'add') {
            seen.add(key, nowMs)
            if (!wasKnown) twin.add(key, nowMs)
          }
          if (type === 'forget') {
            seen.forget(key)
            twin.forget(key)
          }
          for (const other of KEYS) {
            const expected = twin.knows(other, nowMs)
            if (expected !== undefined) assert.equal(seen.has(other, nowMs), expected, `${other} at ${nowMs}`)
          }
          assert.ok(seen.size <= max)
        }
      })
    })
  }
})
