/**
 * The guard in front of gossipsub: everything that a peer sends passes here first, and nobody else's fault is blamed
 * for it. What is beyond a limit is cut or dropped before the library sees it, counted, and told as an offence.
 *
 *   stream → greeted? (`gossip-early.ts`) → frame well-formed, small enough? (`gossip-frame.ts`) → decoded within the
 *   library's limits → sender still there → messages wanted? → controls within measure (`gossip-control.ts`) → library
 *
 * Rules, each with the trap of gossipsub 17.1.1 that it answers (all tried; each has a test):
 * - What does not decode or breaks a limit is an offence of its sender; the library only logs it. The stream stays
 *   open, and what follows is read.
 * - A frame longer than frames may be ends its stream, for where it ends is not known. The library stops to read and
 *   tells nobody, so that the peer would talk to a deaf ear: we reset the stream.
 * - The end of a stream removes its peer only while the peer has no other one. The library removes it in any case, for
 *   example when the older of two connections closes.
 * - Payloads over the limit, and messages on topics without a subscription, are dropped before the library hashes and
 *   stores them.
 * - Frames of a peer that the library has removed are dropped. It goes on to read them, and what they say stays in its
 *   maps for ever: topics of a peer that is not there.
 */
import type { RPC } from '@libp2p/gossipsub/message'
import type { PeerId as Libp2pPeerId, Stream } from '@libp2p/interface'
import type { Offence } from '../core/offences.ts'
import type { Counter, Log } from '../core/ports.ts'
import type { PeerId, Topic } from '../core/types.ts'
import { type Blame, ControlLimits } from './gossip-control.ts'
import { EARLY_MAX_BYTES, EarlyGossip } from './gossip-early.ts'
import { frameFault } from './gossip-frame.ts'
import { type Gossip, type Internals, idLengths } from './gossipsub.ts'

/** What of a subscription concerns what comes in. */
export interface Inbox {
  readonly maxPayloadBytes: number
  /** Payloads that came in, duplicates included; the guard counts them. */
  copies: number
}

export interface GuardParts {
  readonly log: Log
  readonly dropped: Counter<'reason'>
  /** Our subscriptions. */
  readonly inboxes: ReadonlyMap<Topic, Inbox>
  /** See `EarlyParts`. */
  greeted(peer: PeerId): Promise<boolean>
  /** A peer has opened a stream of gossip. */
  heard(peer: Libp2pPeerId): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

/** Errors of the read side that only a wrong frame causes; all others are streams that ended. */
const MALFORMED_ERRORS = new Set([
  'InvalidDataLengthError',
  'InvalidDataLengthLengthError',
  'InvalidMessageLengthError',
])

/** What the decoder throws when a list is longer than its limit. */
const LIMIT_ERRORS = new Set(['MaxLengthError', 'MaxSizeError'])

export class GossipGuard {
  readonly #router: Internals
  readonly #parts: GuardParts
  readonly #controls: ControlLimits

  /** Puts itself in front of the router; before it is started. */
  constructor(gossip: Gossip, parts: GuardParts) {
    this.#router = gossip.router
    this.#parts = parts
    this.#controls = new ControlLimits({
      heartbeatMs: gossip.options.heartbeatMs,
      ...idLengths(gossip.options.signing),
    })
    this.#holdStreams()
    this.#watchStreams()
    this.#watchSubscriptions()
  }

  /** To be called at each heartbeat. */
  beat(): void {
    this.#controls.beat(peer => this.#router.peers.has(peer))
  }

  #holdStreams(): void {
    const router = this.#router
    const read = router.createInboundStream.bind(router)
    const early = new EarlyGossip({
      log: this.#parts.log,
      greeted: peer => this.#parts.greeted(peer),
      tooMuch: peer => this.#blame(peer.toString(), 'early-gossip', `more than ${EARLY_MAX_BYTES} bytes`),
      admit: (peer, stream) => {
        // The library would leave it open and unread; its sender opens another one.
        if (!router.peers.has(peer.toString())) stream.abort(new Error('gossip has removed the peer'))
        else read(peer, stream)
      },
    })
    router.createInboundStream = (peer: Libp2pPeerId, stream: Stream) => early.hold(peer, stream)
  }

  /** Reads each peer's frames through a view of the router that attributes what is wrong to that peer. */
  #watchStreams(): void {
    const router = this.#router
    const read = router.pipePeerReadStream
    router.pipePeerReadStream = (peer, frames) => {
      const id = peer.toString()
      this.#parts.heard(peer)
      // The library has just made it the peer's stream.
      const stream = router.streamsInbound.get(id)
      const view = Object.create(router, {
        decodeRpc: { value: (bytes: Uint8Array) => this.#decode(id, bytes) },
        handleReceivedRpc: { value: (from: Libp2pPeerId, rpc: RPC) => this.#receive(from, id, rpc) },
        handlePeerReadStreamError: {
          value: (error: Error) => {
            if (MALFORMED_ERRORS.has(error.name)) this.#blame(id, 'malformed', error.message)
            if (router.streamsInbound.get(id) === stream) router.handlePeerReadStreamError(error, peer)
            stream?.rawStream.abort(error)
          },
        },
      })
      return read.call(view, peer, frames)
    }
  }

  /** The library says no to a subscription only when its peer has too many. */
  #watchSubscriptions(): void {
    const router = this.#router
    const take = router.handleReceivedSubscription.bind(router)
    router.handleReceivedSubscription = (from, topic, subscribe) => {
      const isTaken = take(from, topic, subscribe)
      if (isTaken) return true
      this.#parts.dropped.inc({ reason: 'topic' })
      const blame = this.#controls.refuseTopic(from.toString())
      if (blame !== undefined) this.#blameFor(from.toString(), blame)
      return false
    }
  }

  #decode(peer: PeerId, bytes: Uint8Array): RPC {
    const fault = frameFault(bytes)
    if (fault !== undefined) {
      const detail = `a frame of ${bytes.byteLength} bytes is ${fault === 'malformed' ? 'no gossip' : 'too rich'}`
      this.#blame(peer, fault, detail)
      throw new Error(detail)
    }
    try {
      return this.#router.decodeRpc(bytes)
    } catch (error) {
      const { name, message } = error as Error
      this.#blame(peer, LIMIT_ERRORS.has(name) ? 'gossip-limits' : 'malformed', message)
      throw error
    }
  }

  #receive(from: Libp2pPeerId, id: PeerId, rpc: RPC): Promise<void> {
    if (!this.#router.peers.has(id)) {
      this.#parts.dropped.inc({ reason: 'gone' })
      return Promise.resolve()
    }
    if (rpc.messages.length > 0) rpc.messages = rpc.messages.filter(message => this.#admit(id, message))
    if (rpc.control !== undefined) this.#trim(id, rpc.control)
    return this.#router.handleReceivedRpc(from, rpc)
  }

  #admit(from: PeerId, message: RPC.Message): boolean {
    const inbox = this.#parts.inboxes.get(message.topic)
    if (inbox === undefined) {
      this.#parts.dropped.inc({ reason: 'unsubscribed' })
      return false
    }
    inbox.copies++
    const sizeBytes = message.data?.byteLength ?? 0
    if (sizeBytes <= inbox.maxPayloadBytes) return true
    this.#blame(from, 'oversized', `${sizeBytes} bytes on ${message.topic}, limit ${inbox.maxPayloadBytes}`)
    return false
  }

  #trim(from: PeerId, control: RPC.ControlMessage): void {
    const { blames, oddIds } = this.#controls.trim(from, control, this.#parts.inboxes.size)
    if (oddIds > 0) this.#parts.dropped.inc({ reason: 'odd-id' }, oddIds)
    for (const blame of blames) this.#blameFor(from, blame)
  }

  #blameFor(peer: PeerId, { offence, detail }: Blame): void {
    this.#blame(peer, offence, detail)
  }

  #blame(peer: PeerId, offence: Offence, detail: string): void {
    this.#parts.dropped.inc({ reason: offence })
    this.#parts.offence(peer, offence, detail)
  }
}
