/**
 * Gathers ids into announcements: a pure machine for one topic.
 *
 * Rules:
 * - An announcement leaves `GATHER_MS` after its first item, or at once when it is full; but after one that was not full
 *   the next waits `PAUSE_MS`, and `PAUSE_PER_HEARD_MS` more for each announcement that came from others since the one
 *   before (copies included, since each costs as much), `PAUSE_MAX_MS` at most. Why: what costs is the announcement, not
 *   the item, and every node has to read those of all others. A quiet topic waits a few milliseconds; on a busy one, the
 *   more nodes announce, the more each gathers, and full announcements are sent beyond that.
 * - Oldest first: a child that arrives before its parent would have to be held.
 * - A full announcement is due at once; the caller takes it before it adds more.
 * - An id that waits already is not taken twice.
 */
import assert from 'node:assert/strict'
import type { MessageKey } from '../core/types.ts'
import { type AnnouncedItem, ITEMS_MAX } from './announcement.ts'

const GATHER_MS = 4

const PAUSE_MS = 20
const PAUSE_PER_HEARD_MS = 2
const PAUSE_MAX_MS = 200

export class Announcer {
  readonly #waiting = new Map<MessageKey, AnnouncedItem>()
  #leavesAtMs = 0
  #pauseUntilMs = Number.NEGATIVE_INFINITY
  /** Announcements of others since the last one of ours. */
  #heard = 0

  /** When `take` is to be called; undefined while nothing waits. */
  get dueAtMs(): number | undefined {
    return this.#waiting.size === 0 ? undefined : this.#leavesAtMs
  }

  /** An announcement of somebody else has come, or a further copy of one. */
  hear(): void {
    this.#heard++
  }

  add(item: AnnouncedItem, nowMs: number): void {
    if (this.#waiting.has(item.key)) return
    if (this.#waiting.size === 0) this.#leavesAtMs = Math.max(nowMs + GATHER_MS, this.#pauseUntilMs)
    this.#waiting.set(item.key, item)
    if (this.#waiting.size >= ITEMS_MAX) this.#leavesAtMs = nowMs
  }

  /** The items of one announcement, if one is due. */
  take(nowMs: number): AnnouncedItem[] | undefined {
    if (this.#waiting.size === 0 || nowMs < this.#leavesAtMs) return undefined
    const items: AnnouncedItem[] = []
    for (const item of this.#waiting.values()) {
      items.push(item)
      this.#waiting.delete(item.key)
      if (items.length === ITEMS_MAX) break
    }
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MS + PAUSE_PER_HEARD_MS * this.#heard)
    this.#pauseUntilMs = items.length === ITEMS_MAX ? nowMs : nowMs + pauseMs
    this.#heard = 0
    return items
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    assert.ok(this.#waiting.size <= ITEMS_MAX)
  }
}
