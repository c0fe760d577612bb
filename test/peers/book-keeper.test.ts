import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Store } from '../../src/core/ports.ts'
import { ENTRIES_MAX } from '../../src/peers/book-shelves.ts'
import { SimDisk } from '../../src/sim/store.ts'
import { settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'
import { contentOf, heard, KEY, NOW_MS, rivalsInTried } from './book-setup.ts'
import { FailingStore, fill, recordsOf, savedDisk, startBook } from './book-store-setup.ts'

const A = '203.0.113.7:9000'
const B = '203.0.114.8:9000'
const OTHER_KEY = KEY.map(byte => byte ^ 0xff)

const META = '/floodgate/book/meta'
const record = (endpoint: string): string => `/floodgate/book/a/${endpoint}`

/** What was written, batch by batch: `+` puts and `-` deletes. */
function namesOf(store: FailingStore): string[][] {
  return store.batches.map(batch =>
    batch.map(change => ('put' in change ? `+${change.put}` : `-${change.delete}`)),
  )
}

describe('the keeper of the address book', () => {
  it('begins an empty book, and writes nothing while it is empty', async () => {
    const store = new FailingStore(new SimDisk().open())
    const { book, keeper, log } = await startBook(store)
    assert.equal(await keeper.flush(NOW_MS), true)
    await keeper.stop()
    assert.deepEqual([book.size, book.key, store.batches.length, log.lines.length], [0, KEY, 0, 0])
  })

  it('gives back a saved book slot by slot, under its key', async () => {
    const { disk, book } = await savedDisk(400)
    assert.ok(book.size > 300 && book.stats().triedAddresses > 60, `${book.size} addresses`)
    const next = await startBook(disk.open(), { key: OTHER_KEY })
    assert.deepEqual(contentOf(next.book), contentOf(book))
    assert.deepEqual(next.book.key, KEY)
    assert.deepEqual(next.book.stats(), book.stats())
    next.book.check()
    assert.deepEqual(next.log.lines, [
      {
        level: 'info',
        message: 'the address book is loaded',
        fields: { addresses: book.size, savedAt: new Date(NOW_MS).toISOString() },
      },
    ])
    // What was loaded is not written again.
    const store = new FailingStore(disk.open())
    const { keeper } = await startBook(store)
    await keeper.stop()
    assert.equal(store.batches.length, 0)
  })

  it('writes what has changed, with the meta record, in one batch', async () => {
    const store = new FailingStore(new SimDisk().open())
    const { book, keeper, metrics } = await startBook(store)
    for (const endpoint of [A, B]) book.add(heard(endpoint), NOW_MS)
    assert.equal(await keeper.flush(NOW_MS), true)
    book.remove(A)
    book.good(B, 'P', NOW_MS)
    assert.equal(await keeper.flush(NOW_MS), true)
    assert.equal(await keeper.flush(NOW_MS), true)
    assert.deepEqual(namesOf(store), [
      [`+${record(A)}`, `+${record(B)}`, `+${META}`],
      [`-${record(A)}`, `+${record(B)}`, `+${META}`],
    ])
    assert.deepEqual(metrics.read(), { 'floodgate_book_flushes_total{result=done}': 2 })
  })

  it('saves every 30 s, and a last time when it stops', async () => {
    const clock = new VirtualClock()
    const disk = new SimDisk()
    const store = new FailingStore(disk.open())
    const { book, keeper } = await startBook(store)
    keeper.start(clock)
    book.add(heard(A), NOW_MS)
    clock.advance(29_999)
    await settleMicrotasks()
    assert.equal(store.batches.length, 0)
    clock.advance(1)
    await settleMicrotasks()
    assert.equal(store.batches.length, 1)
    book.add(heard(B), NOW_MS)
    await keeper.stop()
    assert.deepEqual([store.batches.length, store.syncs, clock.timers], [2, [false, true], 0])
    const next = await startBook(disk.open())
    assert.deepEqual(contentOf(next.book), contentOf(book))
    const savedAt = new Date(clock.wallMs()).toISOString()
    assert.deepEqual(next.log.lines[0]?.fields, { addresses: 2, savedAt })
  })

  it('tries a flush that failed again, with what has changed since', async () => {
    const disk = new SimDisk()
    const store = new FailingStore(disk.open())
    const { book, keeper, log, metrics } = await startBook(store)
    for (const endpoint of [A, B]) book.add(heard(endpoint), NOW_MS)
    await keeper.flush(NOW_MS)
    store.failsToWrite = true
    book.remove(A)
    book.add(heard('203.0.115.1:9000'), NOW_MS)
    assert.equal(await keeper.flush(NOW_MS), false)
    book.add(heard('203.0.116.1:9000'), NOW_MS)
    book.remove('203.0.115.1:9000')
    assert.equal(await keeper.flush(NOW_MS), false)
    book.add(heard(A), NOW_MS)
    book.remove(B)
    store.failsToWrite = false
    assert.equal(await keeper.flush(NOW_MS), true)
    // Each record once, as it is in the end.
    assert.deepEqual(
      namesOf(store).at(-1)?.toSorted(),
      [
        `+${META}`,
        `+${record('203.0.116.1:9000')}`,
        `+${record(A)}`,
        `-${record('203.0.115.1:9000')}`,
        `-${record(B)}`,
      ].toSorted(),
    )
    assert.deepEqual(contentOf((await startBook(disk.open())).book), contentOf(book))
    assert.deepEqual(
      [...(await recordsOf(disk.open(), record(''))).keys()],
      ['203.0.116.1:9000', A].map(record).sort(),
    )
    assert.deepEqual(
      log.lines.map(({ level, fields }) => [level, fields]),
      new Array(2).fill(['error', { reason: 'no space left' }]),
    )
    assert.deepEqual(metrics.read(), {
      'floodgate_book_flushes_total{result=done}': 2,
      'floodgate_book_flushes_total{result=failed}': 2,
    })
  })

  it('remembers no more deletions than there are places in a book, however long flushes fail', async () => {
    const store = new FailingStore(new SimDisk().open())
    const { book, keeper } = await startBook(store)
    store.failsToWrite = true
    let gone = 0
    for (let round = 0; gone <= ENTRIES_MAX; round++) {
      for (let index = 0; index < 40_000; index++) {
        const endpoint = `${1 + round}.${index & 255}.${index >> 8}.1:9000`
        book.add(heard(endpoint, { sourceGroup: `4:100.${index % 1_000}` }), NOW_MS)
      }
      await keeper.flush(NOW_MS)
      for (const { endpoint } of [...book.entries()]) {
        book.remove(endpoint)
        gone++
      }
    }
    store.failsToWrite = false
    assert.equal(await keeper.flush(NOW_MS), true)
    // All of these, and the meta record.
    assert.equal(store.batches.at(-1)?.length, ENTRIES_MAX + 1)
  })

  it('has one flush under way at a time', async () => {
    const disk = new SimDisk()
    const inner = disk.open()
    const waiting: (() => void)[] = []
    const slow: Store = {
      ...inner,
      async write(changes) {
        await new Promise<void>(resolve => waiting.push(resolve))
        await inner.write(changes)
      },
    }
    const { book, keeper } = await startBook(slow)
    book.add(heard(A), NOW_MS)
    const first = keeper.flush(NOW_MS)
    await settleMicrotasks()
    book.add(heard(B), NOW_MS)
    const second = keeper.flush(NOW_MS)
    const last = keeper.stop()
    await settleMicrotasks()
    assert.equal(waiting.length, 1)
    waiting[0]?.()
    assert.equal(await first, true)
    await settleMicrotasks()
    assert.equal(waiting.length, 2)
    waiting[1]?.()
    assert.equal(await second, true)
    await last
    assert.deepEqual(contentOf((await startBook(disk.open())).book), contentOf(book))
  })

  it('keeps the book in memory without a store', async () => {
    const { book, keeper, log } = await startBook(undefined)
    keeper.start(new VirtualClock())
    fill(book, 10)
    assert.equal(await keeper.flush(NOW_MS), true)
    await keeper.stop()
    assert.ok(book.size > 0)
    assert.deepEqual(log.lines, [])
    assert.deepEqual(book.takeChanges(), { put: [], removed: [] })
  })

  it('keeps the book in memory, and leaves the store alone, when that cannot be read', async () => {
    const { disk, book: before } = await savedDisk(20)
    const store = new FailingStore(disk.open())
    store.failsToRead = true
    const { book, keeper, log } = await startBook(store, { key: OTHER_KEY })
    book.add(heard(A), NOW_MS)
    store.failsToRead = false
    assert.equal(await keeper.flush(NOW_MS), true)
    await keeper.stop()
    assert.equal(store.batches.length, 0)
    assert.deepEqual([log.lines[0]?.level, log.lines[0]?.fields], ['error', { reason: 'cannot read' }])
    assert.deepEqual(contentOf((await startBook(disk.open())).book), contentOf(before))
  })
})

describe('a saved address book with bad records', () => {
  it('loses these alone, says so once, and deletes them', async () => {
    const { disk, book } = await savedDisk(100)
    const [spoilt = '', renamed = '', gone = ''] = [...book.entries()].map(({ endpoint }) => endpoint)
    const records = await recordsOf(disk.open())
    await disk
      .open()
      .write([
        { put: record(spoilt), value: Uint8Array.of(1, 2, 3) },
        { put: record('not an endpoint'), value: records.get(record(renamed)) ?? new Uint8Array() },
        { put: record(`x${'ü'.repeat(300)}`), value: new Uint8Array(2_000) },
        { delete: record(renamed) },
        { delete: record(gone) },
      ])
    const next = await startBook(disk.open())
    for (const endpoint of [spoilt, renamed, gone]) book.remove(endpoint)
    assert.deepEqual(contentOf(next.book), contentOf(book))
    next.book.check()
    assert.deepEqual(next.metrics.read(), { 'floodgate_book_lost_total{reason=damaged}': 3 })
    assert.deepEqual(
      next.log.lines.map(({ level, fields }) => [level, fields.damaged]),
      [['warn', 3]],
    )
    // The meta record is put right with the next flush, although nothing else has changed.
    assert.equal(await next.keeper.flush(NOW_MS), true)
    const third = await startBook(disk.open())
    assert.deepEqual([third.log.lines[0]?.level, third.book.size], ['info', book.size])
    assert.deepEqual(third.metrics.read(), {})
  })

  it('says when records are missing', async () => {
    const { disk, book } = await savedDisk(20)
    const [gone = ''] = [...book.entries()].map(({ endpoint }) => endpoint)
    await disk.open().write([{ delete: record(gone) }])
    const next = await startBook(disk.open())
    assert.deepEqual(next.metrics.read(), { 'floodgate_book_lost_total{reason=missing}': 1 })
    assert.equal(next.book.size, book.size - 1)
  })

  it('drops what finds its place taken, and is not stopped by a store that cannot delete it', async () => {
    const disk = new SimDisk()
    const [first, second] = rivalsInTried(2)
    const old = await startBook(disk.open())
    old.book.add(heard(first), NOW_MS)
    old.book.good(first, 'P', NOW_MS)
    await old.keeper.flush(NOW_MS)
    // The deletion of the first never comes to the store.
    old.book.remove(first)
    old.book.takeChanges()
    old.book.add(heard(second), NOW_MS)
    old.book.good(second, 'Q', NOW_MS)
    await old.keeper.flush(NOW_MS)
    const store = new FailingStore(disk.open())
    store.failsToWrite = true
    const next = await startBook(store)
    assert.equal(next.metrics.read()['floodgate_book_lost_total{reason=displaced}'], 1)
    assert.deepEqual(
      next.log.lines.map(({ message, level }) => [level, message]),
      [
        ['warn', 'the address book has lost records'],
        ['warn', 'what the address book has lost stays in the store'],
      ],
    )
    assert.equal(next.book.size, 1)
    next.book.check()
  })
})
