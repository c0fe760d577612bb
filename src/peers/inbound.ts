/**
 * Inbound places: a pure machine that says which of the peers that dialled us must go.
 *
 * Rules:
 * - At most `inboundMax` peers hold a place. One more takes the place of the peer that is worth least (`eviction.ts`). The
 *   newcomer is weighed by its group only, or a full node could never be reached by an honest stranger.
 * - A newcomer that is discouraged gets no place when all are taken.
 * - Peers without our protocols (`plain`) hold at most a quarter of the places, and none without `interop`. One more takes
 *   the place of the plain peer that is worth least. The attack: foreign software costs nothing to pretend.
 * - Manual peers hold no place: they are not counted, not evicted and not refused. A person asked for them.
 * - Who is dropped is forgotten at once, and counts no more while its connection closes.
 *
 * Why own eviction: libp2p refuses everyone at its limit, and its pruner ranks by tags that peers influence.
 *
 * Bound: one record for each peer with a place, and one for each manual peer, of which the user gives at most as many as
 * can be kept connected (`connector.ts`).
 */
import assert from 'node:assert/strict'
import type { DropReason } from '../core/drops.ts'
import { type GroupRules, ruledGroup } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'
import { blake2b64 } from './book-placement.ts'
import { type Candidate, victimOf } from './eviction.ts'

export interface InboundOptions {
  readonly inboundMax: number
  /** Whether peers that do not speak our protocols may stay. */
  readonly interop: boolean
  readonly groupRules: GroupRules
  /** Secret, random text: decides which network groups are protected. */
  readonly key: string
}

export type InboundEvent =
  /** Once more for the same peer: what is said of it has changed. */
  | { type: 'connected'; peer: PeerId; ip: string; isManual: boolean; isDiscouraged: boolean }
  /** A round trip was measured. */
  | { type: 'rtt'; peer: PeerId; ms: number }
  /** It was the first to give us a message, and the upper layer has accepted it. */
  | { type: 'fresh'; peer: PeerId; sizeBytes: number }
  /** It does not speak our protocols. */
  | { type: 'plain'; peer: PeerId }
  /** It does. */
  | { type: 'greeted'; peer: PeerId }
  | { type: 'closed'; peer: PeerId }

export interface InboundAction {
  readonly type: 'drop'
  readonly peer: PeerId
  readonly reason: Extract<DropReason, 'full' | 'discouraged' | 'evicted' | 'plain'>
}

/** Half of a peer's bytes are forgotten in this time: what was given yesterday protects nobody. */
const FRESH_HALF_LIFE_MS = 600_000

/** One place in so many is open to plain peers. */
const PLAIN_SHARE = 4

/** `freshBytes` is as of `lastFreshMs`. */
type Place = { -readonly [field in keyof Candidate]: Candidate[field] } & {
  isManual: boolean
  isPlain: boolean
}

export class Inbound {
  readonly #options: InboundOptions
  /** In the order in which they came. */
  readonly #places = new Map<PeerId, Place>()

  constructor(options: InboundOptions) {
    assert.ok(options.inboundMax >= 0)
    this.#options = options
  }

  /** How many places are taken. */
  get taken(): number {
    return this.#taken().length
  }

  handle(event: InboundEvent, nowMs: number): InboundAction[] {
    if (event.type === 'connected') return this.#onConnected(event, nowMs)
    const place = this.#places.get(event.peer)
    if (place === undefined) return []
    switch (event.type) {
      case 'rtt':
        place.minRttMs = Math.min(event.ms, place.minRttMs ?? event.ms)
        return []
      case 'fresh':
        place.freshBytes = freshBytes(place, nowMs) + event.sizeBytes
        place.lastFreshMs = nowMs
        return []
      case 'plain':
        place.isPlain = true
        return this.#makePlainRoom(place, nowMs)
      case 'greeted':
        place.isPlain = false
        return []
      case 'closed':
        this.#places.delete(event.peer)
        return []
    }
  }

  #onConnected(event: Extract<InboundEvent, { type: 'connected' }>, nowMs: number): InboundAction[] {
    const { peer, ip, isManual, isDiscouraged } = event
    const group = ruledGroup(ip, this.#options.groupRules)
    const groupRank = rank(this.#options.key, group ?? peer)
    const said = { group, groupRank, isManual, isDiscouraged }
    const place = Object.assign(this.#places.get(peer) ?? newPlace(peer), said)
    this.#places.set(peer, place)
    const actions = this.#makeRoom(place, nowMs)
    // One that was manual until now may be a plain peer too many.
    const isPlainHere = place.isPlain && this.#places.has(peer)
    return isPlainHere ? [...actions, ...this.#makePlainRoom(place, nowMs)] : actions
  }

  #makeRoom(newcomer: Place, nowMs: number): InboundAction[] {
    const taken = this.#taken()
    if (taken.length <= this.#options.inboundMax) return []
    if (newcomer.isDiscouraged) return this.#drop(newcomer.peer, 'discouraged')
    const victim = this.#leastOf(taken, newcomer, nowMs)
    return victim === undefined ? this.#drop(newcomer.peer, 'full') : this.#drop(victim, 'evicted')
  }

  #makePlainRoom(newcomer: Place, nowMs: number): InboundAction[] {
    const { interop, inboundMax } = this.#options
    if (newcomer.isManual) return []
    if (!interop) return this.#drop(newcomer.peer, 'plain')
    const plain = this.#taken().filter(place => place.isPlain)
    if (plain.length <= Math.floor(inboundMax / PLAIN_SHARE)) return []
    const victim = newcomer.isDiscouraged ? undefined : this.#leastOf(plain, newcomer, nowMs)
    return this.#drop(victim ?? newcomer.peer, 'plain')
  }

  #taken(): Place[] {
    return [...this.#places.values()].filter(place => !place.isManual)
  }

  #leastOf(places: readonly Place[], newcomer: Place, nowMs: number): PeerId | undefined {
    const others = places.filter(place => place !== newcomer)
    return victimOf(
      others.map(place => ({ ...place, freshBytes: freshBytes(place, nowMs) })),
      newcomer.group,
    )
  }

  #drop(peer: PeerId, reason: InboundAction['reason']): InboundAction[] {
    this.#places.delete(peer)
    return [{ type: 'drop', peer, reason }]
  }

  check(): void {
    const { inboundMax, interop } = this.#options
    const taken = this.#taken()
    const plain = taken.filter(place => place.isPlain)
    assert.ok(taken.length <= inboundMax)
    assert.ok(plain.length <= (interop ? Math.floor(inboundMax / PLAIN_SHARE) : 0))
  }
}

function newPlace(peer: PeerId): Place {
  return {
    peer,
    group: undefined,
    groupRank: 0,
    minRttMs: undefined,
    lastFreshMs: undefined,
    freshBytes: 0,
    isDiscouraged: false,
    isManual: false,
    isPlain: false,
  }
}

function freshBytes({ freshBytes, lastFreshMs }: Place, nowMs: number): number {
  if (lastFreshMs === undefined) return 0
  return freshBytes * 2 ** (-Math.max(0, nowMs - lastFreshMs) / FRESH_HALF_LIFE_MS)
}

/** The first 48 bits of BLAKE2b-64 over key and text: as safe as its keyed mode (`book-placement.ts`). */
function rank(key: string, text: string): number {
  const hash = blake2b64(new TextEncoder().encode(`${key}/${text}`))
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).readUIntBE(0, 6)
}
