/** Who gets a place in `tried` when it is taken, how many places a host gets, and what of all that is saved. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Endpoint, GroupRules } from '../../src/core/endpoint.ts'
import type { AddressBook } from '../../src/peers/address-book.ts'
import {
  contentOf,
  DAY_MS,
  HOUR_MS,
  heard,
  hostsOf,
  MINUTE_MS,
  makeBook,
  NOW_MS,
  newSpot,
  rivals,
  rivalsInNew,
  rivalsInTried,
  SECOND_MS,
  triedSpot,
} from './book-setup.ts'

const A = '203.0.113.7:9000'
const B = '203.0.114.8:9000'

const [OCCUPANT, RIVAL] = rivalsInTried(2)

/** An occupant reached at one time, and a rival that was reached at another and waits for its place. */
function contested(occupantMs: number, rivalMs: number): AddressBook {
  const book = makeBook()
  for (const endpoint of [OCCUPANT, RIVAL]) book.add(heard(endpoint), NOW_MS)
  book.good(OCCUPANT, 'P', occupantMs)
  book.good(RIVAL, 'Q', rivalMs)
  assert.deepEqual([book.get(OCCUPANT)?.isTried, book.get(RIVAL)?.isTried], [true, false])
  return book
}

describe('two good addresses for one place in tried', () => {
  const LONG_AGO = NOW_MS - DAY_MS
  // At a time after the rival was reached; what happened to the occupant before.
  const cases: {
    id: string
    occupantMs?: number
    attemptMs?: number
    reached?: boolean
    atMs: number
    winner: Endpoint
    isDecided: boolean
  }[] = [
    { id: 'untested', atMs: 40 * MINUTE_MS, winner: OCCUPANT, isDecided: false },
    { id: 'untested for more than 40 minutes', atMs: 40 * MINUTE_MS + 1, winner: RIVAL, isDecided: true },
    {
      id: 'the occupant was reached within 4 hours',
      occupantMs: NOW_MS - 4 * HOUR_MS + MINUTE_MS + 1,
      atMs: MINUTE_MS,
      winner: OCCUPANT,
      isDecided: true,
    },
    {
      id: 'the occupant was reached 4 hours ago',
      occupantMs: NOW_MS - 4 * HOUR_MS + MINUTE_MS,
      atMs: MINUTE_MS,
      winner: OCCUPANT,
      isDecided: false,
    },
    {
      id: 'the occupant was dialled 4 hours ago',
      attemptMs: MINUTE_MS - 4 * HOUR_MS,
      atMs: MINUTE_MS,
      winner: OCCUPANT,
      isDecided: false,
    },
    { id: 'the occupant answers', attemptMs: 1, reached: true, atMs: 2, winner: OCCUPANT, isDecided: true },
    {
      id: 'the occupant was dialled up to a minute ago',
      attemptMs: SECOND_MS,
      atMs: SECOND_MS + MINUTE_MS,
      winner: OCCUPANT,
      isDecided: false,
    },
    {
      id: 'the occupant did not answer for a minute',
      attemptMs: SECOND_MS,
      atMs: SECOND_MS + MINUTE_MS + 1,
      winner: RIVAL,
      isDecided: true,
    },
    { id: 'reached long ago, dialled before', attemptMs: -HOUR_MS, atMs: 1, winner: RIVAL, isDecided: true },
  ]
  for (const { id, occupantMs = LONG_AGO, attemptMs, reached, atMs, winner, isDecided } of cases) {
    it(id, () => {
      const book = contested(occupantMs, NOW_MS)
      if (attemptMs !== undefined) book.attempt(OCCUPANT, true, NOW_MS + attemptMs)
      if (reached) book.good(OCCUPANT, 'P', NOW_MS + (attemptMs ?? 0))
      book.resolveCollisions(NOW_MS + atMs)
      const loser = winner === OCCUPANT ? RIVAL : OCCUPANT
      assert.deepEqual([book.get(winner)?.isTried, book.get(loser)?.isTried], [true, false])
      book.check()
      const isWaiting = book.selectCollision(NOW_MS + DAY_MS) !== undefined
      assert.equal(isWaiting, !isDecided)
    })
  }

  it('does not take a victory for a success', () => {
    const book = contested(LONG_AGO, NOW_MS)
    book.add(heard(A), NOW_MS)
    book.attempt(A, true, NOW_MS + 1)
    book.resolveCollisions(NOW_MS + HOUR_MS)
    const { isTried, lastSuccessMs, peer } = book.get(RIVAL) ?? {}
    assert.deepEqual({ isTried, lastSuccessMs, peer }, { isTried: true, lastSuccessMs: NOW_MS, peer: 'Q' })
    // Nothing has succeeded since A failed.
    book.attempt(A, true, NOW_MS + HOUR_MS + 1)
    assert.equal(book.get(A)?.attempts, 1)
  })

  it('puts the loser back where its source puts it, and who stood there out', () => {
    const book = contested(LONG_AGO, NOW_MS)
    const usurper = [...hostsOf('203.0')].find(
      host => host !== OCCUPANT && newSpot(host) === newSpot(OCCUPANT),
    )
    assert.ok(usurper !== undefined)
    assert.equal(book.add(heard(usurper), NOW_MS), 'added')
    book.resolveCollisions(NOW_MS + HOUR_MS)
    assert.deepEqual([book.has(usurper), book.entry(OCCUPANT)?.newBuckets.length, book.size], [false, 1, 2])
    book.check()
  })

  it('shows the occupant for a test, and not again within a minute', () => {
    const book = contested(LONG_AGO, NOW_MS)
    assert.equal(book.selectCollision(NOW_MS)?.endpoint, OCCUPANT)
    book.attempt(OCCUPANT, true, NOW_MS)
    assert.equal(book.selectCollision(NOW_MS + MINUTE_MS), undefined)
    assert.equal(book.selectCollision(NOW_MS + MINUTE_MS + 1)?.endpoint, OCCUPANT)
    assert.equal(makeBook().selectCollision(NOW_MS), undefined)
  })

  it('is no contest any more when either is forgotten', () => {
    for (const gone of [OCCUPANT, RIVAL]) {
      const book = contested(LONG_AGO, NOW_MS)
      book.remove(gone)
      assert.equal(book.selectCollision(NOW_MS), undefined)
      book.resolveCollisions(NOW_MS)
      const left = gone === OCCUPANT ? RIVAL : OCCUPANT
      assert.deepEqual([book.get(left)?.isTried, book.size], [true, 1])
      book.check()
    }
  })

  it('ends when the rival is reached again and finds its place free', () => {
    const book = contested(LONG_AGO, NOW_MS)
    book.remove(OCCUPANT)
    book.good(RIVAL, 'Q', NOW_MS + 1)
    assert.equal(book.get(RIVAL)?.isTried, true)
    book.check()
  })

  it('lets ten wait; who comes later stays in new', () => {
    const crowd = rivals(12, triedSpot, newSpot)
    const book = makeBook()
    for (const endpoint of crowd) book.add(heard(endpoint), NOW_MS)
    for (const endpoint of crowd) book.good(endpoint, 'P', NOW_MS)
    book.check()
    for (const endpoint of crowd.slice(1, -1)) {
      assert.equal(book.selectCollision(NOW_MS + HOUR_MS)?.endpoint, crowd[0])
      book.remove(endpoint)
    }
    assert.equal(book.selectCollision(NOW_MS + HOUR_MS), undefined)
    assert.equal(book.get(crowd.at(-1) ?? '')?.isTried, false)
  })
})

/** Ports of one host that are not in each other's way in either table. */
function portsOf(host: string, count: number): Endpoint[] {
  const found: Endpoint[] = []
  for (let port = 9_000; found.length < count; port++) {
    const endpoint = `${host}:${port}`
    const isFree = found.every(
      other => newSpot(other) !== newSpot(endpoint) && triedSpot(other) !== triedSpot(endpoint),
    )
    if (isFree) found.push(endpoint)
  }
  return found
}

describe('the endpoints of a private network', () => {
  const endpoints = Array.from({ length: 200 }, (_, index) => `127.0.0.1:${9_000 + index}`)

  /** How many of them a book takes that hears of all from one of them. */
  function taken(groupRules: GroupRules): number {
    const book = makeBook([], groupRules)
    const results = endpoints.map(endpoint =>
      book.add({ ...heard(endpoint), sourceGroup: '4:127.0' }, NOW_MS),
    )
    return results.filter(result => result === 'added').length
  }

  it('do not share one bucket where the rules exempt them', () => {
    assert.ok(taken('routable') >= 190, `${taken('routable')} of 200`)
    // One host may have 8, and one group of one source one bucket.
    assert.ok(taken('all') <= 64)
  })
})

describe('the endpoints of one host', () => {
  const counts = (book: AddressBook): number[] => [book.stats().newAddresses, book.stats().triedAddresses]

  it('are at most 8 in new by one teller, and 4 in tried', () => {
    const book = makeBook()
    const ports = portsOf('203.0.113.7', 12)
    for (const endpoint of ports) book.add(heard(endpoint), NOW_MS)
    assert.deepEqual(counts(book), [8, 0])
    for (const endpoint of ports) book.good(endpoint, 'P', NOW_MS)
    assert.deepEqual(counts(book), [4, 4])
    for (const endpoint of ports) book.add(heard(endpoint), NOW_MS)
    assert.deepEqual(counts(book), [8, 4])
    book.check()
    // Another host of the same group has its own.
    assert.equal(book.add(heard(B), NOW_MS), 'added')
    for (const endpoint of ports) book.remove(endpoint)
    assert.equal(book.add(heard(ports[11] ?? ''), NOW_MS), 'added')
  })

  it('leave room for what others tell: false ports do not keep the right one out', () => {
    const book = makeBook()
    const ports = portsOf('203.0.113.7', 10)
    const right = ports.pop() ?? ''
    for (const endpoint of ports) book.add(heard(endpoint), NOW_MS)
    assert.equal(book.add(heard(right), NOW_MS), 'refused')
    assert.equal(book.add(heard(right, { sourceGroup: '4:100.1' }), NOW_MS), 'added')
  })

  it('are those of a /64 with IPv6', () => {
    const book = makeBook()
    const hosts = Array.from(
      { length: 100 },
      (_, index) => `[2001:4860:1:1::${(index + 1).toString(16)}]:9000`,
    )
    for (const endpoint of hosts) book.add(heard(endpoint), NOW_MS)
    assert.equal(book.size, 8)
    assert.equal(book.add(heard('[2001:4860:1:2::1]:9000'), NOW_MS), 'added')
  })

  it('are not counted where group rules exempt the host', () => {
    for (const [host, isExempt] of [
      ['127.0.0.1', true],
      ['10.0.0.1', true],
      ['8.8.8.8', false],
    ] as const) {
      const book = makeBook([], 'routable')
      const endpoints = Array.from({ length: 60 }, (_, index) => `${host}:${9_000 + index}`)
      for (const endpoint of endpoints) book.add(heard(endpoint), NOW_MS)
      assert.ok(isExempt ? book.size > 20 : book.size === 8, `${book.size} of ${host}`)
      for (const endpoint of endpoints) book.good(endpoint, 'P', NOW_MS)
      assert.equal(book.stats().triedAddresses > 4, isExempt)
      book.check()
    }
  })

  it('may take the place of each other in tried when that is full', () => {
    const ports = portsOf('203.0.113.7', 4)
    const [first = ''] = ports
    const book = makeBook()
    for (const endpoint of ports) {
      book.add(heard(endpoint), NOW_MS)
      book.good(endpoint, 'P', NOW_MS - DAY_MS)
    }
    const rival = Array.from({ length: 20_000 }, (_, index) => `203.0.113.7:${20_000 + index}`).find(
      endpoint => triedSpot(endpoint) === triedSpot(first),
    )
    assert.ok(rival !== undefined)
    book.add(heard(rival), NOW_MS)
    book.good(rival, 'P', NOW_MS)
    book.resolveCollisions(NOW_MS + HOUR_MS)
    assert.deepEqual([book.get(rival)?.isTried, book.get(first)?.isTried], [true, false])
    assert.deepEqual(counts(book), [1, 4])
    book.check()
  })
})

describe('the changes of the book', () => {
  it('are told once, by name', () => {
    const book = makeBook()
    for (const endpoint of [A, B]) book.add(heard(endpoint), NOW_MS)
    assert.deepEqual(book.takeChanges(), { put: [A, B], removed: [] })
    assert.deepEqual(book.takeChanges(), { put: [], removed: [] })
    book.attempt(A, false, NOW_MS)
    book.remove(B)
    assert.deepEqual(book.takeChanges(), { put: [A], removed: [B] })
    book.add(heard(B), NOW_MS)
    book.remove(B)
    book.remove(A)
    book.add(heard(A), NOW_MS)
    assert.deepEqual(book.takeChanges(), { put: [A], removed: [] })
    book.remove(A)
    assert.deepEqual(book.takeChanges(), { put: [], removed: [A] })
  })

  it('name who is put out by another', () => {
    const [old, late] = rivalsInNew(2)
    const book = makeBook()
    book.add(heard(old, { lastHeardMs: NOW_MS - 31 * DAY_MS }), NOW_MS)
    book.takeChanges()
    book.add(heard(late), NOW_MS)
    assert.deepEqual(book.takeChanges(), { put: [late], removed: [old] })
  })
})

describe('a saved entry', () => {
  /** One in each table, one of them in two buckets, and one that waits. */
  function lived(): AddressBook {
    const book = contested(NOW_MS - DAY_MS, NOW_MS)
    book.add(heard(A, { lastHeardMs: NOW_MS - MINUTE_MS }), NOW_MS)
    book.add(heard(A, { sourceGroup: '4:100.1' }), NOW_MS)
    book.attempt(A, true, NOW_MS)
    return book
  }

  it('comes back to its places with all that was known', () => {
    const book = lived()
    const copy = makeBook()
    for (const entry of book.entries()) assert.equal(copy.restore(entry), 'whole')
    assert.deepEqual(contentOf(copy), contentOf(book))
    assert.equal(copy.entry(A)?.newBuckets.length, 2)
    assert.deepEqual(copy.takeChanges(), { put: [], removed: [] })
    copy.check()
    copy.remove(A)
    assert.deepEqual(copy.takeChanges().removed, [A])
  })

  it('has a memory of what was counted: a start does not wear out the book', () => {
    const book = lived()
    const copy = makeBook()
    for (const entry of book.entries()) copy.restore(entry)
    copy.attempt(A, true, NOW_MS + HOUR_MS)
    assert.equal(copy.get(A)?.attempts, 1)
    copy.good(RIVAL, 'Q', NOW_MS + 2 * HOUR_MS)
    copy.attempt(A, true, NOW_MS + 3 * HOUR_MS)
    assert.equal(copy.get(A)?.attempts, 2)
  })

  it('loses places that are taken, and goes when that was all', () => {
    const [old, late] = rivalsInNew(2)
    const [book, other] = [makeBook(), makeBook()]
    book.add(heard(old), NOW_MS)
    other.add(heard(late, { lastHeardMs: NOW_MS - MINUTE_MS }), NOW_MS)
    const single = other.entry(late)
    other.add(heard(late, { sourceGroup: '4:100.1' }), NOW_MS)
    const double = other.entry(late)
    assert.ok(single !== undefined && double?.newBuckets.length === 2)
    assert.equal(book.restore(single), 'lost')
    assert.equal(book.has(late), false)
    assert.equal(book.restore(double), 'part')
    assert.equal(book.entry(late)?.newBuckets.length, 1)
    assert.ok(book.takeChanges().put.includes(late))
    assert.equal(book.restore(double), 'lost')
    assert.deepEqual([book.has(old), book.size], [true, 2])

    const tried = contested(NOW_MS - DAY_MS, NOW_MS)
    const occupant = tried.entry(OCCUPANT)
    assert.ok(occupant !== undefined)
    assert.equal(tried.restore({ ...occupant, endpoint: RIVAL }), 'lost')
    tried.remove(RIVAL)
    assert.equal(tried.restore({ ...occupant, endpoint: RIVAL }), 'lost')
    tried.check()
  })

  it('goes when its host has enough', () => {
    const [book, other] = [makeBook(), makeBook()]
    const ports = portsOf('203.0.113.7', 9)
    for (const endpoint of ports.slice(0, 8)) book.add(heard(endpoint), NOW_MS)
    other.add(heard(ports[8] ?? ''), NOW_MS)
    assert.deepEqual(
      [...other.entries()].map(entry => book.restore(entry)),
      ['lost'],
    )
    assert.equal(book.size, 8)
  })
})
