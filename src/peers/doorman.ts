/**
 * The doorman: who may connect, asked at each step of every connection (`Doorman` in `core/ports.ts`).
 *
 * Rules:
 * - Bans come first, also for peers that the user keeps connected: a ban is a person's word too, and the later one.
 * - One connection for each peer. A second one is let in only when the first no longer answers a ping: a peer that has
 *   crashed and come again would otherwise be locked out until its dead connection is noticed. What may have changed
 *   while the answer was waited for is asked anew: the newcomer may have gone, or another one may have come first.
 * - Two peers that dial each other at the same moment keep the connection that the smaller peer id dialled, so that both
 *   keep the same one.
 * - Limits by IP address and group, and who goes when too many are in their handshakes, are `admission.ts`; a
 *   discouraged address gets in while there is plenty of room.
 * - Parts of libp2p that dial by themselves (Kademlia) get `HINTS_MAX` connections in all.
 */
import assert from 'node:assert/strict'
import type { DropReason } from '../core/drops.ts'
import { ipOf } from '../core/endpoint.ts'
import type { Clock, Doorman, SocketId } from '../core/ports.ts'
import type { Address, Direction, PeerId } from '../core/types.ts'
import type { Admission } from './admission.ts'
import type { Bans } from './bans.ts'
import type { Discouraged } from './discouraged.ts'

export interface DoormanParts {
  readonly self: PeerId
  readonly clock: Clock
  readonly admission: Admission
  readonly bans: Bans
  readonly discouraged: Discouraged
  /** There is hardly an inbound place left. */
  isCrowded(): boolean
  /** Connections that parts of libp2p have dialled. */
  hints(): number
  /** Whether a peer answers, within a second or two. A connection that is not open yet is waited for. Never rejects. */
  answers(peer: PeerId): Promise<boolean>
  /** Ends a socket at once. */
  cut(socket: SocketId): void
  refused(reason: DropReason, direction: Direction): void
}

/** Connections younger than this may be one half of a race. */
const RACE_MS = 2_000

const HINTS_MAX = 8

type Arrival = Parameters<Doorman['authenticated']>[0]

interface Held {
  readonly socket: SocketId
  readonly direction: Direction
  readonly sinceMs: number
  /** Told when it is held no longer. */
  readonly waiters: (() => void)[]
}

export class PeersDoorman implements Doorman {
  readonly #parts: DoormanParts
  /** The socket of each peer that has proved its id. One that was told to go is forgotten at once. */
  readonly #held = new Map<PeerId, Held>()
  readonly #peerOf = new Map<SocketId, PeerId>()
  /** Sockets whose question is under way: one that closes meanwhile must not be held afterwards. */
  readonly #asking = new Set<SocketId>()

  constructor(parts: DoormanParts) {
    this.#parts = parts
  }

  /** How many sockets are held, and how many questions are under way. Bounded by the sockets that the host has. */
  get size(): number {
    return this.#held.size + this.#asking.size
  }

  accept(socket: SocketId, ip: string): DropReason | undefined {
    const reason = this.#acceptance(socket, ip)
    if (reason !== undefined) this.#parts.refused(reason, 'inbound')
    return reason
  }

  dial(address: Address, ours: boolean): DropReason | undefined {
    const { bans, clock } = this.#parts
    if (bans.match(ipOf(address), undefined, clock.wallMs()) !== undefined) return 'banned'
    return ours || this.#parts.hints() < HINTS_MAX ? undefined : 'hint'
  }

  async authenticated(arrival: Arrival): Promise<DropReason | undefined> {
    const { socket, direction } = arrival
    this.#asking.add(socket)
    const verdict = await this.#enter(arrival)
    const reason = this.#asking.delete(socket) ? verdict : 'handshake'
    if (reason !== undefined) this.#parts.refused(reason, direction)
    return reason
  }

  closed(socket: SocketId): void {
    this.#parts.admission.closed(socket)
    this.#asking.delete(socket)
    this.#forget(socket)
  }

  check(): void {
    assert.equal(this.#held.size, this.#peerOf.size)
    for (const [peer, { socket }] of this.#held) assert.equal(this.#peerOf.get(socket), peer)
  }

  #acceptance(socket: SocketId, ip: string): DropReason | undefined {
    const { bans, discouraged, admission, clock, isCrowded } = this.#parts
    if (bans.match(ip, undefined, clock.wallMs()) !== undefined) return 'banned'
    if (isCrowded() && discouraged.has(undefined, ip)) return 'discouraged'
    const admittance = admission.accept(socket, ip)
    if (admittance === undefined) return undefined
    if ('refuse' in admittance) return admittance.refuse
    this.#parts.refused('evicted', 'inbound')
    this.#parts.cut(admittance.evict)
    return undefined
  }

  #identity({ peer, address, direction }: Arrival): DropReason | undefined {
    const { self, bans, discouraged, clock, isCrowded } = this.#parts
    if (peer === self) return 'self'
    if (bans.match(ipOf(address), peer, clock.wallMs()) !== undefined) return 'banned'
    if (direction === 'inbound' && isCrowded() && discouraged.has(peer, undefined)) return 'discouraged'
    return undefined
  }

  /** Holds the socket, unless there is a reason not to. Nothing can come between the last question and that. */
  async #enter(arrival: Arrival): Promise<DropReason | undefined> {
    const { socket, peer, direction } = arrival
    for (;;) {
      const reason = this.#identity(arrival)
      if (reason !== undefined) return reason
      const rival = this.#held.get(peer)
      if (rival === undefined) break
      if (this.#isRace(rival, direction)) {
        const isWinner = (direction === 'outbound') === this.#parts.self < peer
        if (!isWinner) return 'duplicate'
        this.#turnOut(rival, 'duplicate')
      } else {
        if (direction === 'outbound' || (await this.#stands(rival, peer))) return 'duplicate'
        if (!this.#asking.has(socket)) return 'handshake'
        if (this.#held.get(peer) === rival) this.#turnOut(rival, 'replaced')
      }
    }
    this.#held.set(peer, { socket, direction, sinceMs: this.#parts.clock.nowMs(), waiters: [] })
    this.#peerOf.set(socket, peer)
    if (direction === 'inbound') this.#parts.admission.opened(socket)
    return undefined
  }

  #isRace(rival: Held, direction: Direction): boolean {
    return this.#parts.clock.nowMs() - rival.sinceMs < RACE_MS && rival.direction !== direction
  }

  /** Whether a peer answers on the connection that it has; false as soon as that one is gone. */
  #stands(rival: Held, peer: PeerId): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    rival.waiters.push(() => resolve(false))
    this.#parts.answers(peer).then(resolve)
    return promise
  }

  #turnOut({ socket, direction }: Held, reason: DropReason): void {
    this.#parts.refused(reason, direction)
    this.#forget(socket)
    this.#parts.cut(socket)
  }

  #forget(socket: SocketId): void {
    const peer = this.#peerOf.get(socket)
    if (peer === undefined) return
    this.#peerOf.delete(socket)
    const held = this.#held.get(peer)
    this.#held.delete(peer)
    for (const tell of held?.waiters ?? []) tell()
  }
}
