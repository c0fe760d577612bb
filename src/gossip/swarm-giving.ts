/**
 * The giving side of the swarms: which chunk leaves next, and for whom.
 *
 * Rules:
 * - A chunk is pushed to at most `fanout` neighbours, which are taken in turn; asks are answered before pushes. What is
 *   sent waits for room in the neighbour's window, so that one slow neighbour slows nobody else.
 * - Only what was asked for or is due by the push rule is ever sent, and a chunk goes to a neighbour a second time only
 *   when the first has not arrived in 5 seconds (`pacing.ts`): a small frame cannot make us send a large one again and
 *   again. A neighbour that has said that it has a chunk does not get it.
 * - What is not held is never noted as wanted: the asker is told so, all of a frame together. Of what is noted at most
 *   `WANTS_MAX` wait for one neighbour in one swarm; what is over is left out, and its asker will ask others.
 * - Nothing leaves of a swarm that is not open.
 */
import type { RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import type { Link, Swarm, SwarmKey } from './swarm.ts'
import type { SwarmOutbox } from './swarm-outbox.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** What may wait of one neighbour's asks in one swarm. */
const WANTS_MAX = 256

/**
 * To how many neighbours a chunk is pushed: latency counts more than copies where there are few bytes. On lines with long
 * round trips three are as fast as a flood in half of its bytes; eight were slower.
 */
const FANOUTS: readonly (readonly [maxBytes: number, fanout: number])[] = [
  [96 * 1_024, 3],
  [256 * 1_024, 2],
]

/** What has happened since the start; for metrics. */
export interface GivingCounts {
  chunksPushed: number
  chunksAnswered: number
}

export class SwarmGiving {
  readonly #swarms: ReadonlyMap<SwarmKey, Swarm>
  readonly #peers: ReadonlyMap<PeerId, SwarmPeer>
  readonly #outbox: SwarmOutbox
  readonly #random: RandomSource
  readonly counts: GivingCounts = { chunksPushed: 0, chunksAnswered: 0 }

  /** @param swarms those that there are, in the order in which they are served @param peers the caller's, as well */
  constructor(
    swarms: ReadonlyMap<SwarmKey, Swarm>,
    peers: ReadonlyMap<PeerId, SwarmPeer>,
    outbox: SwarmOutbox,
    random: RandomSource,
  ) {
    this.#swarms = swarms
    this.#peers = peers
    this.#outbox = outbox
    this.#random = random
  }

  /** A neighbour asks for chunks. */
  wanted(swarm: Swarm, link: Link, indices: readonly number[]): void {
    const lack: number[] = []
    for (const index of indices) {
      if (!swarm.mayWant(link, index)) continue
      if (!swarm.holds(index)) lack.push(index)
      else if (link.wants.size < WANTS_MAX) link.wants.add(index)
    }
    if (lack.length > 0) this.#outbox.send(swarm, link, { lack })
  }

  /** Chunks of ours have arrived, also of a swarm that is over. */
  arrived(key: SwarmKey, peer: SwarmPeer, indices: readonly number[], nowMs: number): void {
    for (const index of indices) peer.pacing.acknowledged(flightOf(key, index), nowMs)
  }

  /** One chunk for each neighbour in turn, as long as there is room and something to send. */
  pumpSwarm(swarm: Swarm, nowMs: number): void {
    let links = swarm.inTurn(this.#random)
    while (links.length > 0) {
      links = links.filter(link => {
        const peer = this.#peers.get(link.peer)
        return peer !== undefined && this.#sendNext(peer, nowMs)
      })
    }
  }

  pumpPeer(peer: SwarmPeer, nowMs: number): void {
    while (this.#sendNext(peer, nowMs)) {
      // Until the window is full or nothing is left.
    }
  }

  /** Sends one chunk to a peer if there is one to send: what it asked for, before what is pushed. */
  #sendNext(peer: SwarmPeer, nowMs: number): boolean {
    return peer.pacing.hasRoom() && (this.#answerNext(peer, nowMs) || this.#pushNext(peer, nowMs))
  }

  #answerNext(peer: SwarmPeer, nowMs: number): boolean {
    for (const swarm of this.#swarms.values()) {
      const link = swarm.isOpen ? swarm.links.get(peer.id) : undefined
      if (link === undefined) continue
      for (const index of link.wants) {
        link.wants.delete(index)
        if (peer.pacing.isUnderWay(flightOf(swarm.parts.key, index))) continue
        this.counts.chunksAnswered++
        this.#sendChunk(swarm, link, peer, index, nowMs)
        return true
      }
    }
    return false
  }

  #pushNext(peer: SwarmPeer, nowMs: number): boolean {
    for (const swarm of this.#swarms.values()) {
      const link = swarm.isOpen ? swarm.links.get(peer.id) : undefined
      if (link === undefined) continue
      const fanout = fanoutOf(swarm.parts.head.sizeBytes)
      const index = swarm.nextPush(link, fanout, this.#random)
      if (index === undefined) continue
      this.counts.chunksPushed++
      this.#sendChunk(swarm, link, peer, index, nowMs)
      return true
    }
    return false
  }

  #sendChunk(swarm: Swarm, link: Link, peer: SwarmPeer, index: number, nowMs: number): void {
    const data = swarm.chunk(index)
    swarm.sentTo(link, index)
    peer.pacing.sent(flightOf(swarm.parts.key, index), data.byteLength, nowMs)
    this.#outbox.send(swarm, link, { chunk: { index, data, proof: swarm.proof(index) } })
  }
}

function fanoutOf(sizeBytes: number): number {
  return FANOUTS.find(([maxBytes]) => sizeBytes <= maxBytes)?.[1] ?? 1
}

/** Keys all have one length: no two chunks have the same name. */
function flightOf(key: SwarmKey, index: number): string {
  return key + index
}
