/**
 * How messages travel beside gossip: what is announced first, and fetched by those who lack it.
 *
 *   flood   the payload in the gossip message itself: not here, but in `router.ts`
 *   ask     ids in an announcement; each neighbour asks for what it lacks (`asking.ts`)
 *   swarm   the head of a payload in an announcement; chunks between neighbours (`swarming.ts`)
 *
 * Rules:
 * - Announcements travel by gossip on `<topic>/announce`, which is joined with every topic whose mode is not `flood`.
 *   One that does not decode is rejected, and costs the peer that sent it.
 * - Copies of an announcement say who else has what it names; the last `ANNOUNCEMENTS_MAX` are remembered for that.
 * - Both protocols have a channel of their own, so that a small answer does not stand behind a large chunk. Channels are
 *   opened to every peer that has shaken hands; one that closes is opened again after `REOPEN_MS`, as long as the peer is
 *   there. A peer that speaks neither takes part in flood topics all the same.
 */
import type { Offence } from '../core/offences.ts'
import type {
  Channel,
  Clock,
  GossipMessage,
  Host,
  Log,
  Metrics,
  PublishResult,
  PubSub,
  RandomSource,
  Signer,
} from '../core/ports.ts'
import type { MessageId, MessageKey, PeerId, Topic, Transfer, Verdict } from '../core/types.ts'
import type { HeaderOf, Preview, TopicLimits } from '../core/upper.ts'
import {
  ANNOUNCE_SUFFIX,
  ANNOUNCEMENT_MAX_BYTES,
  type Announcement,
  announceTopic,
  readAnnouncement,
} from './announcement.ts'
import { ASK_FRAME_MAX_BYTES, ASK_PAYLOAD_MAX_BYTES, encodeAskFrame, readAskFrame } from './ask-frame.ts'
import { Asking } from './asking.ts'
import { EarlyOffers } from './early-offers.ts'
import { type SpreadReading, spreadMetrics } from './spread-metrics.ts'
import { SWARM_FRAME_MAX_BYTES } from './swarm-frame.ts'
import { Swarming } from './swarming.ts'

/** The ways that a single message can take. */
export type Way = 'flood' | 'ask' | 'swarm'

export interface SpreadParts {
  readonly network: string
  readonly host: Pick<Host, 'channel'>
  readonly pubsub: PubSub
  readonly signer: Signer
  readonly clock: Clock
  readonly log: Log
  readonly random: RandomSource
  readonly metrics: Metrics
  /** Told what came from whom by other ways than gossip; for those who look on. */
  readonly onTransfer?: ((transfer: Transfer) => void) | undefined
}

/** A message that came by another way than gossip. */
export interface Arrival {
  readonly id: MessageId
  readonly key: MessageKey
  readonly payload: Uint8Array
  readonly from: PeerId
}

/** A message of ours. */
export interface OwnMessage {
  readonly id: MessageId
  readonly key: MessageKey
  readonly payload: Uint8Array
  /** For a swarm. */
  readonly header: Uint8Array
}

export interface SpreadEvents {
  /** @param isVouched its header was accepted before */
  deliver(topic: Topic, arrival: Arrival, isVouched: boolean): void
  /** Asks the upper layer about a header, within the topic's time. Never rejects. */
  quick(topic: Topic, from: PeerId, preview: Preview): Promise<Verdict>
  standingOf(topic: Topic, key: MessageKey): 'new' | 'judging' | 'over'
  offence(peer: PeerId, offence: Offence, detail: string): void
}

export interface SpreadTopic {
  readonly limits: TopicLimits
  readonly hasQuick: boolean
  readonly header: HeaderOf | undefined
}

const ANNOUNCEMENTS_MAX = 4_096

const REOPEN_MS = 1_000

/** What may wait in an ask channel: several of the largest frames. */
const ASK_WAITING_MAX_BYTES = 4 * ASK_FRAME_MAX_BYTES

/** Windows keep swarms far below this. */
const SWARM_WAITING_MAX_BYTES = 16 * 1_024 * 1_024

export class Spread {
  readonly #parts: SpreadParts
  readonly #events: SpreadEvents
  readonly #topics = new Map<Topic, SpreadTopic>()
  readonly #peers = new Set<PeerId>()
  readonly #early = new EarlyOffers()
  readonly #channels: readonly Channel[]
  /** What came by gossip lately, oldest first, by its ticket. */
  readonly #announcements = new Map<string, { readonly topic: Topic; readonly content: Announcement }>()
  /** Announcements that came. */
  readonly #announced = { items: 0, swarm: 0, offers: 0, malformed: 0 }
  readonly asking: Asking
  readonly swarming: Swarming

  constructor(parts: SpreadParts, events: SpreadEvents) {
    this.#parts = parts
    this.#events = events
    const { network, host } = parts
    const offence: SpreadEvents['offence'] = (...told) => events.offence(...told)
    const ask = host.channel(
      `/floodgate/${network}/ask/1`,
      { frameMaxBytes: ASK_FRAME_MAX_BYTES, waitingMaxBytes: ASK_WAITING_MAX_BYTES },
      {
        opened: peer => this.#onAskOpen(peer),
        closed: peer => this.#onClosed(peer, ask, 'items', () => this.asking.closed(peer)),
        drained: peer => this.asking.drained(peer),
        frame: (peer, frame) => this.#onAskFrame(peer, frame),
      },
    )
    const swarm = host.channel(
      `/floodgate/${network}/swarm/1`,
      { frameMaxBytes: SWARM_FRAME_MAX_BYTES, waitingMaxBytes: SWARM_WAITING_MAX_BYTES },
      {
        opened: peer => this.#onSwarmOpen(peer),
        closed: peer => this.#onClosed(peer, swarm, 'swarm', () => this.swarming.closed(peer)),
        drained: () => {},
        frame: (peer, frame) => this.swarming.frame(peer, frame),
      },
    )
    this.#channels = [ask, swarm]
    this.asking = new Asking(
      { ...parts, channel: ask },
      {
        deliver: (topic, arrival) => {
          const { id, from, payload } = arrival
          parts.onTransfer?.({ topic, id, index: 0, count: 1, from, sizeBytes: payload.byteLength })
          events.deliver(topic, arrival, false)
        },
        standingOf: (topic, key) => events.standingOf(topic, key),
        offence,
      },
    )
    this.swarming = new Swarming(
      { ...parts, channel: swarm },
      {
        quick: (topic, from, preview) => events.quick(topic, from, preview),
        deliver: (topic, arrival, isVouched) => events.deliver(topic, arrival, isVouched),
        isKnown: (topic, key) => events.standingOf(topic, key) !== 'new',
        offer: (peer, topic, offer) => void ask.send(peer, encodeAskFrame(topic, { offer })),
        offence,
      },
    )
    spreadMetrics(parts.metrics, () => this.#reading())
  }

  /** Joins a topic's announcements, unless its messages are flooded only. */
  add(topic: Topic, setup: SpreadTopic): void {
    const { mode, maxPayloadBytes, verdictTimeoutMs, keepMaxBytes } = setup.limits
    const isAnnounced = mode !== 'flood'
    const shared = { maxPayloadBytes, settleMs: verdictTimeoutMs }
    this.#topics.set(topic, setup)
    this.asking.add(topic, { ...shared, keepMaxBytes, isAnnounced })
    this.swarming.add(topic, { ...shared, hasQuick: setup.hasQuick, header: setup.header })
    if (!isAnnounced) return
    const options = { maxPayloadBytes: ANNOUNCEMENT_MAX_BYTES, toAll: false, echoes: true }
    this.#parts.pubsub.subscribe(announceTopic(topic), options)
  }

  remove(topic: Topic): void {
    const setup = this.#topics.get(topic)
    if (setup === undefined) return
    this.close(topic)
    if (setup.limits.mode !== 'flood') this.#parts.pubsub.unsubscribe(announceTopic(topic))
  }

  /** Settles what is open; gossip is not told to leave the topic. */
  close(topic: Topic): void {
    this.#topics.delete(topic)
    this.asking.remove(topic)
    this.swarming.remove(topic)
  }

  /** Which way a payload of ours takes. Whom nobody could ask, because nobody is there to hear of it, is flooded. */
  wayOf(topic: Topic, sizeBytes: number): Way {
    const limits = this.#topics.get(topic)?.limits
    if (limits === undefined || limits.mode === 'flood') return 'flood'
    const { mode, askFromBytes, swarmFromBytes } = limits
    if (mode === 'swarm') return 'swarm'
    if (sizeBytes > ASK_PAYLOAD_MAX_BYTES) return 'swarm'
    if (mode === 'ask') return 'ask'
    if (sizeBytes >= swarmFromBytes) return 'swarm'
    return sizeBytes >= askFromBytes ? 'ask' : 'flood'
  }

  /**
   * Hands a message of ours out.
   * @param toAll when it is flooded: to every subscriber
   * @returns to how many peers it, or its announcement, was handed
   */
  async propagate(
    topic: Topic,
    way: Way,
    { id, key, payload, header }: OwnMessage,
    toAll: boolean,
  ): Promise<PublishResult> {
    if (way === 'ask')
      return { seen: false, recipients: await this.asking.propagate(topic, key, id, payload) }
    const result =
      way === 'flood'
        ? await this.#parts.pubsub.publish(topic, payload, { id, toAll })
        : { seen: false, recipients: await this.swarming.propagate(topic, id, payload, header) }
    if (result.recipients > 0) this.asking.keep(topic, key, id, payload)
    return result
  }

  /** @returns whether it was an announcement, and is settled here */
  receive({ topic: name, payload, from, ticket }: GossipMessage): boolean {
    if (!name.endsWith(ANNOUNCE_SUFFIX)) return false
    const topic = name.slice(0, -ANNOUNCE_SUFFIX.length)
    const mode = this.#topics.get(topic)?.limits.mode
    if (mode === undefined || mode === 'flood') return false
    const { value: content, problem } = readAnnouncement(payload)
    if (content === undefined) {
      this.#announced.malformed++
      this.#events.offence(from, 'ask-malformed', `${name}: ${problem}`)
      this.#parts.pubsub.settle(name, ticket, from, 'reject')
      return true
    }
    this.#announced[content.type]++
    this.#remember(ticket, topic, content)
    this.#onContent(topic, from, content, ticket)
    return true
  }

  /** A further copy of what came by gossip. */
  echo(ticket: string, from: PeerId): void {
    const known = this.#announcements.get(ticket)
    if (known === undefined) return
    const { topic, content } = known
    if (content.type === 'items') this.asking.echoed(topic, from, content.items)
    else this.swarming.echoed(topic, from, content.swarm)
  }

  connected(peer: PeerId): void {
    this.#peers.add(peer)
    this.#early.add(peer)
    for (const channel of this.#channels) void channel.open(peer)
  }

  disconnected(peer: PeerId): void {
    this.#peers.delete(peer)
    this.#early.remove(peer)
  }

  tick(): void {
    this.asking.tick()
    this.swarming.tick()
  }

  #remember(ticket: string, topic: Topic, content: Announcement): void {
    this.#announcements.set(ticket, { topic, content })
    if (this.#announcements.size <= ANNOUNCEMENTS_MAX) return
    for (const oldest of this.#announcements.keys()) {
      this.#announcements.delete(oldest)
      return
    }
  }

  #onContent(topic: Topic, from: PeerId, content: Announcement, ticket: string | undefined): void {
    // What came too early is ignored where it came by gossip, and looked at again as an offer.
    if (this.#early.keep(from, topic, content) && ticket === undefined) return
    if (content.type === 'items') this.asking.announced(topic, from, content.items, ticket)
    else this.swarming.announced(topic, from, content.swarm, ticket)
  }

  #reading(): SpreadReading {
    const { machine } = this.swarming
    const topics = [...this.#topics.keys()].map(topic => ({ topic, counts: this.asking.counts(topic) }))
    const swarms = { ...machine.counts, running: machine.size, windows: machine.windows() }
    return { announced: this.#announced, topics, given: this.asking.given, swarms }
  }

  #onAskOpen(peer: PeerId): void {
    this.asking.opened(peer)
    this.#takeEarly(peer, 'items')
    this.swarming.offerTo(peer)
  }

  #onSwarmOpen(peer: PeerId): void {
    this.swarming.opened(peer)
    this.#takeEarly(peer, 'swarm')
  }

  #takeEarly(peer: PeerId, type: Announcement['type']): void {
    for (const { topic, content } of this.#early.open(peer, type))
      this.#onContent(topic, peer, content, undefined)
  }

  #onAskFrame(peer: PeerId, bytes: Uint8Array): void {
    if (!this.#peers.has(peer)) return
    const { value: frame, problem } = readAskFrame(bytes)
    if (frame === undefined) return this.#events.offence(peer, 'ask-malformed', problem)
    this.asking.frame(peer, frame)
    if (frame.offer.byteLength === 0 || !this.#topics.has(frame.topic)) return
    const offered = readAnnouncement(frame.offer)
    if (offered.value === undefined) {
      this.#announced.malformed++
      return this.#events.offence(peer, 'ask-malformed', offered.problem)
    }
    this.#announced.offers++
    this.#onContent(frame.topic, peer, offered.value, undefined)
  }

  #onClosed(peer: PeerId, channel: Channel, type: Announcement['type'], tell: () => void): void {
    tell()
    if (!this.#peers.has(peer)) return
    this.#early.close(peer, type)
    this.#parts.clock.after(REOPEN_MS, () => {
      if (this.#peers.has(peer)) void channel.open(peer)
    })
  }
}
