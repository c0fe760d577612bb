/**
 * A message that `asks.ts` waits for: who has it, who is being asked for it, and which announcements wait for it.
 *
 * Holders are asked in the order in which they came, those that have let an ask pass after all others: who comes later
 * is asked before one that was silent. At most `HOLDERS_MAX` are remembered, the first ones.
 */
import assert from 'node:assert/strict'
import type { AnnouncedItem } from './announcement.ts'
import type { Batch } from './ask-batches.ts'
import type { AskPeer } from './ask-peer.ts'

const HOLDERS_MAX = 8

export class AskItem {
  /** With the size that was claimed first, or the true one once it is known. */
  announced: AnnouncedItem
  /** Whose share it takes. */
  readonly owner: AskPeer
  /** Who says that it has this size; undefined while nobody does. */
  claimedBy: AskPeer | undefined
  /** Is asked though it has not announced it, and so has promised nothing. */
  hinted: AskPeer | undefined
  askedOf: AskPeer | undefined
  /** Who is to be asked when there is room. */
  waitsFor: AskPeer | undefined
  tries = 0
  /** The gate has it. */
  isJudging: boolean
  readonly batches: Batch[] = []
  readonly #holders: AskPeer[] = []
  /** How many at the end have let an ask pass. */
  #silent = 0

  constructor(announced: AnnouncedItem, owner: AskPeer, isJudging: boolean) {
    this.announced = announced
    this.owner = owner
    this.isJudging = isJudging
  }

  get hasHolders(): boolean {
    return this.#holders.length > 0
  }

  holds(peer: AskPeer): boolean {
    return this.#holders.includes(peer)
  }

  addHolder(peer: AskPeer): void {
    if (this.#holders.includes(peer)) return
    if (this.#holders.length >= HOLDERS_MAX) this.#removeGone()
    if (this.#holders.length >= HOLDERS_MAX) return
    if (this.#silent === 0) this.#holders.push(peer)
    else this.#holders.splice(this.#holders.length - this.#silent, 0, peer)
  }

  removeHolder(peer: AskPeer): void {
    const index = this.#holders.indexOf(peer)
    if (index < 0) return
    if (index >= this.#holders.length - this.#silent) this.#silent--
    this.#holders.splice(index, 1)
  }

  /** It has let an ask pass. */
  postpone(peer: AskPeer): void {
    if (!this.#holders.includes(peer)) return
    this.removeHolder(peer)
    this.#holders.push(peer)
    this.#silent++
  }

  /** Who is to be asked next: the first that has room, or else the first. */
  nextHolder(): AskPeer | undefined {
    this.#removeGone()
    for (const holder of this.#holders) if (holder.hasRoom) return holder
    return this.#holders[0]
  }

  /** Nobody will be asked for it any more. */
  clearHolders(): void {
    this.#holders.length = 0
    this.#silent = 0
  }

  #removeGone(): void {
    for (let index = this.#holders.length - 1; index >= 0; index--) {
      const holder = this.#holders[index]
      if (holder?.isGone) this.removeHolder(holder)
    }
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    const { key } = this.announced
    assert.ok(this.#holders.length <= HOLDERS_MAX)
    assert.ok(this.#silent >= 0 && this.#silent <= this.#holders.length)
    assert.equal(new Set(this.#holders).size, this.#holders.length)
    const states = [this.isJudging, this.askedOf !== undefined, this.waitsFor !== undefined]
    assert.equal(states.filter(Boolean).length, 1, 'judged, asked or waiting: one of them')
    if (this.askedOf !== undefined) assert.ok(this.askedOf.isAsked(key) && this.holds(this.askedOf))
    if (this.waitsFor !== undefined) assert.ok(this.waitsFor.waiting.has(key) && this.holds(this.waitsFor))
    if (this.isJudging) assert.ok(!this.hasHolders)
  }
}
