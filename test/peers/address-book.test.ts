import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AddressBook } from '../../src/peers/address-book.ts'
import {
  contentOf,
  DAY_MS,
  HOUR_MS,
  heard,
  KEY,
  MINUTE_MS,
  makeBook,
  NOW_MS,
  newSpot,
  rivalsInNew,
  rivalsInTried,
  TELLER,
} from './book-setup.ts'

const A = '203.0.113.7:9000'
const B = '203.0.114.8:9000'

/** Source groups that bring an address into buckets of `new` that are all different. */
function tellersOf(endpoint: string, count: number): string[] {
  const found = new Map<string, string>()
  for (let third = 0; found.size < count; third++)
    found.set(newSpot(endpoint, `4:100.${third}`), `4:100.${third}`)
  return [...found.values()]
}

/** An address that `places` tellers have told, so that it stands in so many buckets. */
function spread(book: AddressBook, endpoint: string, places: number): void {
  const told = tellersOf(endpoint, places)
  // A little later each time: only news brings a place, and a time that is refreshed is no news any more.
  for (const [index, sourceGroup] of told.entries()) {
    book.add(heard(endpoint, { sourceGroup, lastHeardMs: NOW_MS - HOUR_MS + index }), NOW_MS)
  }
  assert.equal(book.entry(endpoint)?.newBuckets.length, places)
}

describe('the address book, when it hears of an address', () => {
  it('keeps it, with who told of it', () => {
    const book = makeBook()
    assert.equal(book.add(heard(A, { source: 'dns', sourceGroup: '?:seed.example.org' }), NOW_MS), 'added')
    assert.deepEqual(book.get(A), {
      endpoint: A,
      group: '4:203.0',
      peer: undefined,
      source: 'dns',
      sourceGroup: '?:seed.example.org',
      lastHeardMs: NOW_MS,
      lastAttemptMs: 0,
      lastSuccessMs: 0,
      attempts: 0,
      isTried: false,
    })
    assert.deepEqual([book.size, book.has(A), book.has(B), book.get(B)], [1, true, false, undefined])
    assert.equal(book.add(heard(A), NOW_MS), 'known')
    assert.equal(book.size, 1)
  })

  const refusals: [id: string, endpoint: string, sourceGroup: string][] = [
    ['a name', 'seed.example.org:9000', TELLER],
    ['port 0', '203.0.113.7:0', TELLER],
    ['an address written otherwise', '203.0.113.007:9000', TELLER],
    ['an IPv6 address without brackets', '2001:db8::1:9000', TELLER],
    ['a source group that is no short text', A, 'x'.repeat(256)],
    ['no source group', A, ''],
  ]
  for (const [id, endpoint, sourceGroup] of refusals) {
    it(`refuses ${id}`, () => {
      const book = makeBook()
      assert.equal(book.add(heard(endpoint, { sourceGroup }), NOW_MS), 'refused')
      assert.equal(book.size, 0)
    })
  }

  it('leaves who stands in the place there', () => {
    const book = makeBook()
    const [old, late] = rivalsInNew(2)
    book.add(heard(old), NOW_MS)
    assert.equal(book.add(heard(late), NOW_MS), 'refused')
    assert.deepEqual([book.has(old), book.has(late)], [true, false])
    // Told by somebody else it has another place.
    assert.equal(book.add(heard(late, { sourceGroup: '4:100.1' }), NOW_MS), 'added')
  })

  it('gives the place away of one that is terrible', () => {
    const book = makeBook()
    const [old, late] = rivalsInNew(2)
    book.add(heard(old, { lastHeardMs: NOW_MS - 30 * DAY_MS }), NOW_MS)
    assert.equal(book.add(heard(late), NOW_MS), 'refused')
    assert.equal(book.add(heard(late), NOW_MS + 1), 'added')
    assert.deepEqual([book.has(old), book.has(late), book.size], [false, true, 1])
    book.check()
  })

  it('gives one of several places away to one that has none', () => {
    const book = makeBook()
    const [old, late] = rivalsInNew(2)
    book.add(heard(old, { lastHeardMs: NOW_MS - HOUR_MS }), NOW_MS)
    book.add(heard(old, { sourceGroup: '4:100.1' }), NOW_MS)
    assert.equal(book.entry(old)?.newBuckets.length, 2)
    assert.equal(book.add(heard(late), NOW_MS), 'added')
    assert.deepEqual([book.entry(old)?.newBuckets.length, book.entry(late)?.newBuckets.length], [1, 1])
    book.check()
  })

  it('does not give one of several places away to one that has another', () => {
    const book = makeBook()
    const [old, late] = rivalsInNew(2)
    book.add(heard(old, { lastHeardMs: NOW_MS - HOUR_MS }), NOW_MS)
    book.add(heard(old, { sourceGroup: '4:100.1' }), NOW_MS)
    book.add(heard(late, { sourceGroup: '4:100.2', lastHeardMs: NOW_MS - HOUR_MS }), NOW_MS)
    assert.equal(book.add(heard(late), NOW_MS), 'known')
    assert.deepEqual([book.entry(old)?.newBuckets.length, book.entry(late)?.newBuckets.length], [2, 1])
  })

  // What was known an hour or a day ago, when it is told again.
  const refreshed: [id: string, knownMs: number, toldMs: number, penaltyMs: number, thenMs: number][] = [
    ['within the hour', NOW_MS - HOUR_MS, NOW_MS, 0, NOW_MS - HOUR_MS],
    ['later', NOW_MS - HOUR_MS - 1, NOW_MS, 0, NOW_MS],
    ['later, with a penalty', NOW_MS - 4 * HOUR_MS, NOW_MS, 2 * HOUR_MS, NOW_MS - 2 * HOUR_MS],
    ['within hour and penalty', NOW_MS - 3 * HOUR_MS, NOW_MS, 2 * HOUR_MS, NOW_MS - 3 * HOUR_MS],
    ['of yesterday, within the day', NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS, 0, NOW_MS - 2 * DAY_MS],
    ['of yesterday, later', NOW_MS - 2 * DAY_MS - 1, NOW_MS - DAY_MS, 0, NOW_MS - DAY_MS],
    ['older than known', NOW_MS - HOUR_MS, NOW_MS - 9 * DAY_MS, 0, NOW_MS - HOUR_MS],
    ['of a time to come', NOW_MS - 7 * DAY_MS, NOW_MS + DAY_MS, 0, NOW_MS - 5 * DAY_MS],
  ]
  for (const [id, knownMs, toldMs, penaltyMs, thenMs] of refreshed) {
    it(`refreshes the time by steps: ${id}`, () => {
      const book = makeBook()
      book.add(heard(A, { lastHeardMs: knownMs }), NOW_MS)
      book.add(heard(A, { lastHeardMs: toldMs, penaltyMs }), NOW_MS)
      assert.equal(book.get(A)?.lastHeardMs, thenMs)
    })
  }

  it('makes a time older by the penalty', () => {
    const book = makeBook()
    book.add(heard(A, { penaltyMs: 2 * HOUR_MS }), NOW_MS)
    assert.equal(book.get(A)?.lastHeardMs, NOW_MS - 2 * HOUR_MS)
  })
})

describe('the address book, when many tell of an address', () => {
  for (let places = 1; places < 8; places++) {
    it(`grants place ${places + 1} with probability 2^-${places}`, () => {
      for (const [drawn, isGranted] of [
        [2 ** -places, false],
        [2 ** -places - 2 ** -30, true],
      ] as const) {
        const book = makeBook([...new Array(places - 1).fill(0), drawn])
        spread(book, A, places)
        assert.equal(book.add(heard(A), NOW_MS), 'known')
        assert.equal(book.entry(A)?.newBuckets.length, isGranted ? places + 1 : places)
        book.check()
      }
    })
  }

  it('grants no ninth place', () => {
    const book = makeBook()
    spread(book, A, 8)
    book.add(heard(A, { lastHeardMs: NOW_MS + MINUTE_MS }), NOW_MS)
    assert.equal(book.entry(A)?.newBuckets.length, 8)
  })

  it('grants none for what is no news, nor twice for one teller, nor to one that is tried', () => {
    const book = makeBook()
    book.add(heard(A), NOW_MS)
    book.add(heard(A, { sourceGroup: '4:100.1' }), NOW_MS)
    assert.equal(book.entry(A)?.newBuckets.length, 1)
    book.add(heard(A, { lastHeardMs: NOW_MS + 1 }), NOW_MS)
    assert.equal(book.entry(A)?.newBuckets.length, 1)
    book.good(A, 'P', NOW_MS)
    book.add(heard(A, { sourceGroup: '4:100.1', lastHeardMs: NOW_MS + 1 }), NOW_MS)
    assert.deepEqual(book.entry(A)?.newBuckets, [])
    book.check()
  })

  it('believes nobody about who is there, or who was the first to tell', () => {
    const book = makeBook()
    book.add(heard(A), NOW_MS)
    book.good(A, 'P', NOW_MS)
    book.add(heard(A, { source: 'dht', sourceGroup: '4:1.1', lastHeardMs: NOW_MS + MINUTE_MS }), NOW_MS)
    const { peer, source, sourceGroup } = book.get(A) ?? {}
    assert.deepEqual({ peer, source, sourceGroup }, { peer: 'P', source: 'exchange', sourceGroup: TELLER })
  })
})

describe('the address book, when an address is dialled', () => {
  it('moves what was reached to tried, out of all its places in new', () => {
    const book = makeBook()
    spread(book, A, 3)
    book.attempt(A, true, NOW_MS)
    book.good(A, 'P', NOW_MS + 5)
    const { peer, isTried, attempts, lastAttemptMs, lastSuccessMs, newBuckets } = book.entry(A) ?? {}
    assert.deepEqual(
      { peer, isTried, attempts, newBuckets },
      { peer: 'P', isTried: true, attempts: 0, newBuckets: [] },
    )
    assert.deepEqual([lastAttemptMs, lastSuccessMs], [NOW_MS + 5, NOW_MS + 5])
    // Not the time that others get to see.
    assert.equal(book.get(A)?.lastHeardMs, NOW_MS - HOUR_MS)
    const { newAddresses, triedAddresses, newBuckets: counts, triedBuckets } = book.stats()
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, count) => total + count, 0)
    assert.deepEqual([newAddresses, triedAddresses, sum(counts), sum(triedBuckets)], [0, 1, 0, 1])
    book.check()
  })

  it('knows the last peer that proved to be there', () => {
    const book = makeBook()
    book.add(heard(A), NOW_MS)
    book.good(A, 'P', NOW_MS)
    book.good(A, 'Q', NOW_MS)
    assert.equal(book.get(A)?.peer, 'Q')
  })

  it('does not learn addresses by reaching them', () => {
    const book = makeBook()
    book.good(A, 'P', NOW_MS)
    book.attempt(A, true, NOW_MS)
    book.heard(A, NOW_MS)
    assert.equal(book.size, 0)
  })

  it('counts a failure only when something has succeeded since the last', () => {
    const book = makeBook()
    for (const endpoint of [A, B]) book.add(heard(endpoint), NOW_MS)
    const attempts = (): unknown => [book.get(A)?.attempts, book.get(A)?.lastAttemptMs]
    book.attempt(A, false, NOW_MS)
    assert.deepEqual(attempts(), [0, NOW_MS])
    for (const atMs of [NOW_MS + 1, NOW_MS + 2, NOW_MS + DAY_MS]) book.attempt(A, true, atMs)
    assert.deepEqual(attempts(), [1, NOW_MS + DAY_MS])
    book.good(B, 'P', NOW_MS + DAY_MS + 1)
    for (const atMs of [2, 3, 4]) book.attempt(A, true, NOW_MS + DAY_MS + atMs)
    assert.deepEqual(attempts(), [2, NOW_MS + DAY_MS + 4])
  })

  it('counts attempts up to 255', () => {
    const book = makeBook()
    for (const endpoint of [A, B]) book.add(heard(endpoint), NOW_MS)
    for (let count = 0; count < 300; count++) {
      book.good(B, 'P', NOW_MS + 2 * count)
      book.attempt(A, true, NOW_MS + 2 * count + 1)
    }
    assert.equal(book.get(A)?.attempts, 255)
  })

  it('counts again after the clock was put back', () => {
    const book = makeBook()
    for (const endpoint of [A, B]) book.add(heard(endpoint), NOW_MS)
    book.attempt(A, true, NOW_MS + 400 * DAY_MS)
    book.good(B, 'P', NOW_MS)
    book.attempt(A, true, NOW_MS + 1)
    assert.equal(book.get(A)?.attempts, 2)
  })

  it('refreshes the time of a connected peer by 20 minutes', () => {
    const book = makeBook()
    book.add(heard(A), NOW_MS)
    book.heard(A, NOW_MS + 20 * MINUTE_MS)
    assert.equal(book.get(A)?.lastHeardMs, NOW_MS)
    book.heard(A, NOW_MS + 20 * MINUTE_MS + 1)
    assert.equal(book.get(A)?.lastHeardMs, NOW_MS + 20 * MINUTE_MS + 1)
  })

  it('forgets what it is told to, in new and in tried', () => {
    const book = makeBook()
    spread(book, A, 3)
    book.add(heard(B), NOW_MS)
    book.good(B, 'P', NOW_MS)
    assert.deepEqual([book.remove(A), book.remove(B), book.remove(B)], [true, true, false])
    assert.equal(book.size, 0)
    book.check()
  })
})

describe('the address book, asked for what was reached', () => {
  const cases: [id: string, arrange: (book: AddressBook) => void, isPassedOn: boolean][] = [
    ['never', () => {}, false],
    ['lately', book => book.good(A, 'P', NOW_MS - DAY_MS), true],
    ['30 days ago', book => book.good(A, 'P', NOW_MS - 30 * DAY_MS), true],
    ['before that', book => book.good(A, 'P', NOW_MS - 30 * DAY_MS - 1), false],
    ['at a time to come', book => book.good(A, 'P', NOW_MS + DAY_MS), false],
  ]
  for (const [id, arrange, isPassedOn] of cases) {
    it(id, () => {
      const book = makeBook()
      book.add(heard(A), NOW_MS)
      arrange(book)
      const found = book.reached(NOW_MS - 30 * DAY_MS, NOW_MS).map(({ endpoint }) => endpoint)
      assert.deepEqual(found, isPassedOn ? [A] : [])
    })
  }

  it('leaves out what is terrible, and has what waits in new', () => {
    const book = makeBook()
    const [occupant, waiting] = rivalsInTried(2)
    for (const endpoint of [occupant, waiting]) book.add(heard(endpoint), NOW_MS)
    for (const endpoint of [occupant, waiting]) book.good(endpoint, 'P', NOW_MS)
    book.add(heard(A, { lastHeardMs: NOW_MS - 29 * DAY_MS }), NOW_MS)
    book.good(A, 'P', NOW_MS - 10 * DAY_MS)
    assert.equal(book.reached(NOW_MS - 30 * DAY_MS, NOW_MS).length, 3)
    // Two days later it was heard of 31 days ago.
    const later = book.reached(NOW_MS - 28 * DAY_MS, NOW_MS + 2 * DAY_MS).map(({ endpoint }) => endpoint)
    assert.deepEqual(later.toSorted(), [occupant, waiting].toSorted())
  })

  it('has them of all ages when asked from the beginning of time', () => {
    const book = makeBook()
    for (const endpoint of [A, B]) book.add(heard(endpoint), NOW_MS)
    book.good(B, 'P', NOW_MS)
    assert.deepEqual(
      book.reached(0, NOW_MS).map(({ endpoint }) => endpoint),
      [B],
    )
  })
})

describe('the address book, for people', () => {
  it('counts by table, bucket and source', () => {
    const book = makeBook()
    const sources = ['dns', 'bootstrap', 'exchange', 'hello', 'dht', 'manual', 'manual'] as const
    const endpoints = sources.map((_, index) => `203.0.113.${index}:9000`)
    for (const [index, source] of sources.entries()) {
      book.add(heard(endpoints[index] ?? '', { source, sourceGroup: `4:100.${index}` }), NOW_MS)
    }
    book.good(endpoints[0] ?? '', 'P', NOW_MS)
    const stats = book.stats()
    assert.deepEqual([stats.newAddresses, stats.triedAddresses], [6, 1])
    assert.deepEqual(stats.bySource, { dns: 1, bootstrap: 1, exchange: 1, hello: 1, dht: 1, manual: 2 })
    assert.deepEqual([stats.newBuckets.length, stats.triedBuckets.length], [1024, 256])
    const held = [...book.entries()].flatMap(entry => entry.newBuckets)
    for (const bucket of held) assert.ok((stats.newBuckets[bucket] ?? 0) > 0)
    assert.equal(contentOf(book).length, 7)
    assert.equal(book.key, KEY)
  })
})
