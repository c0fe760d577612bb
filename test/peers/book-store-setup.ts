/** What the tests of the saved address book share: a disk in memory, starts on it, and stores that fail. */
import assert from 'node:assert/strict'
import type { Store, StoreChange } from '../../src/core/ports.ts'
import type { AddressBook } from '../../src/peers/address-book.ts'
import { BookKeeper } from '../../src/peers/book-keeper.ts'
import { SimDisk } from '../../src/sim/store.ts'
import { FakeLog, FakeMetrics } from '../fixtures/fakes.ts'
import { DAY_MS, heard, KEY, NOW_MS, randomFrom } from './book-setup.ts'

export const NETWORK = 'demo'

/** One start of a node, as far as its book goes. */
export interface Start {
  readonly book: AddressBook
  readonly keeper: BookKeeper
  readonly log: FakeLog
  readonly metrics: FakeMetrics
}

export async function startBook(
  store: Store | undefined,
  { network = NETWORK, key = KEY, wallMs = NOW_MS } = {},
): Promise<Start> {
  const [log, metrics] = [new FakeLog(), new FakeMetrics()]
  const parts = { random: randomFrom('keeper'), newKey: () => key, groupRules: 'all' as const, log, metrics }
  return { ...(await BookKeeper.load(store, parts, network, wallMs)), log, metrics }
}

/** A book with addresses in both tables and of many tellers; fewer than `count`, since some want the same place. */
export function fill(book: AddressBook, count: number): void {
  for (let index = 0; index < count; index++) {
    const endpoint = `${20 + (index % 7)}.${index % 90}.${index % 251}.${1 + (index % 99)}:${9_000 + index}`
    book.add(heard(endpoint, { sourceGroup: `4:100.${index % 20}`, lastHeardMs: NOW_MS - DAY_MS }), NOW_MS)
    book.add(
      heard(endpoint, { sourceGroup: `4:101.${index % 20}`, lastHeardMs: NOW_MS - DAY_MS + 9 }),
      NOW_MS,
    )
    if (index % 4 === 0) book.good(endpoint, `peer-${index}`, NOW_MS - index)
  }
}

/** A disk with a saved book. */
export async function savedDisk(count: number): Promise<{ disk: SimDisk; book: AddressBook }> {
  const disk = new SimDisk()
  const { book, keeper } = await startBook(disk.open())
  fill(book, count)
  assert.equal(await keeper.flush(NOW_MS), true)
  return { disk, book }
}

export async function recordsOf(store: Store, prefix = '/'): Promise<Map<string, Uint8Array>> {
  const records = new Map<string, Uint8Array>()
  for await (const { key, value } of store.entries(prefix)) records.set(key, value)
  return records
}

/** A store that does what another does, and fails when it is told to. */
export class FailingStore implements Store {
  readonly #store: Store
  /** The batches that were asked for, those included that failed. */
  readonly batches: (readonly StoreChange[])[] = []
  readonly syncs: boolean[] = []
  failsToRead = false
  failsToWrite = false

  constructor(store: Store) {
    this.#store = store
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    if (this.failsToRead) throw new Error('cannot read')
    return await this.#store.get(key)
  }

  async write(changes: readonly StoreChange[], options?: { sync: boolean }): Promise<void> {
    this.batches.push(changes)
    this.syncs.push(options?.sync === true)
    if (this.failsToWrite) throw new Error('no space left')
    await this.#store.write(changes)
  }

  entries(prefix: string): AsyncIterable<{ key: string; value: Uint8Array }> {
    if (this.failsToRead) throw new Error('cannot read')
    return this.#store.entries(prefix)
  }

  async close(): Promise<void> {}
}
