/**
 * The places: a pure machine's memory of who is connected or being dialled, and which endpoints and groups that takes.
 *
 * Rules:
 * - A dial under way takes its endpoint and reserves its group, so that two dials cannot end in one group. A feeler
 *   takes its endpoint only: it goes at once, and could otherwise never test an address beside a connected one.
 * - A place that was told to leave takes its group until it is closed: otherwise the next one in that group could
 *   overlap with it.
 * - A peer that is not ours to manage (inbound, manual, found by a walk) takes the endpoints at which it was reached, by
 *   the book's word, and no group: who dials us would choose our groups otherwise, and a person's will is not ours to
 *   spread. Where it says that it listens takes nothing: an attacker who names the endpoints of honest nodes would keep
 *   us from dialling them. If it is true, one dial ends as a duplicate, and the book knows.
 * - `OTHERS_MAX` such peers are remembered; what is beyond that is dialled in vain.
 */
import assert from 'node:assert/strict'
import { type Endpoint, type Group, type GroupRules, parseEndpoint, ruledGroup } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'

/** What a dial is for. */
export type DialPurpose =
  /** To fill a place. */
  | 'outbound'
  /** The same, with a peer that we knew before the restart. */
  | 'anchor'
  /** To see whether the address works. */
  | 'feeler'
  /** To take the place of the youngest. */
  | 'rotation'

export interface Dial {
  readonly endpoint: Endpoint
  readonly purpose: DialPurpose
  /** Undefined where no rule of groups holds. */
  readonly group: Group | undefined
}

export interface Place extends Dial {
  readonly peer: PeerId
  readonly sinceMs: number
  /** It was told to go, and is not gone yet. */
  isLeaving: boolean
}

/** How many peers that are not ours are remembered; far above the caps on connections. */
export const OTHERS_MAX = 10_000

export class Places {
  readonly #dials = new Map<Endpoint, Dial>()
  /** Oldest first. */
  readonly #places = new Map<PeerId, Place>()
  readonly #others = new Set<PeerId>()

  /** Places that are taken and stay so, oldest first; no feelers. */
  kept(): Place[] {
    return [...this.#places.values()].filter(place => place.purpose !== 'feeler' && !place.isLeaving)
  }

  /** How many connected peers there are that are not ours. */
  get others(): number {
    return this.#others.size
  }

  dialling(...purposes: DialPurpose[]): number {
    return count(this.#dials.values(), dial => purposes.includes(dial.purpose))
  }

  /** Feelers under way, and those that have not closed yet. */
  get feelers(): number {
    return this.dialling('feeler') + count(this.#places.values(), place => place.purpose === 'feeler')
  }

  /** Whether a place, not counting feelers, is about to be free. */
  get isOneLeaving(): boolean {
    return count(this.#places.values(), place => place.isLeaving && place.purpose !== 'feeler') > 0
  }

  of(peer: PeerId): Place | undefined {
    return this.#places.get(peer)
  }

  /** Our own place at an endpoint. */
  at(endpoint: Endpoint): Place | undefined {
    for (const place of this.#places.values()) if (place.endpoint === endpoint) return place
    return undefined
  }

  isConnected(peer: PeerId): boolean {
    return this.#places.has(peer) || this.#others.has(peer)
  }

  isDialling(endpoint: Endpoint): boolean {
    return this.#dials.has(endpoint)
  }

  /** @param peer who was reached at the endpoint last, if anybody was */
  isTaken(endpoint: Endpoint, peer: PeerId | undefined): boolean {
    if (this.#dials.has(endpoint) || this.at(endpoint) !== undefined) return true
    return peer !== undefined && this.isConnected(peer)
  }

  isGroupTaken(group: Group | undefined): boolean {
    return group !== undefined && this.#groups().includes(group)
  }

  dial(dial: Dial): void {
    assert.ok(!this.#dials.has(dial.endpoint), `${dial.endpoint} is being dialled already`)
    this.#dials.set(dial.endpoint, dial)
  }

  /** Ends a dial; undefined when there was none. */
  takeDial(endpoint: Endpoint): Dial | undefined {
    const dial = this.#dials.get(endpoint)
    this.#dials.delete(endpoint)
    return dial
  }

  open(dial: Dial, peer: PeerId, nowMs: number): Place {
    assert.ok(!this.isConnected(peer), `${peer} has a place already`)
    const place = { ...dial, peer, sinceMs: nowMs, isLeaving: dial.purpose === 'feeler' }
    this.#places.set(peer, place)
    return place
  }

  /** Ends a place; undefined when there was none. */
  close(peer: PeerId): Place | undefined {
    const place = this.#places.get(peer)
    this.#places.delete(peer)
    return place
  }

  /** A peer that is not ours has connected; one more than there may be is not remembered. */
  join(peer: PeerId): void {
    if (!this.isConnected(peer) && this.#others.size < OTHERS_MAX) this.#others.add(peer)
  }

  leave(peer: PeerId): void {
    this.#others.delete(peer)
  }

  check(): void {
    const groups = this.#groups().filter(group => group !== undefined)
    assert.equal(new Set(groups).size, groups.length, 'two in one group')
    assert.ok(this.feelers <= 1, 'two feelers')
    assert.ok(this.dialling('rotation') <= 1, 'two rotations')
    assert.ok(this.#others.size <= OTHERS_MAX)
    for (const peer of this.#places.keys()) assert.ok(!this.#others.has(peer), `${peer} is counted twice`)
  }

  #groups(): (Group | undefined)[] {
    return [...this.#dials.values(), ...this.#places.values()]
      .filter(({ purpose }) => purpose !== 'feeler')
      .map(({ group }) => group)
  }
}

/** The group of an endpoint that the rules look at; undefined where they exempt it. */
export function groupsUnder(rules: GroupRules): (endpoint: Endpoint) => Group | undefined {
  return endpoint => ruledGroup(parseEndpoint(endpoint)?.ip ?? '', rules)
}

function count<T>(items: Iterable<T>, matches: (item: T) => boolean): number {
  let found = 0
  for (const item of items) if (matches(item)) found++
  return found
}
