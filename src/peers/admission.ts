/**
 * Admission: a pure machine that counts inbound sockets, and says which one is too many for its address.
 *
 * Rules:
 * - A subscriber (an IPv4 address, an IPv6 /64) holds at most `connectionsPerIp` sockets, of which at most
 *   `pendingPerIp` are still in their handshakes. A pending socket counts as a connection from its first moment, so that
 *   no handshake needs to be refused at its end. The attack: a handful of silent sockets of one host keeps everyone else
 *   out of a default libp2p node.
 * - A network group holds at most `connectionsPerGroup`. The attack: one rented network that takes all inbound places.
 * - In all at most `pendingMax` are in their handshakes. The one too many gets in, and the oldest of the group that has
 *   most of them goes; between groups with as many, the oldest of all. Honest handshakes are over in a moment, so it is
 *   a silent one. The attack: sockets from so many networks that no limit for one of them acts, and a node that refuses
 *   newcomers is shut.
 * - Addresses without a group (`ruledGroup`) have no limits of their own; among the pending each is a group for itself.
 *   Sockets without an IP address share the limits of one.
 * - Only inbound sockets are told to it; what it does not know it ignores.
 *
 * Bound: one record for each open socket, and these are bounded by the listener.
 */
import assert from 'node:assert/strict'
import type { DropReason } from '../core/drops.ts'
import { type Group, type GroupRules, ruledGroup } from '../core/endpoint.ts'
import type { SocketId } from '../core/ports.ts'
import { type Subscriber, subscriberOf } from './subscriber.ts'

export interface AdmissionOptions {
  /** Sockets whose other side has not proved its peer id yet. */
  readonly pendingPerIp: number
  /** The same, of all addresses. */
  readonly pendingMax: number
  /** Sockets, pending ones included. */
  readonly connectionsPerIp: number
  readonly connectionsPerGroup: number
  readonly groupRules: GroupRules
}

/** What becomes of a socket that may not come in, or who must go so that it may. */
export type Admittance =
  | { readonly refuse: Extract<DropReason, 'ip-limit' | 'group-limit'> }
  | { readonly evict: SocketId }

interface Admitted {
  readonly subscriber: Subscriber
  /** Undefined where only the limit of all pending sockets counts. */
  readonly group: Group | undefined
  isPending: boolean
}

/** How many sockets there are of a kind; what has none is not in the map. */
type Counts<K> = Map<K, number>

export class Admission {
  readonly #options: AdmissionOptions
  readonly #sockets = new Map<SocketId, Admitted>()
  readonly #pending: Counts<Subscriber> = new Map()
  readonly #pendingOf: Counts<Group> = new Map()
  /** All pending ones, oldest first. */
  readonly #queue = new Set<SocketId>()
  readonly #connections: Counts<Subscriber> = new Map()
  readonly #groups: Counts<Group> = new Map()

  constructor(options: AdmissionOptions) {
    const { pendingPerIp, pendingMax, connectionsPerIp, connectionsPerGroup } = options
    assert.ok(Math.min(pendingPerIp, pendingMax, connectionsPerIp, connectionsPerGroup) > 0)
    this.#options = options
  }

  /** How many sockets are counted. */
  get size(): number {
    return this.#sockets.size
  }

  /**
   * A socket has come in. It is counted until `closed`, unless it is refused and must be closed. One that is evicted for
   * it is counted no more, and must be closed too.
   */
  accept(socket: SocketId, ip: string): Admittance | undefined {
    assert.ok(!this.#sockets.has(socket), 'a socket comes in once')
    const subscriber = subscriberOf(ip)
    const group = ruledGroup(ip, this.#options.groupRules)
    const refuse = group === undefined ? undefined : this.#refusal(subscriber, group)
    if (refuse !== undefined) return { refuse }
    const evict = this.#queue.size >= this.#options.pendingMax ? this.#victim() : undefined
    if (evict !== undefined) this.closed(evict)
    const admitted = { subscriber, group, isPending: true }
    this.#sockets.set(socket, admitted)
    this.#queue.add(socket)
    increase(this.#pendingOf, pendingGroup(admitted))
    if (group !== undefined) {
      increase(this.#pending, subscriber)
      increase(this.#connections, subscriber)
      increase(this.#groups, group)
    }
    return evict === undefined ? undefined : { evict }
  }

  /** The other side has proved its peer id. */
  opened(socket: SocketId): void {
    const admitted = this.#sockets.get(socket)
    if (admitted === undefined || !admitted.isPending) return
    admitted.isPending = false
    this.#queue.delete(socket)
    decrease(this.#pendingOf, pendingGroup(admitted))
    if (admitted.group !== undefined) decrease(this.#pending, admitted.subscriber)
  }

  /** The socket is gone. */
  closed(socket: SocketId): void {
    const admitted = this.#sockets.get(socket)
    if (admitted === undefined) return
    this.opened(socket)
    this.#sockets.delete(socket)
    if (admitted.group === undefined) return
    decrease(this.#connections, admitted.subscriber)
    decrease(this.#groups, admitted.group)
  }

  check(): void {
    const admitted = [...this.#sockets.values()]
    const pending = admitted.filter(({ isPending }) => isPending)
    const { pendingPerIp, pendingMax, connectionsPerIp, connectionsPerGroup } = this.#options
    const waiting = [...this.#sockets].filter(([, { isPending }]) => isPending).map(([socket]) => socket)
    assert.deepEqual([...this.#queue], waiting)
    checkCounts(this.#pendingOf, pending.map(pendingGroup), pendingMax)
    assert.ok(this.#queue.size <= pendingMax)
    checkCounts(this.#pending, subscribersOf(pending), pendingPerIp)
    checkCounts(this.#connections, subscribersOf(admitted), connectionsPerIp)
    const groups = admitted.flatMap(({ group }) => group ?? [])
    checkCounts(this.#groups, groups, connectionsPerGroup)
  }

  #refusal(
    subscriber: Subscriber,
    group: Group,
  ): Extract<DropReason, 'ip-limit' | 'group-limit'> | undefined {
    const { pendingPerIp, connectionsPerIp, connectionsPerGroup } = this.#options
    if ((this.#pending.get(subscriber) ?? 0) >= pendingPerIp) return 'ip-limit'
    if ((this.#connections.get(subscriber) ?? 0) >= connectionsPerIp) return 'ip-limit'
    return (this.#groups.get(group) ?? 0) >= connectionsPerGroup ? 'group-limit' : undefined
  }

  /** The oldest pending socket of a group that has most of them. */
  #victim(): SocketId | undefined {
    const most = Math.max(...this.#pendingOf.values())
    for (const socket of this.#queue) {
      const admitted = this.#sockets.get(socket)
      assert.ok(admitted !== undefined)
      if (this.#pendingOf.get(pendingGroup(admitted)) === most) return socket
    }
    return undefined
  }
}

/** What a socket counts for among the pending ones. */
function pendingGroup({ subscriber, group }: Admitted): Group {
  return group ?? `exempt:${subscriber}`
}

/** Of those that have limits of their own. */
function subscribersOf(admitted: readonly Admitted[]): Subscriber[] {
  return admitted.flatMap(({ subscriber, group }) => (group === undefined ? [] : subscriber))
}

function increase<K>(counts: Counts<K>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function decrease<K>(counts: Counts<K>, key: K): void {
  const count = counts.get(key)
  assert.ok(count !== undefined && count > 0)
  if (count === 1) counts.delete(key)
  else counts.set(key, count - 1)
}

function checkCounts<K>(counts: Counts<K>, counted: readonly K[], most: number): void {
  const expected: Counts<K> = new Map()
  for (const key of counted) increase(expected, key)
  assert.deepEqual(counts, expected)
  for (const count of counts.values()) assert.ok(count <= most)
}
