/**
 * Which message ids a peer has, because it sent, announced or was sent them: a pure machine that keeps the node
 * from sending a peer what it has.
 *
 * Rules:
 * - Per peer at most `idsMax` ids, in two generations, as in `core/seen.ts`: an id is remembered for at least
 *   `ttlMs` and at most twice that, unless more than half of `idsMax` new ids come in that time. Neither looking nor
 *   adding again extends. A forgotten id is sent once more than needed, which costs bytes and nothing else.
 * - At most `peersMax` peers; beyond that the one that was first added goes, with all its ids. `forget` a peer when
 *   its connection closes, and with `peersMax` at or above the limit of connections nobody is pushed out.
 * - What a peer announces fills its own memory only, so a peer that announces much is sent some things twice itself.
 * - An id is kept as a number below 2^48, which takes 60 bytes where a string and its place take 100. It is the
 *   linear hash of the 20 characters, with secret random factors, in two prime fields of almost 24 bits. Why not a
 *   common mix with a seed: peers choose freely what they announce, and those have pairs that collide with every
 *   seed. Of this one it is proven: whatever two ids somebody writes down who does not know the factors, they
 *   collide with a chance of 1 in 2^48. A collision costs one message that is not sent to one peer, which others send.
 *   Collisions that somebody has seen do lead to others (it is linear), but to see one takes some 2^32 looks, and
 *   then it concerns only what that peer itself is sent.
 */
import assert from 'node:assert/strict'
import { MESSAGE_ID_BYTES } from '../core/hash.ts'
import type { RandomSource } from '../core/ports.ts'
import type { MessageKey, PeerId } from '../core/types.ts'

export interface KnownOptions {
  /** Ids per peer, about 60 bytes each; at least 2. */
  readonly idsMax: number
  readonly peersMax: number
  readonly ttlMs: number
}

/** The largest prime below 2^24. */
const PRIME = 2 ** 24 - 3

/** Ids that were added from `sinceMs` on, for less than one lifetime. */
interface Generation {
  readonly ids: Set<number>
  readonly sinceMs: number
}

interface Memory {
  young: Generation
  old: Generation
}

export class Known {
  readonly #options: KnownOptions
  /** In the order in which they were first added. */
  readonly #peers = new Map<PeerId, Memory>()
  readonly #highFactors: readonly number[]
  readonly #lowFactors: readonly number[]
  #lastKey: MessageKey | undefined
  #lastId = 0

  /** @param random draws the secret factors, here and now; peers must not be able to foresee it */
  constructor(options: KnownOptions, random: RandomSource) {
    assert.ok(options.ttlMs > 0 && options.idsMax >= 2 && options.peersMax >= 1)
    this.#options = options
    const factor = (): number => Math.floor(random() * PRIME)
    this.#highFactors = Array.from({ length: MESSAGE_ID_BYTES }, factor)
    this.#lowFactors = Array.from({ length: MESSAGE_ID_BYTES }, factor)
  }

  get peerCount(): number {
    return this.#peers.size
  }

  /** How many ids take memory, those included whose time is over but whose turn to go has not come. */
  get idCount(): number {
    let count = 0
    for (const { young, old } of this.#peers.values()) count += young.ids.size + old.ids.size
    return count
  }

  /** Remembers that the peer has the message; if that is known already, it keeps its age. */
  add(peer: PeerId, key: MessageKey, nowMs: number): void {
    const { idsMax, peersMax, ttlMs } = this.#options
    const id = this.#idOf(key)
    let memory = this.#peers.get(peer)
    if (memory === undefined) {
      memory = { young: emptyGeneration(), old: emptyGeneration() }
      for (const first of this.#peers.keys()) {
        if (this.#peers.size < peersMax) break
        this.#peers.delete(first)
      }
      this.#peers.set(peer, memory)
    }
    if (this.#holds(memory, id, nowMs)) return
    const isOver = nowMs - memory.young.sinceMs >= ttlMs
    if (isOver || memory.young.ids.size >= Math.floor(idsMax / 2)) {
      memory.old = memory.young
      memory.young = { ids: new Set(), sinceMs: nowMs }
    }
    memory.young.ids.add(id)
  }

  /** Whether the peer has the message, as far as is known. */
  has(peer: PeerId, key: MessageKey, nowMs: number): boolean {
    const memory = this.#peers.get(peer)
    return memory !== undefined && this.#holds(memory, this.#idOf(key), nowMs)
  }

  /** Its connection is closed: what it had, it may have lost. */
  forget(peer: PeerId): void {
    this.#peers.delete(peer)
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    const { idsMax, peersMax } = this.#options
    assert.ok(this.#peers.size <= peersMax)
    for (const { young, old } of this.#peers.values()) {
      assert.ok(young.ids.size + old.ids.size <= idsMax)
      assert.ok(old.sinceMs <= young.sinceMs)
      for (const id of [...young.ids, ...old.ids])
        assert.ok(Number.isInteger(id) && id >= 0 && id < 2 ** 48, `${id}`)
    }
  }

  #holds(memory: Memory, id: number, nowMs: number): boolean {
    const overMs = 2 * this.#options.ttlMs
    // Looking is what frees the memory of peers to which nothing is added any more.
    if (nowMs - memory.young.sinceMs >= overMs) {
      if (memory.young.ids.size > 0) memory.young = emptyGeneration()
      if (memory.old.ids.size > 0) memory.old = emptyGeneration()
      return false
    }
    return memory.young.ids.has(id) || (nowMs - memory.old.sinceMs < overMs && memory.old.ids.has(id))
  }

  /** One message is looked up for many peers in a row, so the last one's number is remembered. */
  #idOf(key: MessageKey): number {
    if (key === this.#lastKey) return this.#lastId
    assert.ok(key.length === MESSAGE_ID_BYTES, 'not a message key')
    let high = 0
    let low = 0
    // Each product is below 2^32 and each sum below 2^37: exact.
    for (let at = 0; at < MESSAGE_ID_BYTES; at++) {
      const byte = key.charCodeAt(at)
      high += byte * (this.#highFactors[at] ?? 0)
      low += byte * (this.#lowFactors[at] ?? 0)
    }
    this.#lastKey = key
    this.#lastId = (high % PRIME) * 2 ** 24 + (low % PRIME)
    return this.#lastId
  }
}

function emptyGeneration(): Generation {
  return { ids: new Set(), sinceMs: Number.NEGATIVE_INFINITY }
}
