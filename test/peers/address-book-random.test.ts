/**
 * The address book beside its twin: at least 100,000 random operations for each of three seeds, with restarts. Addresses
 * are few, and want the same places: otherwise hardly any two would ever meet. `BOOK_ROUNDS` sets another number of seeds.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Endpoint, isRoutable, parseEndpoint } from '../../src/core/endpoint.ts'
import type { AddressBook } from '../../src/peers/address-book.ts'
import { decodeRecord, encodeRecord } from '../../src/peers/book-record.ts'
import type { Source } from '../../src/peers/view.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { AddressBookTwin } from './address-book-twin.ts'
import {
  contentOf,
  DAY_MS,
  HOUR_MS,
  hostsOf,
  MINUTE_MS,
  makeBook,
  NOW_MS,
  placement,
  randomFrom,
} from './book-setup.ts'

const ROUNDS = Number(process.env.BOOK_ROUNDS ?? 3)

const TELLERS = ['4:198.51', '4:100.1', '4:100.2', '6:2001:db8', '?:seed.example.org']
const SOURCES: Source[] = ['dns', 'exchange', 'dht']

/** Hosts of one group in one bucket of `tried`, ports of three hosts, hosts of one /64, and a few apart. */
const ENDPOINTS: Endpoint[] = [
  ...[...hostsOf('203.0')]
    .filter(
      host => placement.triedBucket(host, '4:203.0') === placement.triedBucket('203.0.0.0:9000', '4:203.0'),
    )
    .slice(0, 100),
  ...['203.0.113.7', '8.8.8.8', '10.0.0.1'].flatMap(ip =>
    Array.from({ length: 15 }, (_, at) => `${ip}:${at + 1}`),
  ),
  ...Array.from({ length: 15 }, (_, at) => `[2001:4860:1:1::${(at + 1).toString(16)}]:9000`),
  ...Array.from({ length: 15 }, (_, at) => `20.${at}.0.1:9000`),
]

type Operation =
  | { type: 'add'; endpoint: Endpoint; teller: string; source: Source; agoMs: number; penaltyMs: number }
  | { type: 'attempt'; endpoint: Endpoint; counted: boolean }
  | { type: 'good'; endpoint: Endpoint; peer: string }
  | { type: 'heard' | 'remove'; endpoint: Endpoint }
  | { type: 'select'; newOnly: boolean }
  | { type: 'selectCollision' | 'resolveCollisions' | 'reached' | 'takeChanges' | 'restart' }
  | { type: 'wait'; forMs: number }

const endpoint = fc.constantFrom(...ENDPOINTS)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 120,
    arbitrary: fc.record({
      type: fc.constant('add' as const),
      endpoint,
      teller: fc.constantFrom(...TELLERS),
      source: fc.constantFrom(...SOURCES),
      agoMs: fc.oneof(
        fc.integer({ min: -11 * MINUTE_MS, max: 3 * HOUR_MS }),
        fc.integer({ min: 0, max: 40 * DAY_MS }),
      ),
      penaltyMs: fc.constantFrom(0, 2 * HOUR_MS),
    }),
  },
  {
    weight: 48,
    arbitrary: fc.record({ type: fc.constant('attempt' as const), endpoint, counted: fc.boolean() }),
  },
  {
    weight: 56,
    arbitrary: fc.record({ type: fc.constant('good' as const), endpoint, peer: fc.constantFrom('P', 'Q') }),
  },
  {
    weight: 16,
    arbitrary: fc.record({ type: fc.constantFrom('heard' as const, 'remove' as const), endpoint }),
  },
  { weight: 20, arbitrary: fc.record({ type: fc.constant('select' as const), newOnly: fc.boolean() }) },
  {
    weight: 48,
    arbitrary: fc.record({
      type: fc.constantFrom('selectCollision' as const, 'resolveCollisions' as const, 'reached' as const),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ type: 'takeChanges' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'restart' as const }) },
  {
    weight: 80,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      forMs: fc.oneof(
        { weight: 20, arbitrary: fc.integer({ min: 0, max: 3 * MINUTE_MS }) },
        { weight: 6, arbitrary: fc.integer({ min: 0, max: 5 * HOUR_MS }) },
        { weight: 2, arbitrary: fc.integer({ min: 0, max: 9 * DAY_MS }) },
        // Somebody puts the clock back.
        { weight: 1, arbitrary: fc.integer({ min: -2 * DAY_MS, max: 0 }) },
      ),
    }),
  },
)

/** How often each thing happened that this test is about. */
const happened = { operations: 0, displaced: 0, restarts: 0, shared: 0, refused: 0 }

class Pair {
  readonly #rules: 'all' | 'routable'
  readonly #random: () => number
  readonly #twin: AddressBookTwin
  #book: AddressBook
  #nowMs = NOW_MS

  constructor(rules: 'all' | 'routable') {
    this.#rules = rules
    this.#random = randomFrom('book')
    this.#book = makeBook(this.#random, rules)
    const isExempt = (end: Endpoint): boolean =>
      rules === 'routable' && !isRoutable(parseEndpoint(end)?.ip ?? '')
    this.#twin = new AddressBookTwin(placement, randomFrom('book'), isExempt)
  }

  do(what: Operation): void {
    const [book, twin, now] = [this.#book, this.#twin, this.#nowMs]
    switch (what.type) {
      case 'add': {
        const { endpoint, source, teller: sourceGroup, agoMs, penaltyMs } = what
        const heard = { endpoint, source, sourceGroup, lastHeardMs: now - agoMs, penaltyMs }
        const result = book.add(heard, now)
        if (result === 'refused') happened.refused++
        assert.equal(result, twin.add(heard, now))
        return
      }
      case 'attempt':
        book.attempt(what.endpoint, what.counted, now)
        twin.attempt(what.endpoint, what.counted, now)
        return
      case 'good':
        book.good(what.endpoint, what.peer, now)
        twin.good(what.endpoint, what.peer, now)
        return
      case 'heard':
        book.heard(what.endpoint, now)
        twin.heard(what.endpoint, now)
        return
      case 'remove':
        assert.equal(book.remove(what.endpoint), twin.remove(what.endpoint))
        return
      case 'select':
        assert.equal(book.select(what, now)?.endpoint, twin.select(what.newOnly, now))
        return
      case 'selectCollision':
        assert.equal(book.selectCollision(now)?.endpoint, twin.selectCollision(now))
        return
      case 'resolveCollisions':
        return this.#resolve()
      case 'reached': {
        const found = book.reached(now - 30 * DAY_MS, now).map(info => info.endpoint)
        assert.deepEqual(found.sort(), twin.reached(now - 30 * DAY_MS, now).sort())
        return
      }
      case 'takeChanges':
        return this.#compareChanges()
      case 'restart':
        return this.#restart()
      case 'wait':
        this.#nowMs += what.forMs
    }
  }

  compare(): void {
    this.#book.check()
    const content = this.#twin.content()
    assert.deepEqual(contentOf(this.#book), content)
    for (const { newBuckets } of this.#book.entries()) if (newBuckets.length > 1) happened.shared++
  }

  #resolve(): void {
    const standing = new Set(
      [...this.#book.entries()].filter(entry => entry.isTried).map(entry => entry.endpoint),
    )
    this.#book.resolveCollisions(this.#nowMs)
    this.#twin.resolveCollisions(this.#nowMs)
    for (const end of standing) if (this.#book.get(end)?.isTried !== true) happened.displaced++
  }

  /** What is told as changed may be unchanged, but not the other way round. */
  #compareChanges(): void {
    const { put, removed } = this.#book.takeChanges()
    const twin = this.#twin.changes()
    for (const end of twin.changed) assert.ok(put.includes(end), `${end} has changed`)
    for (const end of put) assert.ok(this.#book.has(end), `${end} is to be saved`)
    assert.deepEqual(removed.sort(), twin.removed.sort())
  }

  /** Saves all, and loads it slot by slot. */
  #restart(): void {
    happened.restarts++
    this.#compareChanges()
    const records = [...this.#book.entries()].map(entry => [entry.endpoint, encodeRecord(entry)] as const)
    const next = makeBook(this.#random, this.#rules)
    for (const [end, bytes] of records) {
      const record = decodeRecord(end, bytes)
      assert.ok(record !== undefined)
      assert.equal(next.restore(record), 'whole')
    }
    assert.deepEqual(contentOf(next), contentOf(this.#book))
    assert.deepEqual(next.takeChanges(), { put: [], removed: [] })
    this.#book = next
    this.#twin.restart()
  }
}

function run(operations: Operation[], rules: 'all' | 'routable'): void {
  const pair = new Pair(rules)
  for (const [index, what] of operations.entries()) {
    happened.operations++
    pair.do(what)
    if (index % 300 === 0) pair.compare()
  }
  pair.compare()
}

describe('the address book beside its twin', () => {
  for (let round = 0; round < ROUNDS; round++) {
    const rules = round % 3 === 2 ? 'routable' : 'all'
    it(`does the same, and keeps its invariants: ${rules}, ${round + 1}`, { timeout: 300_000 }, () => {
      happened.operations = 0
      forRandomEvents(operation, { runs: 56, most: 4_000 }, operations => run(operations, rules))
      assert.ok(happened.operations >= 100_000, `${happened.operations} operations`)
    })
  }

  it('was tested in what matters', () => {
    const { displaced, restarts, shared, refused } = happened
    assert.ok(Math.min(displaced, restarts, shared, refused) > 100, JSON.stringify(happened))
  })
})
