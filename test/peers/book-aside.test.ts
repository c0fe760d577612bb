/** Saved address books that cannot be used: they are set aside, and a new one begins. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Store, StoreChange } from '../../src/core/ports.ts'
import { blake2b64 } from '../../src/peers/book-placement.ts'
import { encodeMeta } from '../../src/peers/book-record.ts'
import { ENTRIES_MAX } from '../../src/peers/book-shelves.ts'
import { contentOf, DAY_MS, heard, KEY, NOW_MS } from './book-setup.ts'
import { FailingStore, NETWORK, recordsOf, savedDisk, startBook } from './book-store-setup.ts'

const A = '203.0.113.7:9000'
const OTHER_KEY = KEY.map(byte => byte ^ 0xff)
const META = '/floodgate/book/meta'
const ASIDE = '/floodgate/book.damaged-2026-06-01T00-00-00-000Z/'

/** The meta record of a later version that says which version may read it. */
function laterMeta(lowestCompatible: number): Uint8Array {
  const meta = encodeMeta({ savedAtMs: NOW_MS, entries: 0, key: KEY, network: NETWORK })
  const body = [2, lowestCompatible, ...meta.subarray(2, -8)]
  return Uint8Array.from([...body, ...blake2b64(Uint8Array.from([4, ...Buffer.from('meta'), ...body]))])
}

describe('a saved address book that cannot be used', () => {
  const cases: [id: string, meta: Uint8Array | undefined, network: string, reason: string][] = [
    ['damaged', Uint8Array.of(1, 2, 3), NETWORK, 'its meta record is damaged'],
    ['without a meta record', undefined, NETWORK, 'its meta record is missing'],
    ['of a later version', laterMeta(2), NETWORK, 'a later version has written it'],
    [
      'of another network',
      encodeMeta({ savedAtMs: NOW_MS, entries: 9, key: KEY, network: 'other' }),
      NETWORK,
      'it belongs to network other',
    ],
  ]
  for (const [id, meta, network, reason] of cases) {
    it(`is set aside: ${id}`, async () => {
      const { disk } = await savedDisk(50)
      await disk
        .open()
        .write([
          meta === undefined ? { delete: META } : { put: META, value: meta },
          { put: '/floodgate/network', value: Buffer.from(NETWORK) },
        ])
      const before = await recordsOf(disk.open(), '/floodgate/book/')
      const next = await startBook(disk.open(), { network, key: OTHER_KEY })
      assert.deepEqual([next.book.size, next.book.key], [0, OTHER_KEY])
      const moved = await recordsOf(disk.open(), ASIDE)
      assert.deepEqual(
        [...moved].map(([key, value]) => [key.replace(ASIDE, '/floodgate/book/'), value]),
        [...before],
      )
      assert.deepEqual(next.log.lines, [
        {
          level: 'error',
          message: 'the address book cannot be used: set aside, starting with an empty one',
          fields: { aside: ASIDE, reason, moved: before.size, deleted: 0 },
        },
      ])
      assert.deepEqual(next.metrics.read(), { floodgate_book_set_aside_total: 1 })
      // The new one is an address book like any other.
      next.book.add(heard(A), NOW_MS)
      await next.keeper.stop()
      const third = await startBook(disk.open())
      assert.deepEqual(contentOf(third.book), contentOf(next.book))
      assert.equal(disk.size, before.size + 3)
    })
  }

  it('is used when a later version says that it can be', async () => {
    const { disk, book } = await savedDisk(20)
    await disk.open().write([{ put: META, value: laterMeta(1) }])
    assert.deepEqual(contentOf((await startBook(disk.open())).book), contentOf(book))
  })

  it('takes the place of the one that was set aside before', async () => {
    const { disk } = await savedDisk(50)
    await disk.open().write([{ delete: META }])
    await startBook(disk.open())
    await disk.open().write([{ put: '/floodgate/book/a/x', value: Uint8Array.of(1) }])
    await startBook(disk.open(), { wallMs: NOW_MS + DAY_MS })
    const aside = '/floodgate/book.damaged-2026-06-02T00-00-00-000Z/a/x'
    assert.deepEqual([...(await recordsOf(disk.open())).keys()], [aside])
  })

  it('is left where it is when the store fails, and the new one stays in memory', async () => {
    const { disk } = await savedDisk(20)
    await disk.open().write([{ delete: META }])
    const before = await recordsOf(disk.open())
    const store = new FailingStore(disk.open())
    store.failsToWrite = true
    const { book, keeper, log } = await startBook(store)
    store.failsToWrite = false
    book.add(heard(A), NOW_MS)
    await keeper.stop()
    assert.deepEqual(await recordsOf(disk.open()), before)
    assert.equal(log.lines[0]?.message, 'the address book cannot be read: it is kept in memory only')
  })

  it('is never more than a book can be: what is too long or too much is deleted', async () => {
    const store = new FloodedStore(ENTRIES_MAX + 10)
    const { book, log } = await startBook(store)
    assert.deepEqual([log.lines[0]?.fields.moved, log.lines[0]?.fields.deleted], [ENTRIES_MAX + 1, 9])
    const [surplus, moves] = store.batches
    assert.deepEqual(
      [book.size, store.batches.length, surplus?.length, moves?.length],
      [0, 2, 9, 2 * ENTRIES_MAX + 2],
    )
  })
})

describe('a saved address book that is larger than it can be', () => {
  it('is read as far as a book goes, and the rest is deleted', async () => {
    const { disk, book } = await savedDisk(50)
    const store = new FloodedStore(ENTRIES_MAX + 1_500, await recordsOf(disk.open()))
    const next = await startBook(store)
    assert.deepEqual(contentOf(next.book), contentOf(book))
    assert.deepEqual(next.metrics.read(), {
      'floodgate_book_lost_total{reason=damaged}': ENTRIES_MAX - book.size,
      'floodgate_book_lost_total{reason=surplus}': 1_500 + book.size,
    })
    // In pieces, so that no number of them takes much memory.
    assert.ok(store.batches.every(batch => batch.length <= 1_000))
    assert.equal(store.batches.flat().length, ENTRIES_MAX + 1_500)
  })
})

/** A store with records, and after them so many that are none. What is written to it is only noted. */
class FloodedStore implements Store {
  readonly batches: (readonly StoreChange[])[] = []
  readonly #count: number
  readonly #records: ReadonlyMap<string, Uint8Array>

  constructor(count: number, records: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#count = count
    this.#records = records
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#records.get(key)
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    this.batches.push(changes)
  }

  async *entries(prefix: string): AsyncGenerator<{ key: string; value: Uint8Array }> {
    for (const [key, value] of this.#records) if (key.startsWith(prefix)) yield { key, value }
    for (let index = 0; index < this.#count && prefix.startsWith('/floodgate/book/'); index++) {
      // The first is longer than any record may be.
      yield { key: `/floodgate/book/a/x${index}`, value: new Uint8Array(index === 0 ? 1_025 : 1) }
    }
  }

  async close(): Promise<void> {}
}
