/**
 * One source group offers 1,000,000 addresses: it fills at most 64 buckets of `new`, who was there stays, and the book
 * takes no more memory than those buckets.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Random } from '../../src/core/random.ts'
import type { AddressBook } from '../../src/peers/address-book.ts'
import { contentOf, DAY_MS, HOUR_MS, heard, makeBook, NOW_MS } from './book-setup.ts'

const OFFERS = 1_000_000
const ATTACKER = '4:66.6'

/** 400 addresses that 40 groups told, most of them more than one, and some that were reached. */
function honestBook(): AddressBook {
  const book = makeBook('honest')
  for (let index = 0; index < 400; index++) {
    const endpoint = `${60 + (index % 50)}.${index % 200}.${index % 111}.9:9000`
    for (let teller = 0; teller <= index % 3; teller++) {
      const sourceGroup = `4:100.${(index + 13 * teller) % 40}`
      book.add(heard(endpoint, { sourceGroup, lastHeardMs: NOW_MS - HOUR_MS + teller }), NOW_MS)
    }
    if (index % 4 === 0) book.good(endpoint, `peer-${index}`, NOW_MS - DAY_MS)
  }
  return book
}

it('1,000,000 addresses from one source group reach 64 buckets, and push nobody out', {
  timeout: 300_000,
}, t => {
  const random = new Random('flood')
  const book = honestBook()
  const before = new Map([...book.entries()].map(entry => [entry.endpoint, entry]))
  const counts = book.stats().newBuckets
  book.takeChanges()
  const results = { added: 0, known: 0, refused: 0 }
  const offer = (count: number): void => {
    for (let done = 0; done < count; done++) {
      const bits = random.uint32()
      const ip = `${1 + ((bits >>> 24) % 223)}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`
      results[book.add(heard(`${ip}:${1_024 + random.below(60_000)}`, { sourceGroup: ATTACKER }), NOW_MS)]++
    }
  }
  offer(OFFERS / 2)
  const sizeHalfway = book.size
  offer(OFFERS / 2)

  const flooded = book.stats().newBuckets.filter((count, bucket) => count > (counts[bucket] ?? 0))
  t.diagnostic(`${JSON.stringify(results)}, ${flooded.length} buckets, ${book.size} addresses`)
  assert.ok(flooded.length > 50 && flooded.length <= 64, `${flooded.length} buckets`)
  assert.ok(results.added <= 64 * 64 && results.added > 60 * 50, `${results.added} added`)
  // All places that it can reach are taken after the first half; nothing grows in the second.
  assert.equal(book.size, sizeHalfway)
  book.check()

  const reached = new Set(
    [...book.entries()].filter(entry => !before.has(entry.endpoint)).flatMap(entry => entry.newBuckets),
  )
  assert.ok(reached.size <= 64)
  let reduced = 0
  for (const [endpoint, entry] of before) {
    const now = book.entry(endpoint)
    assert.ok(now !== undefined, `${endpoint} was pushed out`)
    const isElsewhere = entry.newBuckets.every(bucket => !reached.has(bucket))
    // In the attacker's buckets an address may lose places, down to one; elsewhere nothing changes.
    if (isElsewhere || entry.newBuckets.length < 2) assert.deepEqual(now, entry)
    else if (now.newBuckets.length < entry.newBuckets.length) reduced++
  }
  assert.equal([...before.values()].filter(entry => entry.isTried).length, book.stats().triedAddresses)
  assert.ok(reduced < before.size / 10, `${reduced} have lost a place`)

  // What is to be saved is what is there, not what was offered.
  const { put, removed } = book.takeChanges()
  assert.ok(put.length <= results.added + before.size && removed.length === 0)
  assert.equal(contentOf(book).length, book.size)
})
