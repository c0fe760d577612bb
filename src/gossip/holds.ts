/**
 * Messages that wait for others: a pure machine that parks those for which the upper layer answered
 * `{ hold: ids }`, until all these ids are accepted; then the handler is to be asked again.
 *
 *   parked → held → released      all that it waits for was accepted
 *                 → expired       by time or for room; nobody is blamed
 *
 * Rules:
 * - A message waits for at most `HOLD_IDS_MAX` ids, each counted once. One that waits for more expires at once; so
 *   does one that waits for itself. One that waits for nothing is released at once: what it waited for was accepted
 *   while the handler thought. Two that wait for each other expire by time: cycles are rare, and looking for them
 *   would cost more than holding them.
 * - Only an accept releases. A reject or an ignore of an awaited id changes nothing: the id may still be accepted,
 *   as when the copy came too late, or the queue was full.
 * - What is missing is to be asked for from the peer that sent the message that needs it, once, when it is parked:
 *   who passed on the one most likely has the others.
 * - A message is held for `holdMs`, then it expires. Each parking is a new one: how often a message may be released
 *   and parked again is for the caller to say.
 * - A message is charged its size and `HOLD_ID_BYTES` for each id that it waits for. Why the ids as well: a message
 *   of a few bytes may wait for 256 of them. A peer has at most `perPeerMaxCount` messages and `perPeerMaxBytes`
 *   here; beyond that its own oldest expires. In all there are at most `maxCount` and `maxBytes`; beyond that the
 *   oldest of the peer with most of what is over (bytes, if both are; of equals the one that has been here longest)
 *   expires. So a peer that sends much displaces only itself. A message that could not stay in an empty machine
 *   expires at once, and none goes for it.
 * - Choosing whom to cut looks at every peer that has messages here, and only while there is no room.
 *
 * `T` is what the caller wants back with an action: the message.
 */
import assert from 'node:assert/strict'
import type { MessageKey, PeerId } from '../core/types.ts'

export interface HoldsOptions {
  /** Default `HOLD_MS`. */
  readonly holdMs?: number
  readonly maxCount: number
  /** As charged: sizes and `HOLD_ID_BYTES` for each awaited id. */
  readonly maxBytes: number
  readonly perPeerMaxCount: number
  readonly perPeerMaxBytes: number
}

/** How long a message is held unless told otherwise. */
export const HOLD_MS = 60_000

/** For how many ids a message can wait. */
export const HOLD_IDS_MAX = 256

/** What an awaited id takes here: its text, its places in the list and the index (measured: 320), and some room. */
export const HOLD_ID_BYTES = 400

/** `room`: it was too large, waited for too many ids, or others came. `self`: it waited for itself. */
export type ExpiryReason = 'time' | 'room' | 'self'

export type HoldEvent<T> =
  | {
      type: 'parked'
      /** Must not be held already. */
      key: MessageKey
      from: PeerId
      sizeBytes: number
      /** Without what is accepted already; repetitions are fine. */
      missing: readonly MessageKey[]
      message: T
    }
  /** For every message that is judged, held or not. */
  | { type: 'judged'; key: MessageKey; accepted: boolean }
  | { type: 'tick' }
  /** Forgets all, without a word. */
  | { type: 'close' }

export type HoldAction<T> =
  /** Ask the handler again. */
  | { type: 'release'; message: T; from: PeerId; key: MessageKey }
  | { type: 'expire'; message: T; from: PeerId; key: MessageKey; reason: ExpiryReason }
  /** Ask the peer for these, as far as they are not known or on their way. */
  | { type: 'want'; from: PeerId; ids: readonly MessageKey[] }

interface Held<T> {
  readonly key: MessageKey
  readonly from: PeerId
  readonly message: T
  readonly chargedBytes: number
  readonly dueAtMs: number
  readonly missing: Set<MessageKey>
}

interface Lane<T> {
  /** Oldest first. */
  readonly held: Set<Held<T>>
  bytes: number
}

// One for all answers without actions: most judged messages are awaited by none.
const NOTHING: readonly never[] = Object.freeze([])

export class Holds<T> {
  readonly #options: Required<HoldsOptions>
  /** Oldest first, which is also the order in which they are due. */
  readonly #held = new Map<MessageKey, Held<T>>()
  /** By awaited id, those that wait for it, oldest first. */
  readonly #waiting = new Map<MessageKey, Set<Held<T>>>()
  readonly #lanes = new Map<PeerId, Lane<T>>()
  #bytes = 0

  constructor(options: HoldsOptions) {
    this.#options = { holdMs: HOLD_MS, ...options }
    assert.ok(this.#options.holdMs > 0 && options.maxCount >= 1 && options.perPeerMaxCount >= 1)
  }

  get heldCount(): number {
    return this.#held.size
  }

  /** As charged. */
  get heldBytes(): number {
    return this.#bytes
  }

  /** Whether the message is held: it needs no second copy. */
  has(key: MessageKey): boolean {
    return this.#held.has(key)
  }

  handle(event: HoldEvent<T>, nowMs: number): readonly HoldAction<T>[] {
    switch (event.type) {
      case 'parked':
        return this.#onParked(event, nowMs)
      case 'judged':
        return event.accepted ? this.#onAccepted(event.key) : NOTHING
      case 'tick':
        return this.#onTick(nowMs)
      case 'close':
        this.#held.clear()
        this.#waiting.clear()
        this.#lanes.clear()
        this.#bytes = 0
        return NOTHING
    }
  }

  #onParked(event: Extract<HoldEvent<T>, { type: 'parked' }>, nowMs: number): HoldAction<T>[] {
    const { key, from, sizeBytes, message } = event
    assert.ok(!this.#held.has(key), 'a message is held twice')
    const missing = new Set(event.missing)
    if (missing.size === 0) return [{ type: 'release', message, from, key }]
    if (missing.has(key)) return [{ type: 'expire', message, from, key, reason: 'self' }]
    const chargedBytes = sizeBytes + missing.size * HOLD_ID_BYTES
    const { maxBytes, perPeerMaxBytes } = this.#options
    if (missing.size > HOLD_IDS_MAX || chargedBytes > Math.min(maxBytes, perPeerMaxBytes))
      return [{ type: 'expire', message, from, key, reason: 'room' }]
    const dueAtMs = nowMs + this.#options.holdMs
    this.#add({ key, from, message, chargedBytes, dueAtMs, missing })
    const actions: HoldAction<T>[] = []
    this.#cut(from, actions)
    if (this.#held.has(key)) actions.push({ type: 'want', from, ids: [...missing] })
    return actions
  }

  #onAccepted(key: MessageKey): readonly HoldAction<T>[] {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return NOTHING
    this.#waiting.delete(key)
    const actions: HoldAction<T>[] = []
    for (const held of waiting) {
      held.missing.delete(key)
      if (held.missing.size > 0) continue
      this.#remove(held)
      actions.push({ type: 'release', message: held.message, from: held.from, key: held.key })
    }
    return actions
  }

  #onTick(nowMs: number): readonly HoldAction<T>[] {
    let actions: HoldAction<T>[] | undefined
    for (const held of this.#held.values()) {
      if (held.dueAtMs > nowMs) break
      actions ??= []
      this.#expire(held, 'time', actions)
    }
    return actions ?? NOTHING
  }

  #cut(from: PeerId, actions: HoldAction<T>[]): void {
    const { maxCount, maxBytes, perPeerMaxCount, perPeerMaxBytes } = this.#options
    const own = this.#lanes.get(from)
    assert.ok(own !== undefined)
    while (own.held.size > perPeerMaxCount || own.bytes > perPeerMaxBytes) this.#expireOldest(own, actions)
    while (this.#held.size > maxCount || this.#bytes > maxBytes)
      this.#expireOldest(this.#fullest(this.#bytes > maxBytes), actions)
  }

  #fullest(byBytes: boolean): Lane<T> {
    let fullest: Lane<T> | undefined
    let most = -1
    for (const lane of this.#lanes.values()) {
      const load = byBytes ? lane.bytes : lane.held.size
      if (load > most) {
        most = load
        fullest = lane
      }
    }
    assert.ok(fullest !== undefined, 'nothing is held, and that is too much')
    return fullest
  }

  #expireOldest(lane: Lane<T>, actions: HoldAction<T>[]): void {
    const [oldest] = lane.held
    assert.ok(oldest !== undefined)
    this.#expire(oldest, 'room', actions)
  }

  #expire(held: Held<T>, reason: ExpiryReason, actions: HoldAction<T>[]): void {
    this.#remove(held)
    actions.push({ type: 'expire', message: held.message, from: held.from, key: held.key, reason })
  }

  #add(held: Held<T>): void {
    this.#held.set(held.key, held)
    for (const id of held.missing) {
      const waiting = this.#waiting.get(id)
      if (waiting === undefined) this.#waiting.set(id, new Set([held]))
      else waiting.add(held)
    }
    const lane = this.#lanes.get(held.from)
    if (lane === undefined) {
      this.#lanes.set(held.from, { held: new Set([held]), bytes: held.chargedBytes })
    } else {
      lane.held.add(held)
      lane.bytes += held.chargedBytes
    }
    this.#bytes += held.chargedBytes
  }

  #remove(held: Held<T>): void {
    this.#held.delete(held.key)
    for (const id of held.missing) {
      const waiting = this.#waiting.get(id)
      if (waiting?.delete(held) && waiting.size === 0) this.#waiting.delete(id)
    }
    const lane = this.#lanes.get(held.from)
    assert.ok(lane !== undefined, 'a held message without a lane')
    lane.held.delete(held)
    lane.bytes -= held.chargedBytes
    if (lane.held.size === 0) this.#lanes.delete(held.from)
    this.#bytes -= held.chargedBytes
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    const { maxCount, maxBytes, perPeerMaxCount, perPeerMaxBytes } = this.#options
    const all = [...this.#held.values()]
    const bytesOf = (some: Iterable<Held<T>>): number =>
      [...some].reduce((sum, one) => sum + one.chargedBytes, 0)
    assert.equal(this.#bytes, bytesOf(all))
    assert.ok(all.length <= maxCount && this.#bytes <= maxBytes)
    assert.deepEqual(new Set(this.#lanes.keys()), new Set(all.map(held => held.from)))
    for (const [peer, lane] of this.#lanes) {
      assert.ok([...lane.held].every(held => held.from === peer && this.#held.get(held.key) === held))
      assert.equal(lane.held.size, all.filter(held => held.from === peer).length)
      assert.equal(lane.bytes, bytesOf(lane.held))
      assert.ok(lane.held.size <= perPeerMaxCount && lane.bytes <= perPeerMaxBytes)
    }
    for (const { key, missing } of all) {
      assert.ok(missing.size > 0 && missing.size <= HOLD_IDS_MAX && !missing.has(key), 'it waits for nothing')
    }
    assert.deepEqual(new Set(this.#waiting.keys()), new Set(all.flatMap(held => [...held.missing])))
    for (const [id, waiting] of this.#waiting) {
      assert.deepEqual(
        [...waiting],
        all.filter(held => held.missing.has(id)),
      )
    }
  }
}
