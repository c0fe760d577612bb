/**
 * What this node has promised to deliver: a pure machine that keeps payloads of accepted messages for those who ask.
 *
 * Rules:
 * - To announce an id is to promise its payload: it is kept for `keepMs`, and dropped at the first `tick` after that.
 * - More than `maxCount` payloads or `maxBytes` in all are not kept: the oldest go first, and are counted
 *   (`brokenCount`). Why the oldest: most who were going to ask for them have asked. A payload larger than
 *   `maxBytes` is not kept at all, and nothing goes for it.
 * - To put what is there changes nothing, its age included. Otherwise a message that keeps coming back would never go.
 */
import assert from 'node:assert/strict'
import { messageKey } from '../core/hash.ts'
import type { MessageId, MessageKey } from '../core/types.ts'

export interface PayloadStoreOptions {
  readonly keepMs: number
  readonly maxCount: number
  /** Of payloads. A payload that is a view counts with its own length, but keeps its whole buffer in memory. */
  readonly maxBytes: number
}

export interface StoredPayload {
  readonly id: MessageId
  /** Read only: shared with all who have the message. */
  readonly payload: Uint8Array
}

interface Kept {
  readonly entry: StoredPayload
  readonly atMs: number
}

export class PayloadStore {
  readonly #options: PayloadStoreOptions
  /** Oldest first. */
  readonly #kept = new Map<MessageKey, Kept>()
  #bytes = 0
  #brokenCount = 0
  #latestMs = Number.NEGATIVE_INFINITY

  constructor(options: PayloadStoreOptions) {
    assert.ok(options.keepMs > 0 && options.maxCount >= 1 && options.maxBytes >= 0)
    this.#options = options
  }

  get count(): number {
    return this.#kept.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many payloads have gone before their time, for room, since the start. */
  get brokenCount(): number {
    return this.#brokenCount
  }

  /**
   * Keeps a payload under the key of its id.
   * @returns whether it is kept now; if not, it must not be announced
   */
  put(key: MessageKey, entry: StoredPayload, nowMs: number): boolean {
    if (this.#kept.has(key)) return true
    const { maxCount, maxBytes } = this.#options
    const { byteLength } = entry.payload
    if (byteLength > maxBytes) return false
    // A clock that goes back must not put the entries out of order.
    this.#latestMs = Math.max(this.#latestMs, nowMs)
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size < maxCount && this.#bytes + byteLength <= maxBytes) break
      // One whose time is over has only been waiting for the tick.
      if (this.#latestMs - kept.atMs <= this.#options.keepMs) this.#brokenCount++
      this.#drop(oldest, kept)
    }
    this.#kept.set(key, { entry, atMs: this.#latestMs })
    this.#bytes += byteLength
    return true
  }

  get(key: MessageKey): StoredPayload | undefined {
    return this.#kept.get(key)?.entry
  }

  has(key: MessageKey): boolean {
    return this.#kept.has(key)
  }

  /** Drops what is older than `keepMs`. */
  tick(nowMs: number): void {
    for (const [key, kept] of this.#kept) {
      if (nowMs - kept.atMs <= this.#options.keepMs) return
      this.#drop(key, kept)
    }
  }

  /** What was put at or after a moment, oldest first. What is put while somebody walks through it is met at the end. */
  *since(ms: number): Generator<StoredPayload, void, undefined> {
    for (const { entry, atMs } of this.#kept.values()) if (atMs >= ms) yield entry
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    const all = [...this.#kept]
    assert.equal(
      this.#bytes,
      all.reduce((sum, [, { entry }]) => sum + entry.payload.byteLength, 0),
    )
    assert.ok(this.#kept.size <= this.#options.maxCount && this.#bytes <= this.#options.maxBytes)
    let latestMs = Number.NEGATIVE_INFINITY
    for (const [key, { entry, atMs }] of all) {
      assert.equal(messageKey(entry.id), key)
      assert.ok(latestMs <= atMs, 'the oldest is not first')
      latestMs = atMs
    }
  }

  #drop(key: MessageKey, { entry }: Kept): void {
    this.#kept.delete(key)
    this.#bytes -= entry.payload.byteLength
  }
}
