/**
 * gossipsub behind the `PubSub` port. It maps gossip onto the gate and nothing more.
 *
 * Rules, each with the trap of gossipsub 17.1.1 that it answers (all tried; each has a test):
 * - The verdict is ours: `asyncValidation` with `reportMessageValidationResult`. The sender is given back as a
 *   string: given a PeerId object the library echoes every message to the peer it came from.
 * - A frame of 4 MiB or more is lost without an error, also one in which an answer to IWANT puts several large
 *   messages together: payloads are bounded, and such answers are cut short.
 * - A stream whose buffer is full is aborted, and nothing in the library opens it again while connection and
 *   mesh look healthy; a peer whose gossip cannot be read is removed while its connection stays. Both are
 *   revived here, at every heartbeat.
 * - Payloads over the limit, and messages on topics without a subscription, are dropped before the library
 *   hashes and stores them. What does not decode is an offence of its sender.
 * - `publish` waits while most receivers have half a buffer queued: the library has no back-pressure; and for
 *   the first subscriber when a peer has just connected: what is published to nobody is lost.
 */
import { TopicValidatorResult } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface'
import { FloodgateError } from '../core/errors.ts'
import { GOSSIP_FRAME_MAX_BYTES, GOSSIP_FRAME_OVERHEAD_BYTES } from '../core/limits.ts'
import type { Counter, Log, Metrics, PublishResult, PubSub, PubSubEvents } from '../core/ports.ts'
import type { MessageId, PeerId, Topic, Verdict } from '../core/types.ts'
import type { Gossip, Internals } from './gossipsub.ts'

export interface PubSubParts {
  readonly log: Log
  readonly metrics: Metrics
  /** An open connection to a peer, if there is one. */
  connectionTo(peer: Libp2pPeerId): Connection | undefined
  /** A connection is so young that its peer may not have named its topics yet. */
  isSettling(): boolean
}

interface Subscription {
  readonly maxPayloadBytes: number
  readonly toAll: boolean
  copies: number
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

/** Errors of the read side that only a wrong frame causes; all others are streams that ended. */
const MALFORMED_ERRORS = new Set([
  'InvalidDataLengthError',
  'InvalidDataLengthLengthError',
  'InvalidMessageLengthError',
])

export class GossipPubSub implements PubSub {
  readonly #gossip: Gossip
  readonly #router: Internals
  readonly #parts: PubSubParts
  readonly #topics = new Map<Topic, Subscription>()
  /** Peers that have spoken gossip on a connection that is still open, and for how many heartbeats they are mute. */
  readonly #known = new Map<string, { readonly peer: Libp2pPeerId; muteBeats: number }>()
  readonly #dropped: Counter<'reason'>
  readonly #revived: Counter<never>
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
    this.#revived = metrics.counter(
      'floodgate_gossip_revived_total',
      'Gossip streams opened again after a failure',
    )
    this.#waits = metrics.counter(
      'floodgate_publish_waits_total',
      'Calls of propagate that waited for room in buffers',
    )
    this.#guardStreams()
    this.#boundAnswers()
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
    this.#router.addEventListener('gossipsub:heartbeat', () => this.#revive())
  }

  /** Ends every wait. The router itself is started and stopped by libp2p. */
  async stop(): Promise<void> {
    this.#events = undefined
    this.#ending.abort()
  }

  subscribe(topic: Topic, options: { maxPayloadBytes: number; toAll: boolean }): void {
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

  /** Reads each peer's frames through a view of the router that attributes what is wrong to that peer. */
  #guardStreams(): void {
    const router = this.#router
    const read = router.pipePeerReadStream
    router.pipePeerReadStream = (peer, frames) => {
      // Not only at the next heartbeat: a stream may fail before it.
      this.#know(peer)
      const view = Object.create(router, {
        decodeRpc: { value: (bytes: Uint8Array) => this.#decode(peer, bytes) },
        handleReceivedRpc: { value: (from: Libp2pPeerId, rpc: RPC) => this.#receive(from, rpc) },
        handlePeerReadStreamError: {
          value: (error: Error) => {
            if (MALFORMED_ERRORS.has(error.name)) this.#blame(peer, 'malformed', error.message)
            router.handlePeerReadStreamError(error, peer)
          },
        },
      })
      return read.call(view, peer, frames)
    }
  }

  #decode(peer: Libp2pPeerId, bytes: Uint8Array): RPC {
    try {
      return this.#router.decodeRpc(bytes)
    } catch (error) {
      this.#blame(peer, 'malformed', (error as Error).message)
      throw error
    }
  }

  #receive(from: Libp2pPeerId, rpc: RPC): Promise<void> {
    if (rpc.messages.length > 0) rpc.messages = rpc.messages.filter(message => this.#admit(from, message))
    return this.#router.handleReceivedRpc(from, rpc)
  }

  #admit(from: Libp2pPeerId, message: RPC.Message): boolean {
    const subscription = this.#topics.get(message.topic)
    if (subscription === undefined) {
      this.#dropped.inc({ reason: 'unsubscribed' })
      return false
    }
    subscription.copies++
    const sizeBytes = message.data?.byteLength ?? 0
    if (sizeBytes <= subscription.maxPayloadBytes) return true
    this.#blame(
      from,
      'oversized',
      `${sizeBytes} bytes on ${message.topic}, limit ${subscription.maxPayloadBytes}`,
    )
    return false
  }

  #blame(peer: Libp2pPeerId, offence: 'malformed' | 'oversized', detail: string): void {
    this.#dropped.inc({ reason: offence })
    this.#events?.offence(peer.toString(), offence, detail)
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

  #know(peer: Libp2pPeerId): void {
    const id = peer.toString()
    if (!this.#known.has(id)) this.#known.set(id, { peer, muteBeats: 0 })
  }

  /** Opens gossip again with peers that are connected and mute; tries at beats 2, 4, 8, … of their silence. */
  #revive(): void {
    for (const peer of this.#router.peers.values()) this.#know(peer)
    for (const [id, entry] of this.#known) {
      if (this.#router.peers.has(id) && this.#router.streamsOutbound.has(id)) {
        entry.muteBeats = 0
        continue
      }
      const connection = this.#parts.connectionTo(entry.peer)
      if (connection === undefined) {
        this.#known.delete(id)
        continue
      }
      entry.muteBeats++
      if (entry.muteBeats < 2 || Math.log2(entry.muteBeats) % 1 !== 0) continue
      this.#revived.inc()
      this.#parts.log.warn('gossip with a peer has stopped: opening it again', {
        peer: id,
        muteBeats: entry.muteBeats,
      })
      this.#router.onPeerConnected(entry.peer, connection)
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
