/**
 * A process that does nothing but change and save an address book on a real store, until it is killed:
 * `node book-process.ts DATA-FOLDER`. It says what it is about to save and what is saved, as digests, a line each.
 */
import { openStore } from '../../../src/io/store.ts'
import type { AddressBook } from '../../../src/peers/address-book.ts'
import { FakeLog } from '../../fixtures/fakes.ts'
import { digestOf, loadBook } from './book-kills.ts'

/** About so many addresses are in the book, and all of them change with each flush: a long batch is easily torn. */
const ADDRESSES = 400
/** So many leave with each flush, and others come. */
const TURNOVER = 20

const [dataDir = ''] = process.argv.slice(2)
const store = await openStore(dataDir, new FakeLog(), Date.now())
const { book, keeper } = await loadBook(store)

// The time is a counter: every change is a new one, in this process and in those before it.
const newest = [...book.entries()].map(({ lastAttemptMs }) => lastAttemptMs)
let nowMs = Math.max(Date.UTC(2026, 0, 1), ...newest)

process.stdout.write(`loaded ${digestOf(book)}\n`)
for (;;) {
  nowMs += 1
  change(book)
  process.stdout.write(`flushing ${digestOf(book)}\n`)
  const isSaved = await keeper.flush(nowMs)
  if (!isSaved) throw new Error('a flush has failed')
  process.stdout.write(`saved ${digestOf(book)}\n`)
}

function change(target: AddressBook): void {
  const known = [...target.entries()].map(({ endpoint }) => endpoint)
  for (const endpoint of known.slice(0, Math.max(TURNOVER, known.length - ADDRESSES))) target.remove(endpoint)
  for (let count = 0; count < TURNOVER || target.size < ADDRESSES; count++) target.add(someone(), nowMs)
  for (const { endpoint } of [...target.entries()]) {
    target.attempt(endpoint, false, nowMs)
    if (Math.random() < 0.1) target.good(endpoint, '12D3KooWSomebody', nowMs)
  }
}

function someone() {
  const bytes = Array.from({ length: 4 }, () => 1 + Math.floor(Math.random() * 222))
  const sourceGroup = `4:100.${Math.floor(Math.random() * 20)}`
  return { endpoint: `${bytes.join('.')}:9000`, source: 'exchange' as const, sourceGroup, lastHeardMs: nowMs }
}
