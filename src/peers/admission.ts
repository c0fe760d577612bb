/**
 * Admission: a pure machine that counts inbound sockets, and says which one is too many for its address.
 *
 * Rules:
 * - A subscriber (an IPv4 address, an IPv6 /64) holds at most `connectionsPerIp` sockets, of which at most
 *   `pendingPerIp` are still in their handshakes. A pending socket counts as a connection from its first moment, so that
 *   no handshake needs to be refused at its end. The attack: a handful of silent sockets of one host keeps everyone else
 *   out of a default libp2p node.
 * - A network group holds at most `connectionsPerGroup`. The attack: one rented network that takes all inbound places.
 * - Addresses without a group (`ruledGroup`) are not counted. Sockets without an IP address share the limits of one.
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
  /** Sockets, pending ones included. */
  readonly connectionsPerIp: number
  readonly connectionsPerGroup: number
  readonly groupRules: GroupRules
}

interface Admitted {
  readonly subscriber: Subscriber
  readonly group: Group
  isPending: boolean
}

/** How many sockets there are of a kind; what has none is not in the map. */
type Counts<K> = Map<K, number>

export class Admission {
  readonly #options: AdmissionOptions
  readonly #sockets = new Map<SocketId, Admitted>()
  readonly #pending: Counts<Subscriber> = new Map()
  readonly #connections: Counts<Subscriber> = new Map()
  readonly #groups: Counts<Group> = new Map()

  constructor(options: AdmissionOptions) {
    assert.ok(options.pendingPerIp > 0 && options.connectionsPerIp > 0 && options.connectionsPerGroup > 0)
    this.#options = options
  }

  /** How many sockets are counted. */
  get size(): number {
    return this.#sockets.size
  }

  /** A socket has come in. Without a reason it is counted until `closed`; with one it is not, and must be closed. */
  accept(socket: SocketId, ip: string): Extract<DropReason, 'ip-limit' | 'group-limit'> | undefined {
    assert.ok(!this.#sockets.has(socket), 'a socket comes in once')
    const { pendingPerIp, connectionsPerIp, connectionsPerGroup, groupRules } = this.#options
    const group = ruledGroup(ip, groupRules)
    if (group === undefined) return undefined
    const subscriber = subscriberOf(ip)
    if ((this.#pending.get(subscriber) ?? 0) >= pendingPerIp) return 'ip-limit'
    if ((this.#connections.get(subscriber) ?? 0) >= connectionsPerIp) return 'ip-limit'
    if ((this.#groups.get(group) ?? 0) >= connectionsPerGroup) return 'group-limit'
    this.#sockets.set(socket, { subscriber, group, isPending: true })
    increase(this.#pending, subscriber)
    increase(this.#connections, subscriber)
    increase(this.#groups, group)
    return undefined
  }

  /** The other side has proved its peer id. */
  opened(socket: SocketId): void {
    const admitted = this.#sockets.get(socket)
    if (admitted === undefined || !admitted.isPending) return
    admitted.isPending = false
    decrease(this.#pending, admitted.subscriber)
  }

  /** The socket is gone. */
  closed(socket: SocketId): void {
    const admitted = this.#sockets.get(socket)
    if (admitted === undefined) return
    this.#sockets.delete(socket)
    if (admitted.isPending) decrease(this.#pending, admitted.subscriber)
    decrease(this.#connections, admitted.subscriber)
    decrease(this.#groups, admitted.group)
  }

  check(): void {
    const admitted = [...this.#sockets.values()]
    const pending = admitted.filter(({ isPending }) => isPending)
    const { pendingPerIp, connectionsPerIp, connectionsPerGroup } = this.#options
    checkCounts(
      this.#pending,
      pending.map(({ subscriber }) => subscriber),
      pendingPerIp,
    )
    checkCounts(
      this.#connections,
      admitted.map(({ subscriber }) => subscriber),
      connectionsPerIp,
    )
    checkCounts(
      this.#groups,
      admitted.map(({ group }) => group),
      connectionsPerGroup,
    )
  }
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
