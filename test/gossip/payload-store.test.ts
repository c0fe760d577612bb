import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { messageId, messageKey } from '../../src/core/hash.ts'
import { PayloadStore, type PayloadStoreOptions, type StoredPayload } from '../../src/gossip/payload-store.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'

/** Entries by name: `a` is always the same one, and `a10` has 10 bytes. */
function entryOf(name: string): StoredPayload {
  const payload = new Uint8Array(Number(name.slice(1)))
  return { id: messageId(name, payload), payload }
}

const ENTRIES = new Map<string, StoredPayload>()
for (const letter of 'abcdefgh')
  for (const size of [0, 1, 10, 40, 60, 100, 101]) {
    const name = `${letter}${size}`
    ENTRIES.set(name, entryOf(name))
  }

function entry(name: string): StoredPayload {
  const found = ENTRIES.get(name)
  assert.ok(found !== undefined, name)
  return found
}

const keyOf = (name: string): string => messageKey(entry(name).id)

function namesOf(entries: Iterable<StoredPayload>): string[] {
  return [...entries].map(one => [...ENTRIES].find(([, other]) => other === one)?.[0] ?? '?')
}

type Step =
  | [atMs: number, what: 'put' | 'refused', name: string]
  | [atMs: number, what: 'tick']
  /** What is there from a moment on. */
  | [sinceMs: number, what: 'since', ...names: string[]]
  | [broken: number, what: 'broken']

const ALL = Number.NEGATIVE_INFINITY

/** Kept for 60 ms. */
const cases: { id: string; maxCount?: number; maxBytes?: number; steps: Step[] }[] = [
  { id: 'is empty at first', steps: [[ALL, 'since']] },
  {
    id: 'keeps what was put, oldest first',
    steps: [
      [0, 'put', 'b1'],
      [1, 'put', 'a10'],
      [1, 'put', 'c0'],
      [ALL, 'since', 'b1', 'a10', 'c0'],
    ],
  },
  {
    id: 'says what was put from a moment on',
    steps: [
      [10, 'put', 'a1'],
      [20, 'put', 'b1'],
      [30, 'put', 'c1'],
      [20, 'since', 'b1', 'c1'],
      [21, 'since', 'c1'],
      [31, 'since'],
    ],
  },
  {
    id: 'drops at a tick what is older than its time',
    steps: [
      [0, 'put', 'a1'],
      [1, 'put', 'b1'],
      [60, 'tick'],
      [ALL, 'since', 'a1', 'b1'],
      [61, 'tick'],
      [ALL, 'since', 'b1'],
      [0, 'broken'],
    ],
  },
  {
    id: 'putting what is there does not refresh it',
    steps: [
      [0, 'put', 'a1'],
      [1, 'put', 'b1'],
      [50, 'put', 'a1'],
      [ALL, 'since', 'a1', 'b1'],
      [61, 'tick'],
      [ALL, 'since', 'b1'],
    ],
  },
  {
    id: 'what has gone and comes again is new',
    steps: [
      [0, 'put', 'a1'],
      [61, 'tick'],
      [61, 'put', 'a1'],
      [121, 'tick'],
      [61, 'since', 'a1'],
    ],
  },
  {
    id: 'over its count the oldest goes, and a promise is broken',
    maxCount: 2,
    steps: [
      [0, 'put', 'a1'],
      [0, 'put', 'b1'],
      [0, 'put', 'c1'],
      [ALL, 'since', 'b1', 'c1'],
      [1, 'broken'],
      [0, 'put', 'b1'],
      [1, 'broken'],
    ],
  },
  {
    id: 'over its bytes as many go as are needed',
    maxBytes: 100,
    steps: [
      [0, 'put', 'a40'],
      [0, 'put', 'b10'],
      [0, 'put', 'c40'],
      [0, 'put', 'd10'],
      [0, 'broken'],
      [0, 'put', 'e60'],
      [ALL, 'since', 'd10', 'e60'],
      [3, 'broken'],
      [0, 'put', 'f100'],
      [ALL, 'since', 'f100'],
    ],
  },
  {
    id: 'one larger than the store is refused, and nothing goes for it',
    maxBytes: 100,
    steps: [
      [0, 'put', 'a40'],
      [0, 'refused', 'b101'],
      [ALL, 'since', 'a40'],
      [0, 'broken'],
    ],
  },
  {
    id: 'to make room with what is over its time breaks no promise',
    maxCount: 1,
    steps: [
      [0, 'put', 'a1'],
      [61, 'put', 'b1'],
      [0, 'broken'],
      [121, 'put', 'c1'],
      [1, 'broken'],
    ],
  },
  {
    id: 'a clock that goes back leaves the order',
    steps: [
      [10, 'put', 'a1'],
      [5, 'put', 'b1'],
      [10, 'since', 'a1', 'b1'],
      [70, 'tick'],
      [ALL, 'since', 'a1', 'b1'],
      [71, 'tick'],
      [ALL, 'since'],
    ],
  },
]

describe('the payload store', () => {
  for (const { id, maxCount = 100, maxBytes = 10_000, steps } of cases) {
    it(id, () => {
      const store = new PayloadStore({ keepMs: 60, maxCount, maxBytes })
      for (const [number, what, ...names] of steps) {
        if (what === 'tick') store.tick(number)
        else if (what === 'broken') assert.equal(store.brokenCount, number)
        else if (what === 'since') assert.deepEqual(namesOf(store.since(number)), names)
        else
          for (const name of names) assert.equal(store.put(keyOf(name), entry(name), number), what === 'put')
        store.check()
      }
    })
  }

  it('hands out the very entry', () => {
    const store = new PayloadStore({ keepMs: 60, maxCount: 2, maxBytes: 100 })
    store.put(keyOf('a10'), entry('a10'), 0)
    assert.equal(store.get(keyOf('a10')), entry('a10'))
    assert.deepEqual([store.has(keyOf('a10')), store.has(keyOf('b10'))], [true, false])
    assert.equal(store.get(keyOf('b10')), undefined)
    assert.deepEqual([store.count, store.bytes], [1, 10])
  })

  it('can be changed while somebody walks through it', () => {
    const store = new PayloadStore({ keepMs: 60, maxCount: 2, maxBytes: 100 })
    store.put(keyOf('a1'), entry('a1'), 0)
    store.put(keyOf('b1'), entry('b1'), 0)
    const met: StoredPayload[] = []
    for (const one of store.since(0)) {
      met.push(one)
      if (met.length === 1) store.put(keyOf('c1'), entry('c1'), 0)
    }
    assert.deepEqual(namesOf(met), ['a1', 'b1', 'c1'])
  })

  it('refuses bounds with which it could keep nothing', () => {
    for (const wrong of [{ keepMs: 0 }, { maxCount: 0 }, { maxBytes: -1 }])
      assert.throws(
        () => new PayloadStore({ keepMs: 60, maxCount: 1, maxBytes: 1, ...wrong }),
        assert.AssertionError,
      )
  })
})

/** Everything that was ever put, in order; what is there is counted anew each time. */
class PayloadStoreTwin {
  readonly #options: PayloadStoreOptions
  #there: { readonly name: string; readonly atMs: number }[] = []
  brokenCount = 0

  constructor(options: PayloadStoreOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#there.reduce((sum, { name }) => sum + entry(name).payload.length, 0)
  }

  namesSince(ms: number): string[] {
    return this.#there.filter(({ atMs }) => atMs >= ms).map(({ name }) => name)
  }

  put(name: string, nowMs: number): boolean {
    if (this.namesSince(ALL).includes(name)) return true
    if (entry(name).payload.length > this.#options.maxBytes) return false
    this.#there.push({ name, atMs: nowMs })
    while (this.#there.length > this.#options.maxCount || this.bytes > this.#options.maxBytes) {
      const gone = this.#there.shift()
      if (gone !== undefined && nowMs <= gone.atMs + this.#options.keepMs) this.brokenCount++
    }
    return true
  }

  tick(nowMs: number): void {
    this.#there = this.#there.filter(({ atMs }) => nowMs <= atMs + this.#options.keepMs)
  }
}

describe('the payload store beside its twin', () => {
  const event = fc.record({
    type: fc.constantFrom('put', 'put', 'put', 'tick'),
    name: fc.constantFrom(...ENTRIES.keys()),
    waitMs: fc.constantFrom(0, 0, 0, 1, 5, 20, 59, 60, 61, 200),
  })

  for (const [maxCount, maxBytes] of [
    [1, 100],
    [3, 1_000],
    [100, 100],
    [100, 0],
    [5, 150],
  ] as const) {
    it(`agrees with room for ${maxCount} and ${maxBytes} bytes`, () => {
      forRandomEvents(event, { runs: 60, most: 150 }, events => {
        const options = { keepMs: 60, maxCount, maxBytes }
        const store = new PayloadStore(options)
        const twin = new PayloadStoreTwin(options)
        let nowMs = 0
        for (const { type, name, waitMs } of events) {
          nowMs += waitMs
          if (type === 'tick') {
            store.tick(nowMs)
            twin.tick(nowMs)
          } else {
            assert.equal(store.put(keyOf(name), entry(name), nowMs), twin.put(name, nowMs))
          }
          store.check()
          for (const sinceMs of [ALL, nowMs - 60, nowMs - 5, nowMs])
            assert.deepEqual(namesOf(store.since(sinceMs)), twin.namesSince(sinceMs))
          assert.equal(store.has(keyOf(name)), twin.namesSince(ALL).includes(name))
          assert.equal(store.count, twin.namesSince(ALL).length)
          assert.deepEqual([store.bytes, store.brokenCount], [twin.bytes, twin.brokenCount])
        }
      })
    })
  }
})
