/**
 * Gathers ids into announcements: a pure machine for one topic.
 *
 * Rules:
 * - An announcement leaves `GATHER_MS` after its first item, or at once when it is full; but after one that was not full
 *   the next waits `PAUSE_MS`. Why: what costs is the announcement, not the item. A quiet topic waits a few milliseconds,
 *   a busy one sends fifty announcements a second at most, and full ones beyond that.
 * - Oldest first: a child that arrives before its parent would have to be held.
 * - A full announcement is due at once; the caller takes it before it adds more.
 * - An id that waits already is not taken twice.
 */
import assert from 'node:assert/strict'
import type { MessageKey } from '../core/types.ts'
import { type AnnouncedItem, ITEMS_MAX } from './announcement.ts'

const GATHER_MS = 4

const PAUSE_MS = 20

export class Announcer {
  readonly #waiting = new Map<MessageKey, AnnouncedItem>()
  #leavesAtMs = 0
  #pauseUntilMs = Number.NEGATIVE_INFINITY

  /** When `take` is to be called; undefined while nothing waits. */
  get dueAtMs(): number | undefined {
    return this.#waiting.size === 0 ? undefined : this.#leavesAtMs
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
    this.#pauseUntilMs = items.length === ITEMS_MAX ? nowMs : nowMs + PAUSE_MS
    return items
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    assert.ok(this.#waiting.size <= ITEMS_MAX)
  }
}
