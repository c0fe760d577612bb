/**
 * The asking side of one topic: a pure machine that fetches announced messages and decides which announcements go on.
 *
 *   announced → waiting (for room) → asked → (payload) → judging → settled
 *
 * Rules, each with what it answers (design, section 5; bitcoin's `txrequest.h` is the model):
 * - A message is asked of one peer at a time, of the one first that announced it first. Who announced it later, or
 *   passed the same announcement on, is remembered as a further holder (`ask-item.ts`).
 * - An ask that is due (`ask-peer.ts` says when) goes to the next holder, and to the same one again when there is no
 *   other. What comes late is taken all the same. After `TRIES_MAX` asks the message is given up; announced again, it
 *   is new.
 * - A peer that lets asks pass without any answer has broken a promise, and is blamed once for all that are due
 *   together. One that says it lacks what it announced is blamed, too: it has promised to keep it.
 * - Which announcements go on, and who announces what is accepted, `ask-batches.ts` decides. What was offered to us
 *   alone, and not by gossip, is announced by us when it is accepted. So nothing that nobody has judged is announced.
 * - A size is the claim of the one who announced it first. When it turns out to be false, that one is blamed, and not
 *   the one that sent the payload; and no announcement with another size than the true one goes on. Otherwise we would
 *   pass on a claim that our neighbours blame us for.
 * - At most `ITEMS_MAX_PER_PEER` messages are waited for on one peer's word, and `ITEMS_MAX` in all. Items beyond it are
 *   not asked for, and their announcement does not go on: a peer that announces what it does not have fills its own
 *   share only.
 * - A payload that nobody asked for is dropped, and blamed when its id means nothing to us.
 *
 * Nothing here looks at all messages: an event costs what it names, a tick what is due.
 */
import type { Offence } from '../core/offences.ts'
import type { MessageId, MessageKey, PeerId, Verdict } from '../core/types.ts'
import type { AnnouncedItem } from './announcement.ts'
import { AskBatches, type Batch, type BatchAction } from './ask-batches.ts'
import { type AskCounts, AskFetches } from './ask-fetches.ts'
import { idOf } from './ask-frame.ts'
import type { AskItem } from './ask-item.ts'
import type { AskPeer } from './ask-peer.ts'

/**
 * What this node makes of an id: never seen, waiting for its verdict (by whichever way it came), accepted and kept for
 * those who ask, or judged in another way or long ago.
 */
export type Standing = 'new' | 'judging' | 'accepted' | 'over'

export interface AsksOptions {
  /** Larger ones are not asked for. */
  readonly maxPayloadBytes: number
  /** How long an announcement may wait for its items; gossip forgets it afterwards. */
  readonly settleMs: number
  standingOf(key: MessageKey): Standing
  /** The size of an accepted message that is kept: announcements that claim another one do not go on. */
  sizeOf?(key: MessageKey): number | undefined
}

export type AsksEvent =
  /** @param ticket how gossip knows it; undefined for an offer, and for a further copy of what gossip has */
  | { type: 'announced'; from: PeerId; items: readonly AnnouncedItem[]; ticket: string | undefined }
  /** A further copy of an announcement: its sender holds the items, too. */
  | { type: 'echoed'; from: PeerId; items: readonly AnnouncedItem[] }
  | { type: 'payload'; from: PeerId; key: MessageKey; id: MessageId; payload: Uint8Array }
  | { type: 'lacked'; from: PeerId; keys: readonly MessageKey[] }
  /** Messages that a peer probably has, though it did not announce them: one that it sent waits for them. */
  | { type: 'wanted'; from: PeerId; keys: readonly MessageKey[] }
  /** The network's verdict on a message, however it came. */
  | { type: 'settled'; key: MessageKey; sizeBytes: number; verdict: Verdict }
  | { type: 'gone'; peer: PeerId }
  | { type: 'tick' }
  | { type: 'close' }

export type AsksAction =
  | { type: 'ask'; peer: PeerId; keys: MessageKey[] }
  | { type: 'deliver'; from: PeerId; key: MessageKey; id: MessageId; payload: Uint8Array }
  | BatchAction
  | { type: 'offence'; peer: PeerId; offence: Offence; detail: string }

export class Asks {
  readonly #options: AsksOptions
  readonly #batches: AskBatches
  readonly #fetches: AskFetches
  #actions: AsksAction[] = []

  constructor(options: AsksOptions) {
    this.#options = options
    this.#batches = new AskBatches(options.settleMs)
    this.#fetches = new AskFetches(item => this.#closePlaces(item, false))
  }

  get counts(): Readonly<AskCounts> {
    return this.#fetches.counts
  }

  /** Messages that are waited for or judged. */
  get itemCount(): number {
    return this.#fetches.itemCount
  }

  /** Peers that are remembered. */
  get peerCount(): number {
    return this.#fetches.peerCount
  }

  handle(event: AsksEvent, nowMs: number): AsksAction[] {
    this.#actions = []
    switch (event.type) {
      case 'announced':
        this.#onAnnounced(event, nowMs)
        break
      case 'echoed':
        this.#onEchoed(event, nowMs)
        break
      case 'payload':
        this.#onPayload(event, nowMs)
        break
      case 'lacked':
        this.#onLacked(event, nowMs)
        break
      case 'wanted':
        this.#onWanted(event, nowMs)
        break
      case 'settled':
        this.#onSettled(event)
        break
      case 'gone':
        this.#fetches.gone(event.peer, nowMs)
        break
      case 'tick':
        this.#onTick(nowMs)
        break
      case 'close':
        this.#onClose()
        break
      default:
        event satisfies never
    }
    this.#fetches.flush((peer, keys) => this.#actions.push({ type: 'ask', peer, keys }))
    return this.#actions
  }

  #onAnnounced(event: Extract<AsksEvent, { type: 'announced' }>, nowMs: number): void {
    const { items, ticket } = event
    const from = this.#fetches.meet(event.from, nowMs)
    const batch =
      ticket === undefined ? undefined : this.#batches.open(from, ticket, items.length, nowMs, this.#actions)
    for (const announced of items) {
      const isGood = this.#onItem(announced, from, batch, nowMs)
      if (!isGood && batch !== undefined) this.#batches.fail(batch, this.#actions)
    }
    if (batch !== undefined) this.#batches.seal(batch, this.#actions)
  }

  /** Returns whether its announcement may go on as far as it is concerned. */
  #onItem(announced: AnnouncedItem, from: AskPeer, batch: Batch | undefined, nowMs: number): boolean {
    const { key, sizeBytes } = announced
    if (sizeBytes > this.#options.maxPayloadBytes) return false
    let item = this.#fetches.get(key)
    if (item === undefined) {
      const standing = this.#options.standingOf(key)
      if (standing === 'accepted') return (this.#options.sizeOf?.(key) ?? sizeBytes) === sizeBytes
      if (standing === 'over') return false
      item = this.#fetches.create(announced, from, standing === 'judging')
      if (item === undefined) return false
      item.claimedBy = from
    } else if (item.claimedBy === undefined && !item.isJudging) {
      item.announced = announced
      item.claimedBy = from
    }
    if (item.hinted === from) item.hinted = undefined
    if (batch !== undefined && !batch.isSettled) {
      this.#batches.place(batch)
      item.batches.push(batch)
    }
    this.#fetches.addHolder(item, from, nowMs)
    return item.announced.sizeBytes === sizeBytes
  }

  #onEchoed(event: Extract<AsksEvent, { type: 'echoed' }>, nowMs: number): void {
    let from: AskPeer | undefined
    for (const announced of event.items) {
      const item = this.#fetches.get(announced.key)
      if (item?.isJudging) continue
      if (item === undefined && this.#options.standingOf(announced.key) !== 'new') continue
      from ??= this.#fetches.meet(event.from, nowMs)
      if (item === undefined) {
        // Given up before its sender was heard of.
        this.#onItem(announced, from, undefined, nowMs)
        continue
      }
      if (item.hinted === from) item.hinted = undefined
      this.#fetches.addHolder(item, from, nowMs)
    }
  }

  #onWanted(event: Extract<AsksEvent, { type: 'wanted' }>, nowMs: number): void {
    for (const key of event.keys) {
      if (this.#fetches.get(key) !== undefined || this.#options.standingOf(key) !== 'new') continue
      const from = this.#fetches.meet(event.from, nowMs)
      const item = this.#fetches.create({ key, id: idOf(key), sizeBytes: 0 }, from, false)
      if (item === undefined) return
      item.hinted = from
      this.#fetches.addHolder(item, from, nowMs)
    }
  }

  #onPayload(event: Extract<AsksEvent, { type: 'payload' }>, nowMs: number): void {
    const { from, key, id, payload } = event
    const item = this.#fetches.get(key)
    const peer = this.#fetches.peer(from)
    const isAnswer = peer?.answer(key, nowMs) ?? false
    if (item === undefined || item.isJudging) {
      this.#fetches.counts.unwanted++
      if (item !== undefined || isAnswer || this.#options.standingOf(key) !== 'new') return
      return this.#blame(from, 'ask-unwanted', 'a payload that nobody asked for')
    }
    if (peer === undefined || (!isAnswer && !item.holds(peer))) {
      this.#fetches.counts.unwanted++
      return this.#blame(from, 'ask-unwanted', 'a payload that it was not asked for')
    }
    if (item.askedOf === peer) this.#fetches.counts.answered++
    else this.#fetches.counts.late++
    this.#learnSize(item, payload.byteLength)
    if (payload.byteLength > this.#options.maxPayloadBytes) return this.#fetches.giveUp(item)
    this.#fetches.arrived(item)
    this.#actions.push({ type: 'deliver', from, key, id, payload })
  }

  /** The true size of a message is known. */
  #learnSize(item: AskItem, sizeBytes: number): void {
    const { announced, claimedBy, batches } = item
    if (announced.sizeBytes === sizeBytes) return
    item.announced = { ...announced, sizeBytes }
    if (claimedBy !== undefined) {
      this.#blame(claimedBy.id, 'ask-size', `${sizeBytes} bytes instead of ${announced.sizeBytes}`)
    }
    for (const batch of batches) this.#batches.fail(batch, this.#actions)
  }

  #onSettled({ key, sizeBytes, verdict }: Extract<AsksEvent, { type: 'settled' }>): void {
    const item = this.#fetches.get(key)
    if (item === undefined) return
    this.#fetches.forget(item)
    const isAccepted = verdict === 'accept'
    if (isAccepted) {
      this.#learnSize(item, sizeBytes)
      this.#batches.carry(item.announced, item.batches, this.#actions)
    }
    this.#closePlaces(item, isAccepted)
  }

  #closePlaces(item: AskItem, isAccepted: boolean): void {
    for (const batch of item.batches) this.#batches.close(batch, isAccepted, this.#actions)
  }

  #onLacked({ from, keys }: Extract<AsksEvent, { type: 'lacked' }>, nowMs: number): void {
    const hasBroken = this.#fetches.lacked(from, keys, nowMs)
    if (hasBroken) this.#blame(from, 'ask-lacked', 'it does not have what it announced')
  }

  #onTick(nowMs: number): void {
    this.#fetches.tick(nowMs, (peer, count) =>
      this.#blame(peer, 'timeout', `${count} asks without an answer`),
    )
    this.#batches.expire(nowMs, this.#actions)
  }

  #onClose(): void {
    this.#batches.clear(this.#actions)
    this.#fetches.clear()
  }

  #blame(peer: PeerId, offence: Offence, detail: string): void {
    this.#actions.push({ type: 'offence', peer, offence, detail })
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    this.#fetches.check()
    this.#batches.check([...this.#fetches.items].flatMap(({ batches }) => batches))
  }
}
