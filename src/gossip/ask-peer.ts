/**
 * A neighbour as `asks.ts` sees it: what it is being asked for, how long its answers take, and what waits on its word.
 * Time is an argument here as in every part of a pure machine.
 *
 * Rules:
 * - An ask is due after `ASK_MS`, or four times what the peer's answers take of late if that is longer, `ASK_MAX_MS` at
 *   most. Only answers make us more patient, silence never does: otherwise one that announces first and stays silent
 *   could hold up every message for `ASK_MAX_MS`.
 * - A payload from `LARGE_BYTES` on needs time to travel, too: as much more as all such that are asked of it take at
 *   `LARGE_BYTES_PER_S`, a share of a home line. Otherwise it would be asked of several holders at once, over lines that
 *   are too slow for one.
 * - An ask that we have given up, or no longer need, is remembered for `WITHDRAWN_MS`: its answer may be on the way, it
 *   is no offence, and it tells how slow the peer is. `WITHDRAWN_MAX` of them, the oldest is forgotten.
 * - One that has answered anything within the time of an ask is slow and not silent; silence is blamed once in that
 *   time. Why not for each ask: a stall of some seconds is no crime, and would be hundreds of them.
 */
import assert from 'node:assert/strict'
import type { MessageKey, PeerId } from '../core/types.ts'

const ASK_MS = 500
const ASK_MAX_MS = 10_000

const LARGE_BYTES = 16 * 1_024
const LARGE_BYTES_PER_S = 128 * 1_024

/** How many messages may be asked of one peer at once: enough for a line of 1 Gbit/s at 50 ms with 250 bytes each. */
export const ASKED_MAX_PER_PEER = 16_384

const WITHDRAWN_MAX = ASKED_MAX_PER_PEER
const WITHDRAWN_MS = 60_000

/** One that says nothing for so long is forgotten, also when nobody says that it is gone. */
const IDLE_MS = 60_000

/** An ask that was over without an answer. */
interface Withdrawn {
  readonly askedAtMs: number
  isAnswered: boolean
}

export class AskPeer {
  readonly id: PeerId
  /** Messages that are waited for on its word. */
  owned = 0
  /** Open places in its announcements. */
  places = 0
  /** It is not asked for anything any more. */
  isGone = false
  heardAtMs: number
  /** Messages that are asked for when there is room, in the order of their coming. */
  readonly waiting = new Set<MessageKey>()
  /** Asks under way, oldest first, with their times. */
  readonly #asked = new Map<MessageKey, number>()
  /** The sizes of large ones among them, as announced. */
  readonly #large = new Map<MessageKey, number>()
  #largeBytes = 0
  readonly #withdrawn = new Map<MessageKey, Withdrawn>()
  /** How long its answers take, smoothed. */
  #answerMs = 0
  #answeredAtMs = Number.NEGATIVE_INFINITY
  #blamedAtMs = Number.NEGATIVE_INFINITY

  constructor(id: PeerId, nowMs: number) {
    this.id = id
    this.heardAtMs = nowMs
  }

  get askedCount(): number {
    return this.#asked.size
  }

  get hasRoom(): boolean {
    return this.#asked.size < ASKED_MAX_PER_PEER
  }

  isAsked(key: MessageKey): boolean {
    return this.#asked.has(key)
  }

  ask(key: MessageKey, sizeBytes: number, nowMs: number): void {
    this.#asked.set(key, nowMs)
    if (sizeBytes < LARGE_BYTES || this.#large.has(key)) return
    this.#large.set(key, sizeBytes)
    this.#largeBytes += sizeBytes
  }

  #unask(key: MessageKey): void {
    this.#asked.delete(key)
    const sizeBytes = this.#large.size === 0 ? undefined : this.#large.get(key)
    if (sizeBytes === undefined) return
    this.#large.delete(key)
    this.#largeBytes -= sizeBytes
  }

  /** The ask is over, but its answer may come all the same. */
  withdraw(key: MessageKey): void {
    const askedAtMs = this.#asked.get(key)
    if (askedAtMs === undefined) return
    this.#unask(key)
    // The first of several asks counts: which of them is answered cannot be seen, and too patient is the safer mistake.
    if (this.#withdrawn.get(key)?.isAnswered === false) return
    this.#withdrawn.delete(key)
    this.#withdrawn.set(key, { askedAtMs, isAnswered: false })
    if (this.#withdrawn.size > WITHDRAWN_MAX) this.#forgetOldest()
  }

  /** A payload or a refusal has come. Returns whether it was asked for. */
  answer(key: MessageKey, nowMs: number): boolean {
    const withdrawn = this.#withdrawn.size === 0 ? undefined : this.#withdrawn.get(key)
    const askedAtMs = withdrawn?.isAnswered === false ? withdrawn.askedAtMs : this.#asked.get(key)
    this.#unask(key)
    // It was asked more than once, and may answer as often.
    if (withdrawn !== undefined) withdrawn.isAnswered = true
    if (askedAtMs !== undefined) {
      this.#answerMs += (Math.min(nowMs - askedAtMs, ASK_MAX_MS) - this.#answerMs) / 8
      this.#answeredAtMs = nowMs
    }
    return askedAtMs !== undefined || withdrawn !== undefined
  }

  /** Asks whose time is over, oldest first. */
  due(nowMs: number): MessageKey[] {
    const keys: MessageKey[] = []
    const patienceMs = this.#patienceMs
    for (const [key, askedAtMs] of this.#asked) {
      if (nowMs - askedAtMs < patienceMs) break
      keys.push(key)
    }
    return keys
  }

  /** Whether it has stayed silent, and is to be blamed for it now. To be called when asks are due. */
  blameSilence(nowMs: number): boolean {
    const patienceMs = this.#patienceMs
    if (nowMs - this.#answeredAtMs < patienceMs || nowMs - this.#blamedAtMs < patienceMs) return false
    this.#blamedAtMs = nowMs
    return true
  }

  /** Its connection is over, and with it the asks and their answers. Returns what it was asked for, or was to be. */
  leave(): MessageKey[] {
    const keys = [...this.#asked.keys(), ...this.waiting]
    this.isGone = true
    this.#asked.clear()
    this.#large.clear()
    this.#largeBytes = 0
    this.#withdrawn.clear()
    this.waiting.clear()
    return keys
  }

  /** Forgets what is long over. Returns whether nothing is left to remember the peer for. */
  expire(nowMs: number): boolean {
    for (const { askedAtMs } of this.#withdrawn.values()) {
      if (nowMs - askedAtMs < WITHDRAWN_MS) break
      this.#forgetOldest()
    }
    const isFree = this.owned + this.places + this.#asked.size + this.waiting.size === 0
    return isFree && (this.isGone || nowMs - this.heardAtMs >= IDLE_MS)
  }

  get #patienceMs(): number {
    const travelMs = (this.#largeBytes / LARGE_BYTES_PER_S) * 1_000
    return Math.min(ASK_MAX_MS, Math.max(ASK_MS, 4 * this.#answerMs) + travelMs)
  }

  #forgetOldest(): void {
    for (const key of this.#withdrawn.keys()) {
      this.#withdrawn.delete(key)
      return
    }
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    assert.ok(this.#asked.size <= ASKED_MAX_PER_PEER && this.#withdrawn.size <= WITHDRAWN_MAX)
    assert.ok(!this.isGone || this.#asked.size + this.waiting.size + this.#withdrawn.size === 0)
    assert.equal(
      this.#largeBytes,
      [...this.#large.values()].reduce((sum, one) => sum + one, 0),
    )
    for (const key of this.#large.keys()) assert.ok(this.#asked.has(key))
    for (const key of this.waiting) assert.ok(!this.#asked.has(key), 'asked for what is to wait')
  }
}
