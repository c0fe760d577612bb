/**
 * The roster: who is connected, and what is known of each. Facts only; who may stay is decided elsewhere.
 *
 * Bounded by the connections that the doorman lets in.
 */
import type { DropReason } from '../core/drops.ts'
import { type Endpoint, endpointOf, type Group, groupOf, ipOf, peerOf } from '../core/endpoint.ts'
import type { ConnectionInfo } from '../core/ports.ts'
import type { Address, Direction, PeerId } from '../core/types.ts'

export interface Member {
  readonly peer: PeerId
  readonly address: Address
  /** Canonical; empty where the address has none. */
  readonly ip: string
  readonly group: Group
  readonly direction: Direction
  /** Since the Unix epoch, for people. */
  readonly openedAtMs: number
  /** Monotonic, for rules. */
  readonly sinceMs: number
  /** What we dialled; undefined for one that dialled us, and where we dialled a name. */
  readonly endpoint: Endpoint | undefined
  /** Where it says that it listens. */
  listens: readonly Endpoint[]
  agent: string
  handshake: 'pending' | 'done' | 'plain'
  /** Why it is being dropped. */
  leaving: DropReason | undefined
  /** Told what becomes of the handshake: true when it has succeeded. */
  waiters: ((isGreeted: boolean) => void)[]
}

export class Roster {
  readonly #members = new Map<PeerId, Member>()
  /** Peers that the program has connected to by itself, while they are connected. */
  readonly #asked = new Set<PeerId>()

  get size(): number {
    return this.#members.size
  }

  get(peer: PeerId): Member | undefined {
    return this.#members.get(peer)
  }

  /** @returns the new member; undefined when the peer is there already */
  add(connection: ConnectionInfo, nowMs: number): Member | undefined {
    const { peer, address, direction, openedAtMs } = connection
    if (this.#members.has(peer)) return undefined
    const ip = ipOf(address) ?? ''
    const member: Member = {
      peer,
      address: peerOf(address) === undefined ? `${address}/p2p/${peer}` : address,
      ip,
      group: groupOf(ip),
      direction,
      openedAtMs,
      sinceMs: nowMs,
      endpoint: direction === 'outbound' ? endpointOf(address) : undefined,
      listens: [],
      agent: '',
      handshake: 'pending',
      leaving: undefined,
      waiters: [],
    }
    this.#members.set(peer, member)
    return member
  }

  /** Whoever waits for its handshake is told that there will be none. */
  remove(peer: PeerId): Member | undefined {
    const member = this.#members.get(peer)
    if (member === undefined) return undefined
    this.#members.delete(peer)
    this.#asked.delete(peer)
    for (const tell of member.waiters.splice(0)) tell(false)
    return member
  }

  ask(peer: PeerId): void {
    if (this.#members.has(peer)) this.#asked.add(peer)
  }

  isAsked(peer: PeerId): boolean {
    return this.#asked.has(peer)
  }

  /** The handshake has ended well. */
  greet(member: Member, handshake: 'done' | 'plain'): void {
    member.handshake = handshake
    for (const tell of member.waiters.splice(0)) tell(true)
  }

  /** Resolves when the handshake has ended; false also for a peer that is not connected. */
  greeted(peer: PeerId): Promise<boolean> {
    const member = this.#members.get(peer)
    if (member === undefined || member.leaving !== undefined) return Promise.resolve(false)
    if (member.handshake !== 'pending') return Promise.resolve(true)
    return new Promise(resolve => member.waiters.push(resolve))
  }

  [Symbol.iterator](): IterableIterator<Member> {
    return this.#members.values()
  }
}
