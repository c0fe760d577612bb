/**
 * The actor of announced messages: it publishes announcements, asks for what others announce, and answers asks.
 *
 * Rules:
 * - What to ask of whom, and which announcement goes on, is decided by `asks.ts`, one machine for each topic; when own
 *   announcements leave, by `announcer.ts`. This file carries it out.
 * - Every accepted message of a topic is kept for those who ask (`payload-store.ts`), however it came, and offered to
 *   each peer that connects: the ids of the last `OFFER_MS`, at most `OFFERS_MAX`. So a short partition loses nothing.
 * - An id is not offered to a peer that is known to have it (`known.ts`).
 * - Gossip takes the same bytes once. An announcement that it has had from somebody else, who may have been ignored or
 *   have nothing, is offered to the neighbours one by one instead: or whoever names an id first could silence it.
 * - A peer to which no frame can be sent counts as gone until its channel opens again.
 */
import { messageId, messageKey } from '../core/hash.ts'
import type { Offence } from '../core/offences.ts'
import type { Channel, Clock, Log, PubSub, RandomSource } from '../core/ports.ts'
import type { MessageId, MessageKey, PeerId, Topic, Verdict } from '../core/types.ts'
import { type AnnouncedItem, announceTopic, encodeItems, ITEMS_MAX } from './announcement.ts'
import { Announcer } from './announcer.ts'
import { ASK_ITEMS_MAX, ASK_PAYLOAD_MAX_BYTES, type AskFrame, encodeAskFrame } from './ask-frame.ts'
import { Asks, type AsksAction, type Standing } from './asks.ts'
import { Giver } from './giver.ts'
import { Known } from './known.ts'
import { PayloadStore } from './payload-store.ts'
import type { AskingCounts } from './spread-metrics.ts'

/** How long a payload is kept for those who ask: announcing is a promise. */
export const KEEP_MS = 60_000

const OFFER_MS = 60_000
const OFFERS_MAX = 10_000

export interface AskingParts {
  readonly channel: Channel
  readonly pubsub: PubSub
  readonly clock: Clock
  readonly log: Log
  readonly random: RandomSource
}

export interface AskingEvents {
  /** A message that was asked for is there. Its bytes are a view of a frame of at most 32 KiB, or of its own. */
  deliver(topic: Topic, message: { id: MessageId; key: MessageKey; payload: Uint8Array; from: PeerId }): void
  /** Whether a message waits for its verdict or has had it; `accepted` is answered here. */
  standingOf(topic: Topic, key: MessageKey): Exclude<Standing, 'accepted'>
  offence(peer: PeerId, offence: Offence, detail: string): void
}

export interface AskedTopic {
  readonly maxPayloadBytes: number
  readonly settleMs: number
  readonly keepMaxBytes: number
  /** Announcements travel by gossip; else messages are only offered and asked for. */
  readonly isAnnounced: boolean
}

interface TopicState {
  readonly topic: Topic
  readonly isAnnounced: boolean
  readonly asks: Asks
  readonly store: PayloadStore
  /** For our own messages, and for those of others that we announce anew: items of one origin stay together. */
  readonly own: Announcer
  readonly anew: Announcer
  cancelTimer: (() => void) | undefined
  timerAtMs: number
}

export class Asking {
  readonly #parts: AskingParts
  readonly #events: AskingEvents
  readonly #topics = new Map<Topic, TopicState>()
  readonly #peers = new Set<PeerId>()
  readonly #giver: Giver
  readonly #known: Known

  constructor(parts: AskingParts, events: AskingEvents) {
    this.#parts = parts
    this.#events = events
    this.#giver = new Giver(parts.channel, (topic, key) => this.#topics.get(topic)?.store.get(key)?.payload)
    this.#known = new Known({ idsMax: 20_000, peersMax: 512, ttlMs: OFFER_MS }, parts.random)
  }

  add(topic: Topic, { maxPayloadBytes, settleMs, keepMaxBytes, isAnnounced }: AskedTopic): void {
    const store = new PayloadStore({ keepMs: KEEP_MS, maxCount: 500_000, maxBytes: keepMaxBytes })
    const asks = new Asks({
      maxPayloadBytes: Math.min(maxPayloadBytes, ASK_PAYLOAD_MAX_BYTES),
      settleMs,
      sizeOf: key => store.get(key)?.payload.byteLength,
      standingOf: key => (store.has(key) ? 'accepted' : this.#events.standingOf(topic, key)),
    })
    this.#topics.set(topic, {
      topic,
      isAnnounced,
      asks,
      store,
      own: new Announcer(),
      anew: new Announcer(),
      cancelTimer: undefined,
      timerAtMs: 0,
    })
  }

  remove(topic: Topic): void {
    const state = this.#topics.get(topic)
    if (state === undefined) return
    this.#topics.delete(topic)
    state.cancelTimer?.()
    this.#run(state, state.asks.handle({ type: 'close' }, this.#nowMs()))
  }

  counts(topic: Topic): AskingCounts | undefined {
    const state = this.#topics.get(topic)
    if (state === undefined) return undefined
    const { asks, store } = state
    const { count: kept, bytes: keptBytes, brokenCount: broken } = store
    return { ...asks.counts, waiting: asks.itemCount, kept, keptBytes, broken }
  }

  /** Payloads given to peers that asked, over all topics. */
  get given(): { given: number; givenBytes: number; lacking: number } {
    return this.#giver.counts
  }

  payloadOf(topic: Topic, key: MessageKey): Uint8Array | undefined {
    return this.#topics.get(topic)?.store.get(key)?.payload
  }

  /**
   * A message of our own: kept, and announced in a moment.
   * @returns to how many neighbours; 0: nobody is there to hear of it, or it could not be kept
   */
  async propagate(topic: Topic, key: MessageKey, id: MessageId, payload: Uint8Array): Promise<number> {
    const state = this.#topics.get(topic)
    if (state === undefined) return 0
    const item = { key, id, sizeBytes: payload.byteLength }
    const audience = this.#audience(topic).length
    if (audience === 0) {
      // Gossip waits a while for somebody who has just connected.
      const recipients = await this.#publish(state, [item])
      if (recipients > 0) state.store.put(key, { id, payload }, this.#nowMs())
      return recipients
    }
    if (!state.store.put(key, { id, payload }, this.#nowMs())) return 0
    this.#announce(state, state.own, item)
    return audience
  }

  #audience(topic: Topic): readonly PeerId[] {
    const name = announceTopic(topic)
    const { pubsub } = this.#parts
    const mesh = pubsub.meshPeers(name)
    return mesh.length > 0 ? mesh : pubsub.subscribers(name)
  }

  /** Keeps a message of our own that travels in another way, for those who ask later. */
  keep(topic: Topic, key: MessageKey, id: MessageId, payload: Uint8Array): void {
    this.#topics.get(topic)?.store.put(key, { id, payload }, this.#nowMs())
  }

  /** An announcement came, by gossip (with its ticket) or for us alone. */
  announced(topic: Topic, from: PeerId, items: readonly AnnouncedItem[], ticket: string | undefined): void {
    const state = this.#topics.get(topic)
    const nowMs = this.#nowMs()
    if (state === undefined) return
    this.#remember(state, from, items, nowMs)
    // To whom no frame can be sent, nobody can be asked through.
    if (!this.#peers.has(from)) {
      if (ticket !== undefined) this.#parts.pubsub.settle(announceTopic(topic), ticket, from, 'ignore')
      return
    }
    this.#run(state, state.asks.handle({ type: 'announced', from, items, ticket }, nowMs))
  }

  /** A peer has passed on an announcement that was there before. */
  echoed(topic: Topic, from: PeerId, items: readonly AnnouncedItem[]): void {
    const state = this.#topics.get(topic)
    const nowMs = this.#nowMs()
    if (state === undefined || !this.#peers.has(from)) return
    this.#remember(state, from, items, nowMs)
    this.#run(state, state.asks.handle({ type: 'echoed', from, items }, nowMs))
  }

  /** Messages that a peer probably has, and that others wait for. */
  want(topic: Topic, from: PeerId, keys: readonly MessageKey[]): void {
    const state = this.#topics.get(topic)
    if (state === undefined || !this.#peers.has(from)) return
    this.#run(state, state.asks.handle({ type: 'wanted', from, keys }, this.#nowMs()))
  }

  /**
   * The network's verdict on a message, however it came.
   * @param isAnnounced it came in another way and nobody announces it, but it is to be announced now
   */
  settled(
    topic: Topic,
    { key, id, payload, verdict }: { key: MessageKey; id: MessageId; payload: Uint8Array; verdict: Verdict },
    isAnnounced = false,
  ): void {
    const state = this.#topics.get(topic)
    if (state === undefined) return
    const nowMs = this.#nowMs()
    const sizeBytes = payload.byteLength
    if (verdict === 'accept') state.store.put(key, { id, payload }, nowMs)
    this.#run(state, state.asks.handle({ type: 'settled', key, sizeBytes, verdict }, nowMs))
    if (isAnnounced) this.#announceAnew(state, { key, id, sizeBytes })
  }

  opened(peer: PeerId): void {
    this.#peers.add(peer)
    for (const state of this.#topics.values()) this.#offer(state, peer)
  }

  closed(peer: PeerId): void {
    if (!this.#peers.delete(peer)) return
    this.#giver.forget(peer)
    this.#known.forget(peer)
    const nowMs = this.#nowMs()
    for (const state of this.#topics.values())
      this.#run(state, state.asks.handle({ type: 'gone', peer }, nowMs))
  }

  drained(peer: PeerId): void {
    this.#giver.serve(peer)
  }

  /** A frame without its offer, which the caller reads: it may be for another part. */
  frame(peer: PeerId, frame: AskFrame): void {
    const state = this.#topics.get(frame.topic)
    if (state === undefined || !this.#peers.has(peer)) return
    const nowMs = this.#nowMs()
    if (frame.ask.length > 0) this.#giver.asked(peer, frame.topic, frame.ask)
    for (const payload of frame.payloads) {
      const id = messageId(frame.topic, payload)
      const key = messageKey(id)
      if (!state.isAnnounced) this.#known.add(peer, key, nowMs)
      this.#run(state, state.asks.handle({ type: 'payload', from: peer, key, id, payload }, nowMs))
    }
    if (frame.lack.length > 0) {
      this.#run(state, state.asks.handle({ type: 'lacked', from: peer, keys: frame.lack }, nowMs))
    }
  }

  /** A peer has these. Only who may be offered something is remembered: not where all is announced to all. */
  #remember(state: TopicState, from: PeerId, items: readonly AnnouncedItem[], nowMs: number): void {
    state.own.hear()
    state.anew.hear()
    if (state.isAnnounced && this.#peers.has(from)) return
    for (const { key } of items) this.#known.add(from, key, nowMs)
  }

  tick(): void {
    const nowMs = this.#nowMs()
    for (const state of this.#topics.values()) {
      state.store.tick(nowMs)
      this.#run(state, state.asks.handle({ type: 'tick' }, nowMs))
    }
    for (const peer of this.#peers) this.#giver.serve(peer)
  }

  #run(state: TopicState, actions: AsksAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'ask':
          this.#ask(state, action.peer, action.keys)
          break
        case 'deliver':
          this.#events.deliver(state.topic, action)
          break
        case 'settle': {
          const { ticket, from, verdict } = action
          this.#parts.pubsub.settle(announceTopic(state.topic), ticket, from, verdict)
          break
        }
        case 'announce':
          this.#announceAnew(state, action.item)
          break
        case 'offence':
          this.#events.offence(action.peer, action.offence, action.detail)
          break
        default:
          action satisfies never
      }
    }
  }

  #ask(state: TopicState, peer: PeerId, keys: readonly MessageKey[]): void {
    for (let at = 0; at < keys.length; at += ASK_ITEMS_MAX) {
      const ask = keys.slice(at, at + ASK_ITEMS_MAX)
      // Refused for want of room: the ask is due later, and then somebody else is asked.
      this.#parts.channel.send(peer, encodeAskFrame(state.topic, { ask }))
    }
  }

  #announceAnew(state: TopicState, item: AnnouncedItem): void {
    if (state.isAnnounced) return this.#announce(state, state.anew, item)
    this.#tellEach(state, this.#peers, [item])
  }

  /** Offers to peers one by one what they are not known to have. */
  #tellEach(state: TopicState, peers: Iterable<PeerId>, items: readonly AnnouncedItem[]): void {
    const nowMs = this.#nowMs()
    for (const peer of peers) {
      const news = items.filter(({ key }) => !this.#known.has(peer, key, nowMs))
      if (news.length === 0) continue
      this.#parts.channel.send(peer, encodeAskFrame(state.topic, { offer: encodeItems(news) }))
    }
  }

  #announce(state: TopicState, announcer: Announcer, item: AnnouncedItem): void {
    const nowMs = this.#nowMs()
    announcer.add(item, nowMs)
    this.#leave(state, announcer, nowMs)
    this.#wind(state, nowMs)
  }

  /** Publishes what is due. */
  #leave(state: TopicState, announcer: Announcer, nowMs: number): void {
    for (let items = announcer.take(nowMs); items !== undefined; items = announcer.take(nowMs)) {
      void this.#publish(state, items)
    }
  }

  async #publish(state: TopicState, items: readonly AnnouncedItem[]): Promise<number> {
    const { topic } = state
    const name = announceTopic(topic)
    const payload = encodeItems(items)
    try {
      const options = { id: messageId(name, payload), toAll: false }
      const { seen, recipients } = await this.#parts.pubsub.publish(name, payload, options)
      if (seen) this.#tellEach(state, this.#audience(topic), items)
      return recipients
    } catch (error) {
      // The node was stopped, or gossip has no room. Those who connect are offered the ids.
      this.#parts.log.debug('an announcement was not published', { topic, reason: (error as Error).message })
      return 0
    }
  }

  /** Sets the timer to when the next announcement is due. */
  #wind(state: TopicState, nowMs: number): void {
    const dueAtMs = Math.min(
      state.own.dueAtMs ?? Number.POSITIVE_INFINITY,
      state.anew.dueAtMs ?? Number.POSITIVE_INFINITY,
    )
    if (dueAtMs === Number.POSITIVE_INFINITY) return
    if (state.cancelTimer !== undefined && state.timerAtMs <= dueAtMs) return
    state.cancelTimer?.()
    state.timerAtMs = dueAtMs
    state.cancelTimer = this.#parts.clock.after(Math.max(0, dueAtMs - nowMs), () => {
      state.cancelTimer = undefined
      const laterMs = Math.max(this.#nowMs(), dueAtMs)
      this.#leave(state, state.own, laterMs)
      this.#leave(state, state.anew, laterMs)
      this.#wind(state, laterMs)
    })
  }

  /** What was accepted a short while ago, and the peer may have missed. */
  #offer(state: TopicState, peer: PeerId): void {
    const nowMs = this.#nowMs()
    // Of many the newest: what was missed was missed a moment ago.
    let skip = Math.max(0, state.store.count - OFFERS_MAX)
    let items: AnnouncedItem[] = []
    const leave = (): void => {
      if (items.length > 0)
        this.#parts.channel.send(peer, encodeAskFrame(state.topic, { offer: encodeItems(items) }))
      items = []
    }
    for (const { id, payload } of state.store.since(nowMs - OFFER_MS)) {
      const key = messageKey(id)
      if (skip-- > 0) continue
      if (payload.byteLength > ASK_PAYLOAD_MAX_BYTES || this.#known.has(peer, key, nowMs)) continue
      items.push({ key, id, sizeBytes: payload.byteLength })
      if (items.length === ITEMS_MAX) leave()
    }
    leave()
  }

  #nowMs(): number {
    return this.#parts.clock.nowMs()
  }
}
