/**
 * The actor of swarms: heads come in and go out by gossip, chunks by a channel, payloads go to the gate.
 *
 *   head → signature → slot → quick verdict → begun → complete → judged → kept for a minute
 *
 * Rules (design, sections 5 and 11):
 * - A head goes on as soon as the upper layer's `quickVerify` has accepted its header, and so do chunks. Without a
 *   `quickVerify` both wait for the verdict on the whole payload: nothing passes this node that nobody has judged.
 * - Blame needs somebody to blame: a head is signed by its origin. A wrong signature costs the peer that passed it on,
 *   which should have checked. A payload that is not what its head says, or that the handler rejects after its header
 *   was accepted, costs the origin alone: those who relayed it have vouched for the header only.
 * - How many swarms may be unfinished, of whom and for which header, is decided by `swarm-slots.ts`; which chunk goes to
 *   whom by `swarms.ts`.
 * - What gossip will not carry a second time (a verdict that came late, a head that had to wait for a slot) is offered to
 *   the neighbours one by one.
 * - Finished swarms are kept for those who join late (`swarm-entries.ts`).
 */
import { messageId, messageKey } from '../core/hash.ts'
import type { MessageId, MessageKey, PeerId, Topic, Verdict } from '../core/types.ts'
import { announceTopic, encodeSwarm, type SwarmHead } from './announcement.ts'
import { HeadChecks, headOf, isPayloadOf } from './heads.ts'
import type { SwarmKey } from './swarm.ts'
import { type SwarmEntry as Entry, SwarmEntries } from './swarm-entries.ts'
import { encodeFrame, readFrame, swarmKey } from './swarm-frame.ts'
import type { SwarmedTopic, SwarmingEvents, SwarmingParts } from './swarm-ports.ts'
import { SwarmSlots } from './swarm-slots.ts'
import { Swarms, type SwarmsAction, type SwarmsEvent } from './swarms.ts'

const EXPIRE_MS = 60_000

const REFUSED_MAX = 1_024

/** A swarm of which nobody here has the rest gives way so soon to another with the same header, any other one so late. */
const HOPELESS_YIELD_MS = 2_000
const YIELD_MS = 15_000

export class Swarming {
  readonly #parts: SwarmingParts
  readonly #events: SwarmingEvents
  readonly #topics = new Map<Topic, SwarmedTopic>()
  readonly #machine: Swarms
  readonly #slots = new SwarmSlots<Entry>()
  readonly #entries = new SwarmEntries()
  readonly #peers = new Set<PeerId>()
  readonly #checks: HeadChecks
  /** Heads for which there was no place, oldest first. */
  readonly #refused = new Set<SwarmKey>()
  #isFlushing = false
  #isRunning = false
  readonly #waiting: SwarmsEvent[] = []

  constructor(parts: SwarmingParts, events: SwarmingEvents) {
    this.#parts = parts
    this.#events = events
    this.#machine = new Swarms({ expireMs: EXPIRE_MS, onTransfer: parts.onTransfer }, parts.random)
    this.#checks = new HeadChecks(parts.network, parts.signer)
  }

  /** What is under way, for those who look on. */
  get machine(): Swarms {
    return this.#machine
  }

  add(topic: Topic, options: SwarmedTopic): void {
    this.#topics.set(topic, options)
  }

  remove(topic: Topic): void {
    this.#topics.delete(topic)
    for (const entry of this.#entries.values()) if (entry.topic === topic) this.#end(entry)
  }

  opened(peer: PeerId): void {
    this.#peers.add(peer)
    this.#feed({ type: 'peer', peer })
  }

  closed(peer: PeerId): void {
    if (this.#peers.delete(peer)) this.#feed({ type: 'gone', peer })
  }

  /** Heads of finished swarms, for a peer that may have missed them. */
  offerTo(peer: PeerId): void {
    for (const { topic, head } of this.#entries.kept(this.#nowMs())) {
      this.#events.offer(peer, topic, encodeSwarm(head))
    }
  }

  /**
   * A message of our own.
   * @returns to how many peers its head was handed; 0: to nobody, and nothing is kept
   */
  async propagate(topic: Topic, id: MessageId, payload: Uint8Array, header: Uint8Array): Promise<number> {
    const { network, signer, pubsub } = this.#parts
    const head = await headOf(network, signer, topic, { id, payload, header })
    const announcement = encodeSwarm(head)
    const name = announceTopic(topic)
    const { recipients } = await pubsub.publish(name, announcement, {
      id: messageId(name, announcement),
      // It is small, and saves a hop for all neighbours that are not in the mesh.
      toAll: true,
    })
    const key = swarmKey(head)
    if (recipients === 0 || this.#entries.has(key) || !this.#topics.has(topic)) return recipients
    const nowMs = this.#nowMs()
    const times = { dueAtMs: nowMs, bornAtMs: nowMs, acceptedAtMs: nowMs }
    this.#begin(
      { key, topic, head, from: undefined, ticket: undefined, isVouched: true, ...times },
      true,
      payload,
    )
    return recipients
  }

  /** A head came, by gossip (with its ticket) or for us alone. */
  announced(topic: Topic, from: PeerId, head: SwarmHead, ticket: string | undefined): void {
    const options = this.#topics.get(topic)
    const settle = (verdict: Verdict): void => this.#settle({ topic, from, ticket }, verdict)
    if (options === undefined || !this.#peers.has(from)) return settle('ignore')
    if (head.sizeBytes > options.maxPayloadBytes) {
      this.#events.offence(from, 'oversized', `a swarm of ${head.sizeBytes} bytes on ${topic}`)
      return settle('reject')
    }
    const key = swarmKey(head)
    if (this.#entries.has(key)) {
      this.#feed({ type: 'holder', key, peer: from })
      return settle('ignore')
    }
    if (this.#events.isKnown(topic, messageKey(head.id))) return settle('ignore')
    const bornAtMs = this.#nowMs()
    const times = { bornAtMs, dueAtMs: bornAtMs + options.settleMs, acceptedAtMs: undefined }
    const entry = { key, topic, head, from, ticket, isVouched: false, ...times }
    const isChecking = this.#checks.check(topic, from, head, isSigned => {
      if (isSigned) return this.#admit(entry, from)
      this.#events.offence(from, 'swarm-malformed', `a head on ${topic} is not signed by its origin`)
      this.#settle(entry, 'reject')
    })
    if (!isChecking) this.#refuse(entry)
  }

  /** A peer has passed on a head that was there before. */
  echoed(topic: Topic, peer: PeerId, head: SwarmHead): void {
    const key = swarmKey(head)
    // What had no place when it came from one peer may have one now that it comes from another.
    if (this.#refused.delete(key)) this.announced(topic, peer, head, undefined)
    else if (this.#peers.has(peer)) this.#feed({ type: 'holder', key, peer })
  }

  /** There is no place for it: gossip is told, and a copy of another peer may try again. */
  #refuse(entry: Entry): void {
    this.#settle(entry, 'ignore')
    this.#feed({ type: 'end', key: entry.key })
    this.#refused.add(entry.key)
    if (this.#refused.size <= REFUSED_MAX) return
    for (const oldest of this.#refused) {
      this.#refused.delete(oldest)
      return
    }
  }

  #admit(entry: Entry, from: PeerId): void {
    const { key, topic, head } = entry
    if (!this.#topics.has(topic)) return this.#settle(entry, 'ignore')
    // While its signature was checked it may have come by another peer.
    if (this.#entries.has(key)) this.#feed({ type: 'holder', key, peer: from })
    const offer = { key, topic, head, from, value: entry }
    const { type } = this.#slots.offer(offer, this.#nowMs())
    if (type === 'begin') void this.#judgeHeader(entry)
    else if (type === 'refused') this.#refuse(entry)
    else {
      this.#settle(entry, 'ignore')
      if (type === 'parked') this.#feed({ type: 'end', key })
    }
  }

  async #judgeHeader(entry: Entry): Promise<void> {
    const { topic, head, key, from } = entry
    if (this.#topics.get(topic)?.hasQuick !== true) return this.#begin(entry, false)
    const { id, sizeBytes, header } = head
    const verdict = await this.#events.quick(topic, from ?? head.origin, { id, sizeBytes, header })
    if (verdict !== 'accept' || !this.#topics.has(topic)) {
      if (verdict === 'reject' && from !== undefined) {
        this.#events.offence(from, 'rejected', `the header of a swarm on ${topic}`)
      }
      this.#settle(entry, verdict === 'accept' ? 'ignore' : verdict)
      this.#feed({ type: 'end', key })
      return this.#free(key)
    }
    entry.isVouched = true
    this.#spread(entry)
    this.#begin(entry, true)
  }

  /** Sends the head on: by gossip while gossip still waits for us, else to the neighbours one by one. */
  #spread(entry: Entry): void {
    const { topic, head, ticket, dueAtMs, from } = entry
    if (ticket !== undefined && this.#nowMs() < dueAtMs) return this.#settle(entry, 'accept')
    this.#settle(entry, 'ignore')
    const announcement = encodeSwarm(head)
    for (const peer of this.#neighbours(topic)) {
      if (peer !== from) this.#events.offer(peer, topic, announcement)
    }
  }

  #begin(entry: Entry, isOpen: boolean, payload?: Uint8Array): void {
    const { key, topic, head, from } = entry
    this.#entries.add(entry)
    const neighbours = this.#neighbours(topic, payload !== undefined)
    const base = { type: 'begin', key, topic, head, from, neighbours, isOpen } as const
    this.#feed(payload === undefined ? base : { ...base, payload })
  }

  /** To whom chunks are pushed: the mesh; those of our own leave by all ways that there are. */
  #neighbours(topic: Topic, isOwn = false): PeerId[] {
    const { pubsub } = this.#parts
    const name = announceTopic(topic)
    return (isOwn ? pubsub.subscribers(name) : pubsub.meshPeers(name)).filter(peer => this.#peers.has(peer))
  }

  frame(peer: PeerId, bytes: Uint8Array): void {
    if (!this.#peers.has(peer)) return
    const { value: frame, problem } = readFrame(bytes)
    if (frame === undefined) return this.#events.offence(peer, 'swarm-malformed', problem)
    this.#feed({ type: 'frame', peer, frame, sizeBytes: bytes.byteLength })
  }

  /** The network's verdict on a message: one without a header to vouch for it may leave now. */
  settled(key: MessageKey, verdict: Verdict): void {
    const entry = this.#entries.ofMessage(key)
    if (entry === undefined || entry.isVouched || verdict !== 'accept') return
    this.#spread(entry)
    this.#feed({ type: 'open', key: entry.key })
  }

  /** The final verdict on a message. */
  judged(key: MessageKey, verdict: Verdict): void {
    const entry = this.#entries.ofMessage(key)
    if (entry === undefined || entry.from === undefined) return
    if (verdict === 'accept') {
      // Later than the network waits for it.
      if (!entry.isVouched) this.settled(key, verdict)
      entry.acceptedAtMs = this.#nowMs()
      this.#onAccepted(entry.key, entry.acceptedAtMs)
      return
    }
    if (verdict === 'reject') {
      const { origin } = entry.head
      this.#events.offence(origin, 'rejected', `the payload of a swarm on ${entry.topic}`)
    }
    this.#end(entry)
  }

  /** Other swarms that claim the same message are over. */
  #onAccepted(key: SwarmKey, nowMs: number): void {
    const { over, begin } = this.#slots.accepted(key, nowMs)
    for (const other of over) {
      const entry = this.#entries.get(other)
      if (entry !== undefined) this.#end(entry)
    }
    for (const { value } of begin) void this.#judgeHeader(value)
  }

  tick(): void {
    const nowMs = this.#nowMs()
    this.#feed({ type: 'tick' })
    for (const entry of this.#entries.overdue(nowMs)) this.#settle(entry, 'ignore')
    for (const entry of this.#entries.ended(nowMs)) this.#end(entry)
  }

  /** Hands an event to the machine, after those that are being handled: what it leads to may come back here. */
  #feed(event: SwarmsEvent): void {
    this.#waiting.push(event)
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        for (const action of this.#machine.handle(next, this.#nowMs())) this.#carryOut(action)
      }
    } finally {
      this.#isRunning = false
    }
    this.#wind()
  }

  #carryOut(action: SwarmsAction): void {
    switch (action.type) {
      case 'send':
        this.#send(action.peer, encodeFrame(action.frame))
        break
      case 'complete':
        this.#onComplete(action.key)
        break
      case 'stalled':
        this.#onStalled(action)
        break
      case 'expired':
        this.#onExpired(action)
        break
      case 'offence':
        this.#events.offence(action.peer, action.offence, action.detail)
        break
      default:
        action satisfies never
    }
  }

  #send(peer: PeerId, frame: Uint8Array): void {
    if (this.#parts.channel.send(peer, frame) || !this.#peers.has(peer)) return
    // So much waits that the windows have failed to see how slow it is: it starts anew.
    this.#parts.log.debug('a swarm frame found no room', { peer })
    this.#feed({ type: 'gone', peer })
    this.#feed({ type: 'peer', peer })
  }

  #onComplete(key: SwarmKey): void {
    const entry = this.#entries.get(key)
    const payload = this.#machine.payloadOf(key)
    if (entry === undefined || payload === undefined) return
    const { topic, head, from, isVouched } = entry
    this.#slots.complete(key)
    if (from === undefined) return
    if (!this.#isTrue(entry, payload)) {
      this.#events.offence(head.origin, 'swarm-false', `a payload on ${topic} is not what its head says`)
      return this.#end(entry)
    }
    this.#entries.delivered(entry)
    this.#events.deliver(topic, { id: head.id, key: messageKey(head.id), payload, from }, isVouched)
  }

  #isTrue({ topic, head }: Entry, payload: Uint8Array): boolean {
    try {
      return isPayloadOf(topic, head, payload, this.#topics.get(topic)?.header)
    } catch (error) {
      // Our user's function does not take every payload.
      this.#parts.log.warn('header() failed', { topic, error: (error as Error).message })
      return false
    }
  }

  /** Nothing comes: others that are on the topic may have it, or it holds the place of one that would come. */
  #onStalled({ key, idleMs, isHopeless }: Extract<SwarmsAction, { type: 'stalled' }>): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    const isYielding = idleMs >= (isHopeless ? HOPELESS_YIELD_MS : YIELD_MS)
    if (isYielding && this.#slots.stalledWithRivals(key)) return this.#end(entry)
    for (const peer of this.#parts.pubsub.subscribers(announceTopic(entry.topic))) {
      if (this.#peers.has(peer)) this.#feed({ type: 'holder', key, peer })
    }
  }

  #onExpired({ key, head, from, held }: Extract<SwarmsAction, { type: 'expired' }>): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) this.#end(entry)
    if (held > 0 || from === undefined) return
    if (from === head.origin) this.#events.offence(from, 'swarm-empty', 'no chunk of its swarm came')
    else this.#events.offence(from, 'timeout', 'no chunk came of a swarm that it announced')
  }

  #end(entry: Entry): void {
    const { key } = entry
    this.#settle(entry, 'ignore')
    this.#entries.delete(entry)
    this.#feed({ type: 'end', key })
    this.#free(key)
  }

  /** Its place is free: what has waited for it may begin. */
  #free(key: SwarmKey): void {
    for (const { value } of this.#slots.ended(key, this.#nowMs())) void this.#judgeHeader(value)
  }

  /** Tells gossip, once. */
  #settle(
    entry: { topic: Topic; from: PeerId | undefined; ticket: string | undefined },
    verdict: Verdict,
  ): void {
    const { topic, from, ticket } = entry
    if (ticket === undefined || from === undefined) return
    entry.ticket = undefined
    this.#parts.pubsub.settle(announceTopic(topic), ticket, from, verdict)
  }

  #wind(): void {
    if (!this.#machine.hasUntold || this.#isFlushing) return
    this.#isFlushing = true
    this.#parts.clock.after(this.#machine.flushAfterMs, () => {
      this.#isFlushing = false
      this.#feed({ type: 'flush' })
    })
  }

  #nowMs(): number {
    return this.#parts.clock.nowMs()
  }
}
