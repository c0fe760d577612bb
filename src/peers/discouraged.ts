/**
 * Who is discouraged: a pure machine that remembers peers which misbehaved badly, apart from bans.
 *
 * A ban is a person's will, kept on disk until it expires. Discouragement is automatic and may hit the wrong one, so it is
 * mild and in memory only: a discouraged peer is not dialled, is the first to be evicted, and is refused when inbound
 * places are taken. This is Bitcoin Core's distinction (`banman.h`), and its size.
 *
 * Rules:
 * - A peer id is discouraged when it is added.
 * - The address that it came from is, once more than `IDS_PER_IP` discouraged ids have come from it (Lighthouse's rule):
 *   identities are free, addresses are not; but an address may be a NAT with honest peers behind it, so one liar among
 *   them is not enough. For IPv6 the address is the /64 (`subscriber.ts`). Addresses without a group (`ruledGroup`) are
 *   never: in a test network all nodes share one.
 * - Two generations of ids, each at most half of `max`: when the young one is full, the old one is forgotten.
 *   An id that is added again becomes young again, and counts for the address that it came from last.
 */
import assert from 'node:assert/strict'
import { type GroupRules, ruledGroup } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'
import { type Subscriber, subscriberOf } from './subscriber.ts'

export const DISCOURAGED_MAX = 50_000

/** So many discouraged peers do not yet make their address one. */
export const IDS_PER_IP = 5

export interface DiscouragedOptions {
  readonly groupRules: GroupRules
  /** How many peer ids are kept at most; an even number, by default `DISCOURAGED_MAX`. */
  readonly max?: number
}

/** Where each id has come from; undefined for addresses that do not count. */
type Generation = Map<PeerId, Subscriber | undefined>

export class Discouraged {
  readonly #groupRules: GroupRules
  readonly #generationMax: number
  #young: Generation = new Map()
  #old: Generation = new Map()
  /** How many ids of both generations have come from there; never 0. */
  readonly #counts = new Map<Subscriber, number>()

  constructor({ groupRules, max = DISCOURAGED_MAX }: DiscouragedOptions) {
    assert.ok(max >= 2 && max % 2 === 0)
    this.#groupRules = groupRules
    this.#generationMax = max / 2
  }

  /** How many peer ids are discouraged. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** @param ip where it came from, when that is known */
  add(peer: PeerId, ip: string | undefined): void {
    this.#forget(peer, this.#young)
    this.#forget(peer, this.#old)
    if (this.#young.size >= this.#generationMax) this.#turn()
    const subscriber = this.#subscriberOf(ip)
    this.#young.set(peer, subscriber)
    if (subscriber !== undefined) this.#counts.set(subscriber, (this.#counts.get(subscriber) ?? 0) + 1)
  }

  /** Whether the peer or the address is discouraged; what is undefined is not. */
  has(peer: PeerId | undefined, ip: string | undefined): boolean {
    if (peer !== undefined && (this.#young.has(peer) || this.#old.has(peer))) return true
    const subscriber = this.#subscriberOf(ip)
    return subscriber !== undefined && (this.#counts.get(subscriber) ?? 0) > IDS_PER_IP
  }

  #subscriberOf(ip: string | undefined): Subscriber | undefined {
    if (ip === undefined || ruledGroup(ip, this.#groupRules) === undefined) return undefined
    return subscriberOf(ip)
  }

  #turn(): void {
    for (const peer of this.#old.keys()) this.#forget(peer, this.#old)
    this.#old = this.#young
    this.#young = new Map()
  }

  #forget(peer: PeerId, generation: Generation): void {
    const subscriber = generation.get(peer)
    generation.delete(peer)
    if (subscriber === undefined) return
    const count = this.#counts.get(subscriber) ?? 0
    assert.ok(count > 0)
    if (count === 1) this.#counts.delete(subscriber)
    else this.#counts.set(subscriber, count - 1)
  }

  check(): void {
    assert.ok(this.#young.size <= this.#generationMax && this.#old.size <= this.#generationMax)
    const counts = new Map<Subscriber, number>()
    for (const [peer, subscriber] of [...this.#young, ...this.#old]) {
      assert.ok(!(this.#young.has(peer) && this.#old.has(peer)))
      if (subscriber !== undefined) counts.set(subscriber, (counts.get(subscriber) ?? 0) + 1)
    }
    assert.deepEqual(this.#counts, counts)
  }
}
