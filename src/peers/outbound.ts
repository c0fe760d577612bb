/**
 * Outbound connections: a pure machine that decides whom to dial, and whom of our own dials to let go.
 *
 * Rules, with the attack or the accident that each answers:
 * - `target` places, never two of them in one group, dials under way included, and no way around it: an operator of
 *   one /16 gets one place. A node that knows too few groups stays below its target. Inbound and manual peers take no
 *   group.
 * - `anchors` of the places belong to peers from before the restart (`anchors.ts`); they are dialled before all others.
 * - Further places are filled with Bitcoin's draws from the book (`pick.ts`); if nothing fits, with those that we lost
 *   or missed and whose pause is over; at most `parallelDials` at once, and not faster than `pace.ts` says.
 * - Feelers, only while all places are taken: in the mean every `feelerPeriodMs`, at random times, one address of `new`
 *   is tried and the connection dropped at once. They keep `tried` fresh, so that it is no old list after a restart.
 *   The occupant of a `tried` place that another address wants comes first: honest nodes that are online stay.
 * - Rotation, only while all places are taken: every `rotationMinMs` to `rotationMaxMs` one address out of a group that
 *   is not in use and was not tried by rotation for 10 minutes is dialled. If it greets, the youngest place that is no
 *   anchor goes to it. Without this a healed partition stays split: both sides have all the peers they want. Only the
 *   youngest goes, so that an attacker who is chosen often gets one place and not all.
 * - `seek` asks for other sources (DNS seeds, bootstrap) when the book has nothing to offer or nobody answers, with a
 *   pause that grows from 15 s to 30 minutes, and every 30 minutes in any case: an island cannot know that it is one.
 * - When nobody answers at all, `outage.ts` makes pauses and spares the book.
 *
 * Every dial must be answered by exactly one of `failed`, `refused`, `greeted`; every place that greeted ends with
 * `closed`, whoever closes it. What is answered without having been asked changes nothing.
 */
import assert from 'node:assert/strict'
import type { Endpoint, Group, GroupRules } from '../core/endpoint.ts'
import type { RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import { type Anchor, Anchors } from './anchors.ts'
import { Candidates } from './candidates.ts'
import { Outage } from './outage.ts'
import type { DialResult, OutboundAction, OutboundCounts, OutboundEvent } from './outbound-event.ts'
import { Pace } from './pace.ts'
import type { DialBook } from './pick.ts'
import { type DialPurpose, groupsUnder, type Place, Places } from './places.ts'
import { Seeking } from './seeking.ts'

export interface OutboundOptions {
  /** How many outbound connections; 0 switches all of this off. */
  readonly target: number
  /** How many of them are anchors; not more than there are. */
  readonly anchors: number
  readonly feelerPeriodMs: number
  readonly rotationMinMs: number
  readonly rotationMaxMs: number
  readonly parallelDials: number
  readonly groupRules: GroupRules
  /** The pauses while nobody answers. */
  readonly offlineMinMs: number
  readonly offlineMaxMs: number
}

export interface OutboundParts {
  readonly book: DialBook
  readonly random: RandomSource
  /** False for what is banned, discouraged, of another network, or ourselves. */
  readonly mayDial: (endpoint: Endpoint) => boolean
  /** The list that `anchors` asked to write last. */
  readonly anchors: readonly Anchor[]
  /** In place of `ruledGroup`, for tests that take a rule out. */
  readonly groupOf?: (endpoint: Endpoint) => Group | undefined
}

const none = (): Record<DialResult, number> => ({ greeted: 0, refused: 0, failed: 0 })

/** How often it is noted that connected peers are reached. */
const REFRESH_MS = 6 * 3_600_000

export class Outbound {
  readonly #options: OutboundOptions
  readonly #parts: OutboundParts
  readonly #groupOf: (endpoint: Endpoint) => Group | undefined
  readonly #places = new Places()
  readonly #candidates: Candidates
  readonly #pace = new Pace()
  readonly #outage: Outage
  readonly #anchors: Anchors
  readonly #seeking: Seeking
  readonly #results = { outbound: none(), anchor: none(), feeler: none(), rotation: none() }
  /** Nobody answers, and a pause has begun. */
  #isOffline = false
  #feelerAtMs: number | undefined
  #rotationAtMs: number | undefined
  #refreshedAtMs = Number.NEGATIVE_INFINITY
  #isStopped = false
  // The event that is being handled.
  #nowMs = 0
  #wallMs = 0
  #actions: OutboundAction[] = []

  constructor(options: OutboundOptions, parts: OutboundParts) {
    assert.ok(options.target >= 0 && options.anchors >= 0 && options.parallelDials > 0)
    assert.ok(options.rotationMinMs > 0 && options.rotationMinMs <= options.rotationMaxMs)
    assert.ok(options.feelerPeriodMs > 0)
    const { book, random, mayDial, groupOf = groupsUnder(options.groupRules) } = parts
    this.#options = options
    this.#parts = parts
    this.#groupOf = groupOf
    this.#candidates = new Candidates({ book, random, mayDial, groupOf, places: this.#places })
    this.#outage = new Outage({ minMs: options.offlineMinMs, maxMs: options.offlineMaxMs }, random)
    this.#anchors = new Anchors(Math.min(options.anchors, options.target), parts.anchors)
    this.#seeking = new Seeking(random)
  }

  /** Undefined for a peer that has none of our places. */
  roleOf(peer: PeerId): 'outbound' | 'anchor' | 'feeler' | undefined {
    const place = this.#places.of(peer)
    if (place === undefined) return undefined
    if (place.purpose === 'feeler') return 'feeler'
    return this.#isAnchor(place) ? 'anchor' : 'outbound'
  }

  counts(): OutboundCounts {
    const kept = this.#places.kept()
    return {
      established: kept.length,
      anchors: kept.filter(place => this.#isAnchor(place)).length,
      dialling: this.#places.dialling('outbound', 'anchor', 'feeler', 'rotation'),
      results: this.#results,
    }
  }

  /** @param nowMs monotonic  @param wallMs since the Unix epoch, for the book */
  handle(event: OutboundEvent, nowMs: number, wallMs: number): OutboundAction[] {
    this.#nowMs = nowMs
    this.#wallMs = wallMs
    this.#actions = []
    if (this.#isStopped) return []
    this.#note(event)
    if (event.type === 'stop') this.#onStop()
    else if (this.#options.target > 0) {
      this.#dialAnchors()
      this.#fill()
      this.#rotate()
      this.#feel()
      this.#anchors.update(this.#places.kept(), nowMs)
      this.#writeAnchors()
      if (this.#seeking.isDue(nowMs)) this.#actions.push({ type: 'seek' })
    }
    return this.#actions
  }

  check(): void {
    const { target, parallelDials } = this.#options
    this.#places.check()
    this.#candidates.check()
    this.#outage.check()
    this.#anchors.check()
    const kept = this.#places.kept().length
    const filling = this.#places.dialling('outbound', 'anchor')
    assert.ok(kept <= target, `${kept} places of ${target}`)
    // One more may come when a rotation took the place for which a dial is under way.
    assert.ok(kept + filling <= target + 1, `${kept} places and ${filling} dials`)
    assert.ok(this.#places.dialling('outbound') <= parallelDials)
  }

  #note(event: OutboundEvent): void {
    switch (event.type) {
      case 'failed':
        return this.#onFailed(event.endpoint)
      case 'refused':
        return this.#onRefused(event)
      case 'greeted':
        return this.#onGreeted(event.endpoint, event.peer)
      case 'closed':
        return this.#onClosed(event.peer)
      case 'peer':
        this.#places.join(event.peer)
        return this.#outage.answered()
      case 'gone':
        this.#places.leave(event.peer)
        return this.#pace.stir(this.#nowMs)
      case 'learned':
        return this.#pace.stir(this.#nowMs)
      case 'manual':
        return this.#onManual(event.peer)
      case 'tick':
        return this.#refresh()
      case 'stop':
        return
    }
  }

  #onManual(peer: PeerId): void {
    const place = this.#places.close(peer)
    if (place === undefined) return
    this.#anchors.lost(place.endpoint, this.#nowMs)
    this.#places.join(peer)
    this.#pace.wake()
  }

  #onStop(): void {
    this.#isStopped = true
    this.#anchors.clear()
    this.#writeAnchors()
  }

  /** Who is connected for weeks is still reached: only what was reached of late is told to others. */
  #refresh(): void {
    if (this.#nowMs - this.#refreshedAtMs < REFRESH_MS) return
    this.#refreshedAtMs = this.#nowMs
    for (const { endpoint, peer } of this.#places.kept()) this.#parts.book.good(endpoint, peer, this.#wallMs)
  }

  #onFailed(endpoint: Endpoint): void {
    const dial = this.#places.takeDial(endpoint)
    if (dial === undefined) return
    const { book } = this.#parts
    this.#results[dial.purpose].failed++
    if (!this.#isAlone() && this.#outage.isCounting) book.attempt(endpoint, true, this.#wallMs)
    this.#candidates.pauses.failed(endpoint, this.#nowMs)
    this.#anchors.failed(endpoint)
    if (!this.#outage.failed(this.#isAlone(), this.#nowMs)) return
    this.#anchors.revive()
    this.#isOffline = true
    this.#seeking.want()
  }

  #onRefused({ endpoint, reason, peer }: Extract<OutboundEvent, { type: 'refused' }>): void {
    const dial = this.#places.takeDial(endpoint)
    if (dial === undefined) return
    this.#results[dial.purpose].refused++
    this.#outage.answered()
    switch (reason) {
      case 'network':
      case 'self':
        this.#parts.book.remove(endpoint)
        return this.#anchors.forget(endpoint)
      case 'duplicate':
        return this.#onDuplicate(endpoint, peer)
      default:
        this.#parts.book.attempt(endpoint, true, this.#wallMs)
        this.#candidates.pauses.failed(endpoint, this.#nowMs)
        this.#anchors.refused(endpoint)
    }
  }

  #onGreeted(endpoint: Endpoint, peer: PeerId): void {
    const dial = this.#places.takeDial(endpoint)
    if (dial === undefined) return
    this.#outage.answered()
    if (this.#places.isConnected(peer)) {
      this.#results[dial.purpose].refused++
      return this.#onDuplicate(endpoint, peer)
    }
    this.#results[dial.purpose].greeted++
    this.#parts.book.good(endpoint, peer, this.#wallMs)
    const place = this.#places.open(dial, peer, this.#nowMs)
    if (dial.purpose === 'feeler') this.#actions.push({ type: 'drop', peer, reason: 'feeler' })
    else this.#anchors.greeted(endpoint, peer)
    this.#trim(place)
  }

  /** The peer there is connected already. Its address works all the same. */
  #onDuplicate(endpoint: Endpoint, peer: PeerId | undefined): void {
    if (peer !== undefined) this.#parts.book.good(endpoint, peer, this.#wallMs)
    this.#anchors.spared(endpoint)
    // Of some connections we never hear, and of others too late.
    if (!this.#places.isTaken(endpoint, peer)) this.#candidates.pauses.failed(endpoint, this.#nowMs)
  }

  #onClosed(peer: PeerId): void {
    const place = this.#places.close(peer)
    if (place === undefined) return
    this.#parts.book.heard(place.endpoint, this.#wallMs)
    this.#anchors.lost(place.endpoint, this.#nowMs)
    if (place.isLeaving) return
    this.#candidates.pauses.lost(place.endpoint, this.#nowMs - place.sinceMs, this.#nowMs)
    this.#pace.wake()
    if (this.#places.kept().length > 0) return
    this.#anchors.revive()
    this.#seeking.urge()
  }

  /** One place too many: the youngest goes that is no anchor. */
  #trim(newcomer: Place): void {
    const kept = this.#places.kept()
    if (kept.length <= this.#options.target) return
    const isRotation = newcomer.purpose === 'rotation'
    const others = kept.filter(place => !this.#isAnchor(place) && !(isRotation && place === newcomer))
    const victim = others.at(-1) ?? newcomer
    victim.isLeaving = true
    // Otherwise it could come back with the next rotation, and so on.
    this.#candidates.wear(victim.endpoint, this.#nowMs)
    const reason = isRotation && victim !== newcomer ? 'rotated' : 'surplus'
    this.#actions.push({ type: 'drop', peer: victim.peer, reason })
  }

  #dialAnchors(): void {
    if (this.#outage.isPausing(this.#nowMs)) return
    if (this.#isOffline) this.#afterPause()
    const due: Anchor[] = []
    for (const anchor of this.#anchors.waiting()) {
      const { endpoint } = anchor
      if (this.#taken() >= this.#options.target || !this.#candidates.fits(anchor, this.#nowMs)) continue
      this.#anchors.dialled(endpoint)
      this.#places.dial({ endpoint, purpose: 'anchor', group: this.#groupOf(endpoint) })
      due.push(anchor)
    }
    // Its trial is on disk before an anchor can do anything to us.
    this.#writeAnchors()
    for (const { endpoint, peer } of due) {
      this.#parts.book.attempt(endpoint, false, this.#wallMs)
      this.#actions.push({ type: 'dial', endpoint, purpose: 'anchor', peer })
    }
  }

  #fill(): void {
    const { target, parallelDials } = this.#options
    while (this.#taken() < target) {
      if (this.#places.dialling('outbound') >= parallelDials) return
      if (this.#outage.isPausing(this.#nowMs) || !this.#pace.allows(this.#nowMs)) return
      const endpoint = this.#candidates.forPlace(this.#nowMs, this.#wallMs)
      if (endpoint === undefined) {
        this.#pace.rest(this.#nowMs)
        return this.#seeking.want()
      }
      this.#pace.dialled(this.#nowMs)
      this.#dial(endpoint, 'outbound')
    }
    if (this.#isFull()) this.#seeking.content()
  }

  #rotate(): void {
    this.#rotationAtMs ??= this.#nextRotationMs()
    if (this.#nowMs < this.#rotationAtMs || !this.#canRotate()) return
    this.#rotationAtMs = this.#nextRotationMs()
    const endpoint = this.#candidates.forRotation(this.#nowMs, this.#wallMs)
    if (endpoint !== undefined) this.#dial(endpoint, 'rotation')
  }

  #canRotate(): boolean {
    const places = this.#places
    if (!this.#isFull() || places.isOneLeaving || places.dialling('rotation', 'outbound', 'anchor') > 0)
      return false
    return places.kept().some(place => !this.#isAnchor(place))
  }

  #feel(): void {
    this.#feelerAtMs ??= this.#nextFeelerMs()
    if (this.#nowMs < this.#feelerAtMs || this.#places.feelers > 0) return
    this.#feelerAtMs = this.#nextFeelerMs()
    this.#parts.book.resolveCollisions(this.#wallMs)
    if (!this.#isFull()) return
    const endpoint = this.#candidates.forFeeler(this.#nowMs, this.#wallMs)
    if (endpoint !== undefined) this.#dial(endpoint, 'feeler')
  }

  #dial(endpoint: Endpoint, purpose: DialPurpose): void {
    this.#parts.book.attempt(endpoint, false, this.#wallMs)
    this.#places.dial({ endpoint, purpose, group: this.#groupOf(endpoint) })
    this.#actions.push({ type: 'dial', endpoint, purpose })
  }

  /** Nobody had answered; all begins anew, with the anchors. */
  #afterPause(): void {
    this.#isOffline = false
    // Those that were still being dialled when the pause began.
    this.#anchors.revive()
    // The pause of all stood in the place of theirs: otherwise others would be dialled before them.
    for (const { endpoint } of this.#anchors.waiting()) this.#candidates.pauses.lift(endpoint)
  }

  #writeAnchors(): void {
    if (this.#anchors.takeChange()) this.#actions.push({ type: 'anchors', anchors: this.#anchors.list() })
  }

  /** Places that are taken, or will be if the dials under way end well. */
  #taken(): number {
    return this.#places.kept().length + this.#places.dialling('outbound', 'anchor')
  }

  #isFull(): boolean {
    return this.#places.kept().length >= this.#options.target
  }

  #isAlone(): boolean {
    return this.#places.kept().length === 0 && this.#places.others === 0
  }

  #isAnchor(place: Place): boolean {
    return place.purpose !== 'feeler' && this.#anchors.has(place.endpoint)
  }

  #nextRotationMs(): number {
    const { rotationMinMs, rotationMaxMs } = this.#options
    return this.#nowMs + rotationMinMs + this.#parts.random() * (rotationMaxMs - rotationMinMs)
  }

  #nextFeelerMs(): number {
    return this.#nowMs - Math.log(1 - this.#parts.random()) * this.#options.feelerPeriodMs
  }
}
