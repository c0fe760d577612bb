/**
 * One start's reading of the saved address book: what of it can be used, and what becomes of the rest.
 *
 * - A record that is damaged, or has no place, is dropped and counted, and costs nothing else.
 * - When the meta record is not there, damaged, of a later version or of another network, nothing can be trusted: the
 *   book is set aside (`book-aside.ts`).
 * - No more records are read into memory than a full book has.
 */
import type { Endpoint, GroupRules } from '../core/endpoint.ts'
import type { Counter, Log, Metrics, RandomSource, Store } from '../core/ports.ts'
import { AddressBook } from './address-book.ts'
import { Deletions, setBookAside } from './book-aside.ts'
import {
  BOOK_PREFIX,
  type BookMeta,
  decodeMeta,
  decodeRecord,
  ENTRY_PREFIX,
  META_KEY,
} from './book-record.ts'
import { ENTRIES_MAX } from './book-shelves.ts'

export interface BookParts {
  readonly random: RandomSource
  /** Makes 32 bytes that nobody can guess. */
  readonly newKey: () => Uint8Array
  readonly groupRules: GroupRules
  readonly log: Log
  readonly metrics: Metrics
}

/** Why a record that the store has, or should have, is not in the book. */
type Loss = 'damaged' | 'displaced' | 'surplus' | 'missing'

export interface LoadedBook {
  readonly book: AddressBook
  /** Whether records were dropped. */
  readonly hasLost: boolean
}

/** One start's reading of the store. */
export class BookReading {
  readonly parts: BookParts
  readonly network: string
  readonly wallMs: number
  readonly #lost: Counter<'reason'>
  readonly #setAside: Counter<never>

  constructor(parts: BookParts, network: string, wallMs: number) {
    this.parts = parts
    this.network = network
    this.wallMs = wallMs
    this.#lost = parts.metrics.counter(
      'floodgate_book_lost_total',
      'Saved addresses that could not be used, by reason',
      ['reason'],
    )
    this.#setAside = parts.metrics.counter(
      'floodgate_book_set_aside_total',
      'Saved address books that could not be used',
    )
  }

  emptyBook(key: Uint8Array): AddressBook {
    const { random, groupRules } = this.parts
    return new AddressBook({ key, random, groupRules })
  }

  /** The saved book; undefined when there is none that can be used. */
  async read(store: Store): Promise<LoadedBook | undefined> {
    const meta = await this.#metaOf(store)
    if (meta === undefined) return undefined
    if (typeof meta !== 'string') return await this.#fill(store, meta)
    const { aside, ...counts } = await setBookAside(store, this.wallMs)
    this.#setAside.inc()
    this.parts.log.error('the address book cannot be used: set aside, starting with an empty one', {
      aside,
      reason: meta,
      ...counts,
    })
    return undefined
  }

  /** The meta record, or what is wrong with it; undefined when there is no book. */
  async #metaOf(store: Store): Promise<BookMeta | string | undefined> {
    const bytes = await store.get(META_KEY)
    if (bytes === undefined) {
      for await (const _ of store.entries(BOOK_PREFIX)) return 'its meta record is missing'
      return undefined
    }
    const meta = decodeMeta(bytes)
    if (meta === 'damaged') return 'its meta record is damaged'
    if (meta === 'future') return 'a later version has written it'
    return meta.network === this.network ? meta : `it belongs to network ${meta.network}`
  }

  async #fill(store: Store, meta: BookMeta): Promise<LoadedBook> {
    const book = this.emptyBook(meta.key)
    const losses: Record<Loss, number> = { damaged: 0, displaced: 0, surplus: 0, missing: 0 }
    const deletions = new Deletions(store)
    let records = 0
    for await (const { key, value } of store.entries(ENTRY_PREFIX)) {
      const loss = ++records > ENTRIES_MAX ? 'surplus' : restore(book, key.slice(ENTRY_PREFIX.length), value)
      if (loss === undefined) continue
      losses[loss]++
      await deletions.add(key)
    }
    losses.missing = Math.max(0, meta.entries - records)
    await deletions.flush()
    this.#report(book, losses, meta, deletions.failure)
    return { book, hasLost: deletions.count > 0 || losses.missing > 0 }
  }

  #report(
    book: AddressBook,
    losses: Record<Loss, number>,
    { savedAtMs }: BookMeta,
    failure: Error | undefined,
  ): void {
    const lost = Object.entries(losses).filter(([, count]) => count > 0) as [Loss, number][]
    for (const [reason, count] of lost) this.#lost.inc({ reason }, count)
    const fields = { addresses: book.size, savedAt: new Date(savedAtMs).toISOString() }
    if (lost.length === 0) this.parts.log.info('the address book is loaded', fields)
    else this.parts.log.warn('the address book has lost records', { ...fields, ...Object.fromEntries(lost) })
    if (failure === undefined) return
    this.parts.log.warn('what the address book has lost stays in the store', { reason: failure.message })
  }
}

/** Puts one record into the book, or says why it can't. */
function restore(book: AddressBook, endpoint: Endpoint, value: Uint8Array): Loss | undefined {
  const record = decodeRecord(endpoint, value)
  if (record === undefined) return 'damaged'
  return book.restore(record) === 'lost' ? 'displaced' : undefined
}
