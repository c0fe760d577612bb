/**
 * Who is asked for what, and when again: a pure machine inside `asks.ts`, whose rules it carries out. It knows messages
 * and peers, and nothing of announcements; who is to be told that a message is given up is said by the constructor's
 * argument.
 *
 * Nothing here looks at all messages: an event costs what it names, a tick what is due and has room.
 */
import assert from 'node:assert/strict'
import type { MessageKey, PeerId } from '../core/types.ts'
import type { AnnouncedItem } from './announcement.ts'
import { AskItem } from './ask-item.ts'
import { AskPeer } from './ask-peer.ts'

export const ITEMS_MAX = 131_072
export const ITEMS_MAX_PER_PEER = 32_768
const TRIES_MAX = 8

export interface AskCounts {
  asked: number
  answered: number
  late: number
  lacked: number
  timedOut: number
  unwanted: number
  givenUp: number
  overflow: number
}

export class AskFetches {
  readonly #items = new Map<MessageKey, AskItem>()
  readonly #peers = new Map<PeerId, AskPeer>()
  /** What is to be asked of each peer, until `flush`. */
  readonly #asking = new Map<PeerId, MessageKey[]>()
  readonly #onGivenUp: (item: AskItem) => void
  readonly counts: AskCounts = {
    asked: 0,
    answered: 0,
    late: 0,
    lacked: 0,
    timedOut: 0,
    unwanted: 0,
    givenUp: 0,
    overflow: 0,
  }

  constructor(onGivenUp: (item: AskItem) => void) {
    this.#onGivenUp = onGivenUp
  }

  get itemCount(): number {
    return this.#items.size
  }

  get peerCount(): number {
    return this.#peers.size
  }

  get items(): Iterable<AskItem> {
    return this.#items.values()
  }

  get(key: MessageKey): AskItem | undefined {
    return this.#items.get(key)
  }

  /** A peer that is known. */
  peer(id: PeerId): AskPeer | undefined {
    return this.#peers.get(id)
  }

  /** A peer that may be asked from now on. */
  meet(id: PeerId, nowMs: number): AskPeer {
    let peer = this.#peers.get(id)
    if (peer === undefined) {
      peer = new AskPeer(id, nowMs)
      this.#peers.set(id, peer)
    }
    peer.heardAtMs = nowMs
    peer.isGone = false
    return peer
  }

  /** A message that is new; undefined: there is no room. */
  create(announced: AnnouncedItem, owner: AskPeer, isJudging: boolean): AskItem | undefined {
    if (this.#items.size >= ITEMS_MAX || owner.owned >= ITEMS_MAX_PER_PEER) {
      this.counts.overflow++
      return undefined
    }
    owner.owned++
    const item = new AskItem(announced, owner, isJudging)
    this.#items.set(announced.key, item)
    return item
  }

  addHolder(item: AskItem, peer: AskPeer, nowMs: number): void {
    if (item.isJudging) return
    item.addHolder(peer)
    if (item.askedOf === undefined) this.#ask(item, nowMs)
  }

  /** Its payload is with the gate. */
  arrived(item: AskItem): void {
    this.#release(item)
    item.clearHolders()
    item.isJudging = true
  }

  /** Whoever waits for it is told. */
  giveUp(item: AskItem): void {
    this.counts.givenUp++
    this.forget(item)
    this.#onGivenUp(item)
  }

  /** It is waited for no more. */
  forget(item: AskItem): void {
    this.#release(item)
    this.#items.delete(item.announced.key)
    item.owner.owned--
  }

  /** Returns whether the peer has broken a promise. */
  lacked(from: PeerId, keys: readonly MessageKey[], nowMs: number): boolean {
    const peer = this.#peers.get(from)
    if (peer === undefined) return false
    let hasBroken = false
    for (const key of keys) {
      peer.answer(key, nowMs)
      const item = this.#items.get(key)
      if (item === undefined) continue
      const isAsked = item.askedOf === peer
      if (isAsked) {
        hasBroken ||= item.hinted !== peer
        this.counts.lacked++
        item.askedOf = undefined
      }
      item.removeHolder(peer)
      if (isAsked || item.waitsFor === peer) this.#ask(item, nowMs)
    }
    return hasBroken
  }

  gone(id: PeerId, nowMs: number): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    for (const key of peer.leave()) {
      const item = this.#items.get(key)
      if (item === undefined) continue
      item.askedOf = undefined
      this.#ask(item, nowMs)
    }
    if (peer.expire(nowMs)) this.#peers.delete(id)
  }

  /** @param onSilent asks have passed without any answer */
  tick(nowMs: number, onSilent: (peer: PeerId, askCount: number) => void): void {
    for (const [id, peer] of this.#peers) {
      this.#remind(peer, nowMs, onSilent)
      this.#refill(peer, nowMs)
      if (!peer.expire(nowMs)) continue
      peer.leave()
      this.#peers.delete(id)
    }
  }

  /** Tells what is to be asked of each peer since the last time. */
  flush(ask: (peer: PeerId, keys: MessageKey[]) => void): void {
    for (const [peer, keys] of this.#asking) ask(peer, keys)
    this.#asking.clear()
  }

  clear(): void {
    this.#items.clear()
    this.#peers.clear()
  }

  /** Asks the next holder that has room; when none has, the message waits for it at the first. */
  #ask(item: AskItem, nowMs: number): void {
    const { key } = item.announced
    this.#unwait(item)
    const holder = item.nextHolder()
    if (holder === undefined || item.tries >= TRIES_MAX) return this.giveUp(item)
    if (!holder.hasRoom) {
      item.waitsFor = holder
      holder.waiting.add(key)
      return
    }
    item.askedOf = holder
    item.tries++
    holder.ask(key, item.announced.sizeBytes, nowMs)
    this.counts.asked++
    const keys = this.#asking.get(holder.id)
    if (keys === undefined) this.#asking.set(holder.id, [key])
    else keys.push(key)
  }

  /** It is asked of nobody any more, and waits for nobody. */
  #release(item: AskItem): void {
    item.askedOf?.withdraw(item.announced.key)
    item.askedOf = undefined
    this.#unwait(item)
  }

  #unwait(item: AskItem): void {
    if (item.waitsFor === undefined) return
    item.waitsFor.waiting.delete(item.announced.key)
    item.waitsFor = undefined
  }

  #remind(peer: AskPeer, nowMs: number, onSilent: (peer: PeerId, askCount: number) => void): void {
    const due = peer.due(nowMs)
    if (due.length === 0) return
    this.counts.timedOut += due.length
    if (peer.blameSilence(nowMs)) onSilent(peer.id, due.length)
    for (const key of due) {
      const item = this.#items.get(key)
      if (item === undefined) continue
      this.#release(item)
      item.postpone(peer)
      this.#ask(item, nowMs)
    }
  }

  /** Asks for what has waited for room. */
  #refill(peer: AskPeer, nowMs: number): void {
    for (const key of peer.waiting) {
      if (!peer.hasRoom) return
      const item = this.#items.get(key)
      if (item !== undefined) this.#ask(item, nowMs)
    }
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    assert.ok(this.#items.size <= ITEMS_MAX)
    const owned = new Map<AskPeer, number>()
    let asked = 0
    let waiting = 0
    for (const [key, item] of this.#items) {
      item.check()
      assert.equal(item.announced.key, key)
      owned.set(item.owner, (owned.get(item.owner) ?? 0) + 1)
      if (item.askedOf !== undefined) asked++
      if (item.waitsFor !== undefined) waiting++
    }
    for (const [id, peer] of this.#peers) {
      peer.check()
      assert.equal(peer.id, id)
      assert.equal(peer.owned, owned.get(peer) ?? 0)
      assert.ok(peer.owned <= ITEMS_MAX_PER_PEER)
      asked -= peer.askedCount
      waiting -= peer.waiting.size
      owned.delete(peer)
    }
    assert.deepEqual([asked, waiting, owned.size], [0, 0, 0], 'peers and messages disagree')
  }
}
