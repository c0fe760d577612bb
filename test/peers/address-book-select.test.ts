import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Random } from '../../src/core/random.ts'
import type { AddressBook } from '../../src/peers/address-book.ts'
import { DAY_MS, HOUR_MS, heard, hostsOf, MINUTE_MS, makeBook, NOW_MS } from './book-setup.ts'

const A = '203.0.113.7:9000'
const B = '203.0.114.8:9000'

/** A book with so many addresses in each table, in groups of their own. */
function filledBook(newCount: number, triedCount: number): AddressBook {
  const book = makeBook('select')
  for (let third = 0; third < 256 && book.size < newCount + triedCount; third++) {
    for (let second = 0; second < 256; second++) {
      const endpoint = `20.${second}.${third}.1:9000`
      const { newAddresses, triedAddresses } = book.stats()
      if (triedAddresses === triedCount && newAddresses === newCount) break
      book.add(heard(endpoint, { sourceGroup: `4:30.${second}` }), NOW_MS)
      if (triedAddresses < triedCount) book.good(endpoint, 'P', NOW_MS - DAY_MS)
    }
  }
  return book
}

/** How often each address is selected in so many draws. */
function drawn(book: AddressBook, draws: number, newOnly = false): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>()
  for (let draw = 0; draw < draws; draw++) {
    const endpoint = book.select({ newOnly }, NOW_MS)?.endpoint
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1)
  }
  return counts
}

describe('selecting an address', () => {
  it('gives none from an empty book, and draws nothing', () => {
    const book = makeBook()
    assert.deepEqual(
      [book.select({}, NOW_MS), book.select({ newOnly: true }, NOW_MS)],
      [undefined, undefined],
    )
  })

  it('gives the only one, from either table', () => {
    const book = makeBook('one')
    book.add(heard(A), NOW_MS)
    assert.deepEqual([...drawn(book, 50).keys()], [A])
    book.good(A, 'P', NOW_MS)
    assert.deepEqual([...drawn(book, 50).keys()], [A])
    assert.deepEqual([...drawn(book, 50, true).keys()], [undefined])
  })

  it('gives the only one also when it is worth next to nothing, and ends', () => {
    const random = new Random('least')
    let draws = 0
    const book = makeBook(() => {
      draws++
      return random.fraction()
    })
    for (const endpoint of [A, B]) book.add(heard(endpoint), NOW_MS)
    for (let count = 0; count < 8; count++) {
      book.good(B, 'P', NOW_MS + 2 * count)
      book.attempt(A, true, NOW_MS + 2 * count + 1)
    }
    book.remove(B)
    assert.equal(book.get(A)?.attempts, 8)
    for (let count = 0; count < 100; count++) {
      draws = 0
      assert.equal(book.select({}, NOW_MS + MINUTE_MS)?.endpoint, A)
      // Three for each of at most 45 rounds: 1.2^44 × 0.01 × 0.66^8 is more than 1.
      assert.ok(draws <= 135, `${draws} draws`)
    }
  })

  it('ends with the greatest number that a random source gives', () => {
    const book = makeBook(() => 1 - 2 ** -53)
    book.add(heard(A), NOW_MS)
    book.attempt(A, true, NOW_MS)
    assert.equal(book.select({}, NOW_MS)?.endpoint, A)
  })

  it('tosses a coin between the tables, however many are in each', () => {
    const book = filledBook(400, 2)
    const counts = drawn(book, 4_000)
    const tried = [...counts].reduce(
      (sum, [endpoint = '', count]) => sum + (book.get(endpoint)?.isTried ? count : 0),
      0,
    )
    // Four standard deviations are 127.
    assert.ok(Math.abs(tried - 2_000) < 127, `${tried} of 4,000 from tried`)
    const fromNew = [...drawn(book, 1_000, true).keys()]
    assert.ok(fromNew.every(endpoint => book.get(endpoint ?? '')?.isTried === false))
  })

  it('gives each of equal addresses in buckets of their own as often as another', () => {
    const counts = [...drawn(filledBook(0, 4), 4_000).values()]
    assert.equal(counts.length, 4)
    for (const count of counts) assert.ok(Math.abs(count - 1_000) < 110, `${counts}`)
  })

  it('gives what was dialled within 10 minutes a hundredth as often', () => {
    const book = filledBook(0, 2)
    const [first = '', second = ''] = [...drawn(book, 100).keys()]
    book.attempt(first, false, NOW_MS - 9 * MINUTE_MS)
    const counts = drawn(book, 4_000)
    assert.ok((counts.get(first) ?? 0) < 100 && (counts.get(second) ?? 0) > 3_900, `${[...counts]}`)
  })

  it('gives what failed less often with each failure', () => {
    const book = filledBook(0, 2)
    const [first = '', second = ''] = [...drawn(book, 100).keys()]
    for (let count = 0; count < 3; count++) {
      book.attempt(first, true, NOW_MS - HOUR_MS + 2 * count)
      book.good(second, 'P', NOW_MS - HOUR_MS + 2 * count + 1)
    }
    assert.equal(book.get(first)?.attempts, 3)
    const counts = drawn(book, 4_000)
    const ratio = (counts.get(first) ?? 0) / (counts.get(second) ?? 1)
    // 0.66³ is 0.29, and a little more when one that was refused makes the next one likelier.
    assert.ok(ratio > 0.2 && ratio < 0.5, `${ratio}`)
  })

  it('depends on places, not on the order in which they were taken', () => {
    const [forth, back] = [makeBook('places'), makeBook('places')]
    const endpoints = [...hostsOf('203.0')].slice(0, 80)
    for (const endpoint of endpoints) forth.add(heard(endpoint), NOW_MS)
    for (const endpoint of endpoints.toReversed()) back.add(heard(endpoint), NOW_MS)
    // Where two want one place, the first has it: only what is in both is left.
    for (const endpoint of endpoints) {
      if (!forth.has(endpoint)) back.remove(endpoint)
      if (!back.has(endpoint)) forth.remove(endpoint)
    }
    assert.ok(forth.size > 10 && forth.size === back.size, `${forth.size} and ${back.size}`)
    for (let count = 0; count < 200; count++) {
      assert.deepEqual(forth.select({}, NOW_MS), back.select({}, NOW_MS))
    }
  })
})
