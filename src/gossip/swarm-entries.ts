/**
 * The swarms that this node takes part in, from their beginning to their end, oldest first.
 *
 * Rules:
 * - An accepted swarm is kept for `KEEP_MS`, for those who join late; of all that are kept, the newest `DONE_MAX_BYTES`.
 * - One that nobody has judged ends after `LIFE_MS`, whatever it gets: a slow drip must not hold a place for ever.
 * - How many there are is bounded by `swarm-slots.ts`, and by how many of our own we propagate in a minute.
 */
import { messageKey } from '../core/hash.ts'
import type { MessageKey, PeerId, Topic } from '../core/types.ts'
import type { SwarmHead } from './announcement.ts'
import type { SwarmKey } from './swarm.ts'

const KEEP_MS = 60_000
const LIFE_MS = 240_000
const DONE_MAX_BYTES = 256 * 1_024 * 1_024

/** A head that came to us, or went out from here. */
export interface SwarmEntry {
  readonly key: SwarmKey
  readonly topic: Topic
  readonly head: SwarmHead
  /** Undefined for our own. */
  readonly from: PeerId | undefined
  /** How gossip knows it; undefined once gossip was told, and for what came by an offer. */
  ticket: string | undefined
  readonly dueAtMs: number
  readonly bornAtMs: number
  isVouched: boolean
  /** When it was accepted whole. */
  acceptedAtMs: number | undefined
}

export class SwarmEntries {
  readonly #entries = new Map<SwarmKey, SwarmEntry>()
  /** Of messages that have become whole: by which swarm. */
  readonly #byMessage = new Map<MessageKey, SwarmKey>()

  add(entry: SwarmEntry): void {
    this.#entries.set(entry.key, entry)
  }

  /** Its payload is what its head says: what becomes of the message becomes of it, and of no other that claims its id. */
  delivered({ key, head }: SwarmEntry): void {
    this.#byMessage.set(messageKey(head.id), key)
  }

  delete({ key, head }: SwarmEntry): void {
    this.#entries.delete(key)
    const message = messageKey(head.id)
    if (this.#byMessage.get(message) === key) this.#byMessage.delete(message)
  }

  has(key: SwarmKey): boolean {
    return this.#entries.has(key)
  }

  get(key: SwarmKey): SwarmEntry | undefined {
    return this.#entries.get(key)
  }

  /** The swarm that a message came by. */
  ofMessage(key: MessageKey): SwarmEntry | undefined {
    const swarm = this.#byMessage.get(key)
    return swarm === undefined ? undefined : this.#entries.get(swarm)
  }

  values(): SwarmEntry[] {
    return [...this.#entries.values()]
  }

  /** Those that were accepted lately. */
  kept(nowMs: number): SwarmEntry[] {
    return this.values().filter(({ acceptedAtMs = -KEEP_MS }) => nowMs - acceptedAtMs < KEEP_MS)
  }

  /** Those for which gossip waits no longer, and has not been told. */
  overdue(nowMs: number): SwarmEntry[] {
    return this.values().filter(({ ticket, dueAtMs }) => ticket !== undefined && nowMs >= dueAtMs)
  }

  /** Those whose time is over. */
  ended(nowMs: number): SwarmEntry[] {
    let doneBytes = 0
    return this.values()
      .reverse()
      .filter(({ acceptedAtMs, bornAtMs, head }) => {
        if (acceptedAtMs === undefined) return nowMs - bornAtMs >= LIFE_MS
        doneBytes += head.sizeBytes
        return nowMs - acceptedAtMs >= KEEP_MS || doneBytes > DONE_MAX_BYTES
      })
  }
}
