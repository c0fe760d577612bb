/**
 * Saved address books with values that are random, or have bits turned over, or are cut: 10,000 of each kind of record.
 * No start fails, and nothing else is lost.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Random } from '../../src/core/random.ts'
import { contentOf } from './book-setup.ts'
import { recordsOf, savedDisk, startBook } from './book-store-setup.ts'

const SPOILT = 10_000
const META = '/floodgate/book/meta'
const ENTRIES = '/floodgate/book/a/'

/** Another value in place of one, never the same. */
function spoil(value: Uint8Array, random: Random): Uint8Array {
  const spoilt = value.slice()
  switch (random.below(5)) {
    case 0: {
      const noise = new Uint8Array(random.below(200))
      random.fill(noise)
      return noise
    }
    case 1:
      return value.subarray(0, random.below(value.byteLength))
    case 2:
      return Buffer.concat([value, new Uint8Array(1 + random.below(9))])
    case 3: {
      const noise = new Uint8Array(value.byteLength)
      random.fill(noise)
      // The begin stays, so that what follows is looked at.
      noise.set(value.subarray(0, random.below(8)))
      return noise
    }
    default: {
      const bits = new Set(
        Array.from({ length: 1 + random.below(3) }, () => random.below(8 * value.byteLength)),
      )
      for (const bit of bits) spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return spoilt
    }
  }
}

it('10,000 spoilt entries: the load drops these, and has all others in their places', async t => {
  const seed = process.env.SEED ?? String(Math.random())
  t.diagnostic(`SEED=${seed}`)
  const random = new Random(seed)
  const { disk, book } = await savedDisk(2_000)
  const whole = await recordsOf(disk.open(), ENTRIES)
  let total = 0
  while (total < SPOILT) {
    const spoilt = [...whole].filter(() => random.below(2) === 0)
    await disk.open().write(spoilt.map(([key, value]) => ({ put: key, value: spoil(value, random) })))
    const next = await startBook(disk.open())
    const lost = new Set(spoilt.map(([key]) => key.slice(ENTRIES.length)))
    const left = [...book.entries()].filter(({ endpoint }) => !lost.has(endpoint))
    assert.equal(next.metrics.read()['floodgate_book_lost_total{reason=damaged}'], spoilt.length)
    assert.equal(next.book.size, left.length)
    const expected = contentOf(book).filter(entry => !lost.has((entry as { endpoint: string }).endpoint))
    assert.deepEqual(contentOf(next.book), expected)
    next.book.check()
    // For the next round all is whole again.
    await disk.open().write([...whole].map(([key, value]) => ({ put: key, value })))
    total += spoilt.length
  }
})

it('10,000 spoilt meta records: the load sets the book aside each time, with all its entries', async t => {
  const seed = process.env.SEED ?? String(Math.random())
  t.diagnostic(`SEED=${seed}`)
  const random = new Random(seed)
  const { disk } = await savedDisk(5)
  const whole = await recordsOf(disk.open())
  const meta = whole.get(META) ?? new Uint8Array()
  for (let count = 0; count < SPOILT; count++) {
    disk.clear()
    await disk.open().write([...whole].map(([key, value]) => ({ put: key, value })))
    const spoilt = spoil(meta, random)
    await disk.open().write([{ put: META, value: spoilt }])
    const next = await startBook(disk.open())
    assert.equal(next.book.size, 0)
    assert.equal(next.log.lines[0]?.fields.moved, whole.size)
    assert.equal(disk.size, whole.size)
  }
})
