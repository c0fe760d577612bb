/**
 * gossipsub behind the `PubSub` port. It maps gossip onto the gate and nothing more. What comes in passes
 * `gossip-guard.ts` first; what the library does not look after by itself, `gossip-upkeep.ts` does.
 *
 * Rules, each with the trap of gossipsub 17.1.1 that it answers (all tried; each has a test):
 * - The verdict is ours: `asyncValidation` with `reportMessageValidationResult`. The sender is given back as a
 *   string: given a PeerId object the library echoes every message to the peer it came from.
 * - A frame of 4 MiB or more is lost without an error, also one in which an answer to IWANT puts several large
 *   messages together: payloads are bounded, and such answers are cut short.
 * - `publish` waits while most receivers have half a buffer queued: the library has no back-pressure; and for
 *   the first subscriber when a peer has just connected: what is published to nobody is lost.
 */
import { TopicValidatorResult } from '@libp2p/gossipsub'
import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface'
import { FloodgateError } from '../core/errors.ts'
import { GOSSIP_FRAME_MAX_BYTES, GOSSIP_FRAME_OVERHEAD_BYTES } from '../core/limits.ts'
import type { Counter, Log, Metrics, PublishResult, PubSub, PubSubEvents } from '../core/ports.ts'
import type { MessageId, PeerId, Topic, Verdict } from '../core/types.ts'
import { GossipGuard, type Inbox } from './gossip-guard.ts'
import { GossipUpkeep } from './gossip-upkeep.ts'
import type { Gossip, Internals } from './gossipsub.ts'

export interface PubSubParts {
  readonly log: Log
  readonly metrics: Metrics
  /** An open connection to a peer, if there is one. */
  connectionTo(peer: Libp2pPeerId): Connection | undefined
  /** A connection is so young that its peer may not have named its topics yet. */
  isSettling(): boolean
  /**
   * Gossip of a peer is read once this has resolved with true; false: it is being sent away, and its gossip is not
   * wanted. Must settle for every peer, at the latest when its last connection has closed. Asked for each stream.
   */
  greeted(peer: PeerId): Promise<boolean>
}

interface Subscription extends Inbox {
  readonly toAll: boolean
  readonly echoes?: boolean
}

const VERDICTS: Record<Verdict, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
}

/** What may wait in `publish`, over all topics, in bytes and in calls; beyond it our caller is told. */
const WAITING_MAX_BYTES = 256 * 1_024 * 1_024
const WAITING_MAX = 65_536

/** How often a congested `publish` looks again, and how long it waits at most before it goes on regardless. */
const CONGESTION_POLL_MS = 10
const CONGESTION_WAIT_MS = 10_000

/** How long `publish` waits for a first subscriber, when a peer has connected a moment ago. */
const AUDIENCE_WAIT_MS = 2_000

export class GossipPubSub implements PubSub {
  readonly #gossip: Gossip
  readonly #router: Internals
  readonly #parts: PubSubParts
  readonly #topics = new Map<Topic, Subscription>()
  readonly #guard: GossipGuard
  readonly #upkeep: GossipUpkeep
  readonly #dropped: Counter<'reason'>
  readonly #waits: Counter<never>
  readonly #ending = new AbortController()
  #events: PubSubEvents | undefined
  /** The last of the calls that wait, by topic: a slow neighbour in one topic must not hold up the others. */
  readonly #lanes = new Map<Topic, Promise<void>>()
  /** Payload bytes of calls that wait for their turn, and of calls that the library is about to send. */
  #waitingBytes = 0
  #waitingCount = 0
  #handingBytes = 0

  constructor(gossip: Gossip, parts: PubSubParts) {
    this.#gossip = gossip
    this.#router = gossip.router
    this.#parts = parts
    const { metrics } = parts
    this.#dropped = metrics.counter('floodgate_gossip_dropped_total', 'Gossip dropped before the gate', [
      'reason',
    ])
    this.#waits = metrics.counter(
      'floodgate_publish_waits_total',
      'Calls of propagate that waited for room in buffers',
    )
    this.#upkeep = new GossipUpkeep(this.#router, parts)
    this.#guard = new GossipGuard(gossip, {
      log: parts.log,
      dropped: this.#dropped,
      inboxes: this.#topics,
      greeted: peer => parts.greeted(peer),
      heard: peer => this.#upkeep.heard(peer),
      offence: (peer, offence, detail) => this.#events?.offence(peer, offence, detail),
    })
    this.#boundAnswers()
    this.#watchCopies()
  }

  async start(events: PubSubEvents): Promise<void> {
    this.#events = events
    this.#router.addEventListener('gossipsub:message', event => {
      const { msg, msgId, propagationSource } = event.detail
      const id = this.#contentId(msg.topic, msg.data, msgId)
      events.message({
        id,
        topic: msg.topic,
        payload: msg.data,
        from: propagationSource.toString(),
        ticket: msgId,
      })
    })
    this.#router.addEventListener('gossipsub:heartbeat', () => {
      this.#upkeep.beat()
      this.#guard.beat()
    })
  }

  /** Ends every wait. The router itself is started and stopped by libp2p. */
  async stop(): Promise<void> {
    this.#events = undefined
    this.#ending.abort()
  }

  subscribe(topic: Topic, options: { maxPayloadBytes: number; toAll: boolean; echoes?: boolean }): void {
    this.#topics.set(topic, { ...options, copies: 0 })
    this.#gossip.labels.set(topic, topic)
    this.#router.subscribe(topic)
  }

  unsubscribe(topic: Topic): void {
    this.#router.unsubscribe(topic)
    this.#topics.delete(topic)
    this.#gossip.labels.delete(topic)
  }

  async publish(
    topic: Topic,
    payload: Uint8Array,
    { id, toAll }: { readonly id: MessageId; readonly toAll: boolean },
  ): Promise<PublishResult> {
    if (!this.#hasAudience(topic) && this.#parts.isSettling()) await this.#audience(topic)
    if (this.#lanes.has(topic) || this.#isCongested(topic, toAll)) {
      await this.#turn(topic, toAll, payload.byteLength)
    }
    if (this.#ending.signal.aborted) throw new FloodgateError('STOPPED', 'the node was stopped')
    // Nobody would ever ask for it: the library offers a message for seconds, and to none in the mesh.
    if (!this.#hasAudience(topic)) return { recipients: 0, seen: false }
    // A signed message has another id in gossip.
    if (this.#gossip.options.signing === 'none') this.#gossip.ids.know(payload, id)
    // Counted at once: calls of the same moment must see each other before a byte is in a buffer.
    this.#handingBytes += payload.byteLength
    try {
      const { recipients } = await this.#router.publish(topic, payload, { floodPublish: toAll })
      return { recipients: recipients.length, seen: false }
    } catch (cause) {
      if ((cause as Error).message === 'PublishError.Duplicate') return { recipients: 0, seen: true }
      throw cause
    } finally {
      this.#handingBytes -= payload.byteLength
    }
  }

  settle(topic: Topic, ticket: string, from: PeerId, verdict: Verdict): void {
    const report = () => this.#router.reportMessageValidationResult(ticket, from, VERDICTS[verdict])
    if (verdict === 'accept' && this.#topics.get(topic)?.toAll === true) this.#withAllInMesh(topic, report)
    else report()
  }

  meshPeers(topic: Topic): PeerId[] {
    return this.#router.getMeshPeers(topic)
  }

  subscribers(topic: Topic): PeerId[] {
    return this.#router.getSubscribers(topic).map(String)
  }

  scoreOf(peer: PeerId): number {
    return this.#router.score.score(peer)
  }

  copies(topic: Topic): number {
    return this.#topics.get(topic)?.copies ?? 0
  }

  #contentId(topic: Topic, payload: Uint8Array, ticket: string): MessageId {
    if (this.#gossip.options.signing === 'strict') return this.#gossip.ids.take(topic, payload)
    return Buffer.from(ticket, 'latin1') as unknown as MessageId
  }

  /**
   * The library forwards to the mesh only. While the synchronous `report` runs, the mesh of the topic is every
   * subscriber; the peers that sent the message are left out by the library as always.
   */
  #withAllInMesh(topic: Topic, report: () => void): void {
    const mesh = this.#router.mesh.get(topic)
    if (mesh === undefined) return report()
    this.#router.mesh.set(topic, new Set(this.subscribers(topic)))
    try {
      report()
    } finally {
      this.#router.mesh.set(topic, mesh)
    }
  }

  /** The library has no event for further copies, but its score hears of each. */
  #watchCopies(): void {
    const { score } = this.#router
    const count = score.duplicateMessage.bind(score)
    score.duplicateMessage = (from, id, topic) => {
      count(from, id, topic)
      if (this.#topics.get(topic)?.echoes === true) this.#events?.echo(id, from)
    }
  }

  /** An answer to IWANT is one frame: as many messages as fit, the others as if we did not have them. */
  #boundAnswers(): void {
    const { mcache } = this.#router
    const look = mcache.getWithIWantCount.bind(mcache)
    let peerOfAnswer: string | undefined
    let answerBytes = 0
    mcache.getWithIWantCount = (id, peer) => {
      if (peerOfAnswer !== peer) {
        // The library builds an answer in one synchronous run: the next microtask is after it.
        peerOfAnswer = peer
        answerBytes = 0
        queueMicrotask(() => {
          peerOfAnswer = undefined
        })
      }
      const found = look(id, peer)
      const sizeBytes = (found?.msg.data?.byteLength ?? 0) + GOSSIP_FRAME_OVERHEAD_BYTES
      if (found !== null && answerBytes > 0 && answerBytes + sizeBytes > GOSSIP_FRAME_MAX_BYTES) {
        this.#dropped.inc({ reason: 'answer-full' })
        return null
      }
      if (found !== null) answerBytes += sizeBytes
      return found
    }
  }

  #isCongested(topic: Topic, toAll: boolean): boolean {
    const { mesh, fanout } = this.#router
    const receivers = toAll ? this.subscribers(topic) : (mesh.get(topic) ?? fanout.get(topic) ?? [])
    const limitBytes = this.#gossip.options.outboundBufferBytes / 2
    let open = 0
    let full = 0
    for (const peer of receivers) {
      const stream = this.#router.streamsOutbound.get(peer)?.rawStream
      // A neighbour whose stream was cut receives nothing, and must not outvote those that do.
      if (stream === undefined) continue
      open++
      if (stream.writeBufferLength + this.#handingBytes > limitBytes) full++
    }
    return full * 2 > open
  }

  /** Asked for every message: the mesh first, which costs no copy. */
  #hasAudience(topic: Topic): boolean {
    return (this.#router.mesh.get(topic)?.size ?? 0) > 0 || this.#router.getSubscribers(topic).length > 0
  }

  /**
   * Waits until somebody has subscribed. A message that is published to nobody is lost: the library offers it
   * only to peers outside the mesh, and the first subscriber is taken into the mesh at once.
   */
  #audience(topic: Topic): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        clearTimeout(timer)
        this.#router.removeEventListener('subscription-change', look)
        this.#ending.signal.removeEventListener('abort', done)
        resolve()
      }
      const look = (): void => {
        if (this.#hasAudience(topic)) done()
      }
      const timer = setTimeout(done, AUDIENCE_WAIT_MS)
      this.#router.addEventListener('subscription-change', look)
      this.#ending.signal.addEventListener('abort', done)
    })
  }

  /**
   * Waits until there is room, after all calls for the topic that wait already, so that messages leave in order.
   * @throws FloodgateError BUSY
   */
  async #turn(topic: Topic, toAll: boolean, sizeBytes: number): Promise<void> {
    if (this.#waitingBytes + sizeBytes > WAITING_MAX_BYTES || this.#waitingCount >= WAITING_MAX) {
      throw new FloodgateError('BUSY', `${this.#waitingCount} messages wait to be sent: wait for them`)
    }
    this.#waits.inc()
    this.#waitingBytes += sizeBytes
    this.#waitingCount++
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
    }, CONGESTION_WAIT_MS)
    const before = this.#lanes.get(topic) ?? Promise.resolve()
    const turn = before.then(() => this.#room(topic, toAll, () => isLate))
    this.#lanes.set(topic, turn)
    try {
      await turn
    } finally {
      clearTimeout(timer)
      this.#waitingBytes -= sizeBytes
      this.#waitingCount--
      if (this.#lanes.get(topic) === turn) this.#lanes.delete(topic)
    }
  }

  async #room(topic: Topic, toAll: boolean, isLate: () => boolean): Promise<void> {
    while (this.#isCongested(topic, toAll) && !isLate() && !this.#ending.signal.aborted) {
      await new Promise(resolve => setTimeout(resolve, CONGESTION_POLL_MS))
    }
  }
}
