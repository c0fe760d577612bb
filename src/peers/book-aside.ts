/**
 * Setting a book aside: what a start does with an address book that it cannot use, so that the node runs all the same
 * and nothing is lost that somebody could still look at.
 *
 * - The records move to another name in one atomic batch: a crash leaves the book where it was, or moved.
 * - Only the newest book that was set aside is kept, and of it no more than a book can be: records of usual length, as
 *   many as there are places. The rest is deleted and counted. Without that, what damages a store could fill the disk.
 */
import type { Store, StoreChange } from '../core/ports.ts'
import { BOOK_PREFIX, RECORD_MAX_BYTES } from './book-record.ts'
import { ENTRIES_MAX } from './book-shelves.ts'

const ASIDE_PREFIX = '/floodgate/book.damaged-'

/** How many records are deleted in one batch. */
const BATCH = 1_000

/**
 * Deletes records in batches, so that any number of them takes little memory. It never rejects: what could not be
 * deleted is met again at the next start.
 */
export class Deletions {
  readonly #store: Store
  #keys: string[] = []
  #count = 0
  #failure: Error | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /** How many were given to it. */
  get count(): number {
    return this.#count
  }

  /** Why the store did not take a batch; none is tried after that. */
  get failure(): Error | undefined {
    return this.#failure
  }

  async add(key: string): Promise<void> {
    this.#count++
    if (this.#keys.push(key) >= BATCH) await this.flush()
  }

  async flush(): Promise<void> {
    const changes = this.#keys.map(key => ({ delete: key }))
    this.#keys = []
    if (changes.length === 0 || this.#failure !== undefined) return
    await this.#store.write(changes).catch((failure: Error) => {
      this.#failure = failure
    })
  }
}

/**
 * Moves all records of the book to another name.
 * @returns what its keys start with now, how many records have moved, and how many were deleted in place of it
 * @throws what the store throws
 */
export async function setBookAside(
  store: Store,
  wallMs: number,
): Promise<{ aside: string; moved: number; deleted: number }> {
  const aside = `${ASIDE_PREFIX}${new Date(wallMs).toISOString().replace(/[:.]/g, '-')}/`
  const surplus = new Deletions(store)
  const older = new Deletions(store)
  const changes: StoreChange[] = []
  for await (const { key, value } of store.entries(BOOK_PREFIX)) {
    // Every record takes two changes; there is one more record than entries, the meta record.
    const isRoom = changes.length < 2 * (ENTRIES_MAX + 1) && value.byteLength <= RECORD_MAX_BYTES
    if (!isRoom) await surplus.add(key)
    else changes.push({ delete: key }, { put: aside + key.slice(BOOK_PREFIX.length), value })
  }
  for await (const { key } of store.entries(ASIDE_PREFIX)) await older.add(key)
  await surplus.flush()
  await older.flush()
  await store.write(changes, { sync: true })
  return { aside, moved: changes.length / 2, deleted: surplus.count }
}
