/**
 * The keeper of the address book: loads it from the store when the node starts, and saves it every 30 s and at the end.
 *
 * Rules:
 * - What changed is written in one atomic batch, together with the meta record: after a crash at any moment the store
 *   has the book of some flush, whole, and at most 30 s are lost.
 * - A flush that fails is retried with the next one, together with what has changed since.
 * - A start never fails by the book: what is damaged is dropped (`book-reading.ts`), and what cannot be used at all is
 *   set aside, and a new book with a new key begins. When the store cannot even be read, the book of this run stays in
 *   memory, and the store is left as it is.
 */
import assert from 'node:assert/strict'
import type { Endpoint } from '../core/endpoint.ts'
import type { Clock, Counter, Log, Store, StoreChange } from '../core/ports.ts'
import type { AddressBook } from './address-book.ts'
import { type BookParts, BookReading, type LoadedBook } from './book-reading.ts'
import { ENTRY_PREFIX, encodeMeta, encodeRecord, META_KEY } from './book-record.ts'
import { ENTRIES_MAX } from './book-shelves.ts'

const FLUSH_MS = 30_000

/**
 * While flushes fail, so many deletions are remembered; then the oldest is forgotten. What stays in the store by that is
 * an old address, which the next start finds a place for, or drops.
 */
const REMOVED_MAX = ENTRIES_MAX

export class BookKeeper {
  readonly #store: Store | undefined
  readonly #book: AddressBook
  readonly #network: string
  readonly #log: Log
  readonly #flushes: Counter<'result'>
  /** What the store does not have yet, besides what the book has to tell. */
  readonly #put = new Set<Endpoint>()
  readonly #removed = new Set<Endpoint>()
  /** The meta record in the store says something else than what is there. */
  #isMetaStale: boolean
  #wallMs: () => number
  #flushing: Promise<boolean> = Promise.resolve(true)
  #stopTimer: () => void = () => {}

  private constructor(store: Store | undefined, { book, hasLost }: LoadedBook, reading: BookReading) {
    const { parts, network, wallMs } = reading
    this.#store = store
    this.#book = book
    this.#isMetaStale = hasLost
    this.#network = network
    this.#log = parts.log
    this.#wallMs = () => wallMs
    this.#flushes = parts.metrics.counter(
      'floodgate_book_flushes_total',
      'Times that changes of the address book were written, by result',
      ['result'],
    )
  }

  /**
   * The book that the store holds, or a new one. Never fails.
   * @param store undefined keeps the book in memory only
   * @param wallMs now, in milliseconds since the epoch
   */
  static async load(
    store: Store | undefined,
    parts: BookParts,
    network: string,
    wallMs: number,
  ): Promise<{ book: AddressBook; keeper: BookKeeper }> {
    const reading = new BookReading(parts, network, wallMs)
    let usable = store
    let loaded: LoadedBook | undefined
    try {
      if (store !== undefined) loaded = await reading.read(store)
    } catch (cause) {
      usable = undefined
      const reason = (cause as Error).message
      parts.log.error('the address book cannot be read: it is kept in memory only', { reason })
    }
    loaded ??= { book: reading.emptyBook(parts.newKey()), hasLost: false }
    return { book: loaded.book, keeper: new BookKeeper(usable, loaded, reading) }
  }

  /** Saves every 30 s from now on. */
  start(clock: Clock): void {
    this.#stopTimer()
    this.#wallMs = () => clock.wallMs()
    this.#stopTimer = clock.every(FLUSH_MS, () => {
      this.flush(clock.wallMs())
    })
  }

  /** Ends the timer and saves a last time. The store must still be open. */
  async stop(): Promise<void> {
    this.#stopTimer()
    this.#stopTimer = () => {}
    await this.#enqueue(this.#wallMs(), true)
  }

  /**
   * Writes what has changed. One flush at a time: a call during another one waits for it.
   * @returns whether the store has everything that was in the book at its turn. Never rejects
   */
  flush(wallMs: number): Promise<boolean> {
    return this.#enqueue(wallMs, false)
  }

  #enqueue(wallMs: number, sync: boolean): Promise<boolean> {
    this.#flushing = this.#flushing.then(() => this.#flush(wallMs, sync))
    return this.#flushing
  }

  async #flush(wallMs: number, sync: boolean): Promise<boolean> {
    this.#collect()
    const hasChanges = this.#isMetaStale || this.#put.size + this.#removed.size > 0
    if (this.#store === undefined || !hasChanges) return true
    try {
      await this.#store.write(this.#changes(wallMs), { sync })
    } catch (cause) {
      this.#flushes.inc({ result: 'failed' })
      const reason = (cause as Error).message
      this.#log.error('the address book cannot be saved: it is tried again', { reason })
      return false
    }
    this.#flushes.inc({ result: 'done' })
    this.#put.clear()
    this.#removed.clear()
    this.#isMetaStale = false
    return true
  }

  /** Takes over what has changed in the book since the last time. */
  #collect(): void {
    const { put, removed } = this.#book.takeChanges()
    // Without a store the changes are taken all the same, and go.
    if (this.#store === undefined) return
    for (const endpoint of put) {
      this.#removed.delete(endpoint)
      this.#put.add(endpoint)
    }
    for (const endpoint of removed) {
      this.#put.delete(endpoint)
      this.#removed.add(endpoint)
    }
    for (const oldest of this.#removed) {
      if (this.#removed.size <= REMOVED_MAX) break
      this.#removed.delete(oldest)
    }
  }

  #changes(wallMs: number): StoreChange[] {
    const changes: StoreChange[] = [...this.#removed].map(endpoint => ({ delete: ENTRY_PREFIX + endpoint }))
    for (const endpoint of this.#put) {
      const entry = this.#book.entry(endpoint)
      assert.ok(entry !== undefined, `${endpoint} is to be saved, and is not in the book`)
      changes.push({ put: ENTRY_PREFIX + endpoint, value: encodeRecord(entry) })
    }
    const { key, size } = this.#book
    const meta = { savedAtMs: wallMs, entries: size, key, network: this.#network }
    changes.push({ put: META_KEY, value: encodeMeta(meta) })
    return changes
  }
}
