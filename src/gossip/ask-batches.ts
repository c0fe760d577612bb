/**
 * Which announcements go on: a pure machine inside `asks.ts`.
 *
 * Rules:
 * - An announcement goes on, unchanged, when all its items are accepted. When one is not, it is ignored at once, and
 *   when one is not in time, then: what is accepted from then on is announced anew by us.
 * - One that holds nothing new is ignored: its items went on when they were accepted, and a peer could send old ids through
 *   the whole network for ever, each time in another selection.
 * - What is accepted while announcements wait for it is carried by one of them, the first: by going on, or by being
 *   announced anew when it fails. What was accepted before it came is not announced again. Why: otherwise a peer could
 *   make us announce one message over and over, each time beside another that does not exist.
 * - One peer's announcements have `PLACES_MAX_PER_PEER` open places at most, `PLACES_MAX` are open in all. One that finds
 *   no room is ignored at once. A place stays open until its item is decided, also after the announcement is.
 */
import assert from 'node:assert/strict'
import type { PeerId, Verdict } from '../core/types.ts'
import type { AnnouncedItem } from './announcement.ts'
import type { AskPeer } from './ask-peer.ts'

export const PLACES_MAX = 131_072
export const PLACES_MAX_PER_PEER = 32_768

/** An announcement that waits for its items. */
export interface Batch {
  readonly from: AskPeer
  readonly ticket: string
  readonly dueAtMs: number
  open: number
  /** What it carries. */
  accepted: AnnouncedItem[]
  isSettled: boolean
}

export type BatchAction =
  | { type: 'settle'; ticket: string; from: PeerId; verdict: Verdict }
  | { type: 'announce'; item: AnnouncedItem }

/** Where actions go, in their order. */
interface Sink {
  push(action: BatchAction): unknown
}

export class AskBatches {
  readonly #settleMs: number
  /** Those not settled, in the order in which they are due. */
  readonly #waiting = new Set<Batch>()
  #places = 0

  constructor(settleMs: number) {
    this.#settleMs = settleMs
  }

  get waitingCount(): number {
    return this.#waiting.size
  }

  /** An announcement has come; `seal` it when its items have their places. */
  open(from: AskPeer, ticket: string, itemCount: number, nowMs: number, actions: Sink): Batch {
    const dueAtMs = nowMs + this.#settleMs
    const batch: Batch = { from, ticket, dueAtMs, open: 0, accepted: [], isSettled: false }
    this.#waiting.add(batch)
    const isFull = this.#places + itemCount > PLACES_MAX || from.places + itemCount > PLACES_MAX_PER_PEER
    if (isFull) this.fail(batch, actions)
    return batch
  }

  /** A place for an item that is not decided. One that has failed has none to give. */
  place(batch: Batch): void {
    assert.ok(!batch.isSettled)
    batch.open++
    batch.from.places++
    this.#places++
  }

  seal(batch: Batch, actions: Sink): void {
    if (batch.open === 0) this.#finish(batch, 'ignore', actions)
  }

  fail(batch: Batch, actions: Sink): void {
    this.#finish(batch, 'ignore', actions)
  }

  /** An accepted item needs somebody to carry it; `close` its places afterwards. */
  carry(item: AnnouncedItem, batches: readonly Batch[], actions: Sink): void {
    const carrier = batches.find(batch => !batch.isSettled)
    if (carrier === undefined) actions.push({ type: 'announce', item })
    else carrier.accepted.push(item)
  }

  /** An item is decided. */
  close(batch: Batch, isAccepted: boolean, actions: Sink): void {
    batch.open--
    batch.from.places--
    this.#places--
    if (!isAccepted) this.fail(batch, actions)
    else if (batch.open === 0) this.#finish(batch, 'accept', actions)
  }

  /** Those that are due fail. */
  expire(nowMs: number, actions: Sink): void {
    for (const batch of this.#waiting) {
      if (batch.dueAtMs > nowMs) return
      this.fail(batch, actions)
    }
  }

  /** Everything ends, and nothing is announced any more. */
  clear(actions: Sink): void {
    for (const batch of this.#waiting) {
      batch.accepted = []
      this.fail(batch, actions)
    }
    this.#places = 0
  }

  #finish(batch: Batch, verdict: 'accept' | 'ignore', actions: Sink): void {
    if (batch.isSettled) return
    batch.isSettled = true
    this.#waiting.delete(batch)
    const { ticket, from, accepted } = batch
    actions.push({ type: 'settle', ticket, from: from.id, verdict })
    if (verdict === 'ignore') for (const item of accepted) actions.push({ type: 'announce', item })
    // Its items may know it for longer.
    batch.accepted = []
  }

  /**
   * Throws when an invariant is broken; for tests.
   * @param placed the announcement of each open place
   */
  check(placed: readonly Batch[]): void {
    assert.equal(this.#places, placed.length)
    assert.ok(this.#places <= PLACES_MAX)
    const open = new Map<Batch, number>()
    const places = new Map<AskPeer, number>()
    for (const batch of placed) {
      open.set(batch, (open.get(batch) ?? 0) + 1)
      places.set(batch.from, (places.get(batch.from) ?? 0) + 1)
    }
    for (const [batch, count] of open) assert.equal(batch.open, count)
    for (const [peer, count] of places) assert.equal(peer.places, count)
    let dueAtMs = Number.NEGATIVE_INFINITY
    for (const batch of this.#waiting) {
      assert.ok(!batch.isSettled && open.has(batch), 'it waits for nothing')
      assert.ok(batch.dueAtMs >= dueAtMs)
      dueAtMs = batch.dueAtMs
    }
  }
}
