/**
 * What gossipsub does not look after by itself, put right at every heartbeat or where it happens.
 *
 * Rules, each with the trap of gossipsub 17.1.1 that it answers (all tried; each has a test):
 * - A stream whose buffer is full is aborted, and nothing in the library opens it again while connection and mesh
 *   look healthy; a peer whose gossip cannot be read is removed while its connection stays. Both are revived.
 * - A peer without a connection is removed. The library hears of a disconnection only when the peer has said, to
 *   identify, that it speaks gossip; one that took its word back before it left stayed in every map for ever.
 * - Streams to different peers are opened side by side. The library opens one after another, and a single peer that
 *   does not answer, and asks again and again, kept all those that came later mute for as long as it liked.
 * - A stream that has closed by the time it is opened is forgotten. The library listens for its end too late, keeps it,
 *   and opens no other one. Two nodes that dial each other at the same moment close one of two connections, and with it
 *   such streams: one of them stayed mute for the other as long as they were connected.
 * - The IP address of a peer is forgotten when it leaves. When a peer comes again from another address, the library
 *   overwrites the list by which it would have removed the old one: with IPv6 a leak of any size.
 */
import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface'
import type { Counter, Log, Metrics } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import type { Internals } from './gossipsub.ts'

export interface UpkeepParts {
  readonly log: Log
  readonly metrics: Metrics
  /** An open connection to a peer, if there is one. */
  connectionTo(peer: Libp2pPeerId): Connection | undefined
}

export class GossipUpkeep {
  readonly #router: Internals
  readonly #parts: UpkeepParts
  readonly #revived: Counter<never>
  /** Peers that have spoken gossip on a connection that is still open, and for how many heartbeats they are mute. */
  readonly #known = new Map<PeerId, { readonly peer: Libp2pPeerId; muteBeats: number }>()

  constructor(router: Internals, parts: UpkeepParts) {
    this.#router = router
    this.#parts = parts
    this.#revived = parts.metrics.counter(
      'floodgate_gossip_revived_total',
      'Gossip streams opened again after a failure',
    )
    openSideBySide(router, parts.log)
    forgetAddresses(router)
  }

  /** A peer has opened a stream of gossip; that stream may fail before the next heartbeat. */
  heard(peer: Libp2pPeerId): void {
    const id = peer.toString()
    if (!this.#known.has(id)) this.#known.set(id, { peer, muteBeats: 0 })
  }

  /** To be called at each heartbeat. */
  beat(): void {
    this.#removeGhosts()
    this.#revive()
  }

  #removeGhosts(): void {
    for (const peer of [...this.#router.peers.values()]) {
      if (this.#parts.connectionTo(peer) === undefined) this.#router.onPeerDisconnected(peer)
      else this.heard(peer)
    }
  }

  /** Opens gossip again with peers that are connected and mute; tries at beats 2, 4, 8, … of their silence. */
  #revive(): void {
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
}

/** One attempt per peer at a time, as before; of the connections that come meanwhile the last is tried next. */
function openSideBySide(router: Internals, log: Log): void {
  const open = router.createOutboundStream.bind(router)
  const opening = new Map<PeerId, Connection | undefined>()
  const attempts = async (peer: Libp2pPeerId, first: Connection): Promise<void> => {
    const id = peer.toString()
    try {
      for (let next: Connection | undefined = first; next !== undefined; next = opening.get(id)) {
        opening.set(id, undefined)
        // Bounded in time by the negotiation of protocols; it logs its failures itself.
        await open(peer, next)
        if (router.streamsOutbound.get(id)?.rawStream.status !== 'open') router.streamsOutbound.delete(id)
      }
    } catch (error) {
      log.error('gossip could not be opened', { peer: id, reason: String(error) })
    } finally {
      opening.delete(id)
    }
  }
  router.createOutboundStream = async (peer, connection) => {
    const id = peer.toString()
    if (opening.has(id)) opening.set(id, connection)
    else void attempts(peer, connection)
  }
}

function forgetAddresses({ score }: Internals): void {
  const remove = score.removePeer.bind(score)
  score.removePeer = id => {
    for (const ip of [...(score.peerStats.get(id)?.knownIPs ?? [])]) score.removeIP(id, ip)
    remove(id)
  }
}
