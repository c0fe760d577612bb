/**
 * Outreach: the part of peers that dials by itself: outbound places, feelers, rotation, probes, seeds, and the book.
 *
 * Rules:
 * - `outbound.ts` decides; here its dials are made, and each is answered once: failed, refused or greeted.
 * - An address of the book is dialled without a peer id: what listens there now is what counts.
 * - Addresses that others name are taken where they can be reached from here: with `groupRules: all` only routable ones,
 *   and a loopback address only from loopback. The bootstrap list is the operator's, and may name any.
 * - Anchors are on the disk before they are dialled, so that a poisoned one is counted even when it kills us.
 */
import assert from 'node:assert/strict'
import type { DropReason } from '../core/drops.ts'
import {
  addressOf,
  type Endpoint,
  endpointFrom,
  type Group,
  isRoutable,
  isUsable,
  parseEndpoint,
} from '../core/endpoint.ts'
import type { Clock, Counter, Host, RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import type { AddressBook, Heard } from './address-book.ts'
import type { Anchor } from './anchors.ts'
import { denialOf } from './denial.ts'
import { Outbound, type OutboundOptions } from './outbound.ts'
import type { OutboundAction, OutboundCounts, OutboundEvent } from './outbound-event.ts'
import { type Claims, Probes, type ProbesEvent } from './probes.ts'
import { pause } from './reach.ts'
import type { Member } from './roster.ts'
import type { Role, Source } from './view.ts'

export interface OutreachParts {
  readonly host: Host
  readonly book: AddressBook
  readonly clock: Clock
  readonly random: RandomSource
  /** Whether an endpoint may be dialled and told of: not banned, not ours, not of another network. */
  readonly isWelcome: (endpoint: Endpoint) => boolean
  readonly dials: Counter<'purpose' | 'source' | 'result'>
}

export interface OutreachEvents {
  drop(peer: PeerId, reason: DropReason): void
  /** The book has no more to offer. */
  seek(): void
  /** To be written to the disk at once; resolves when it is there, or could not be written. */
  anchors(anchors: readonly Anchor[]): Promise<void>
}

/** What somebody has said of addresses. */
interface Told {
  readonly source: Source
  /** The group of whoever said so. */
  readonly group: Group
  readonly lastHeardMs: number
  readonly penaltyMs?: number | undefined
}

/** A dial that has not been answered, and the peer that it has reached. */
interface Dial {
  readonly purpose: string
  peer: PeerId | undefined
}

/** For a write of a few hundred bytes. */
const WRITE_TIMEOUT_MS = 5_000

export class Outreach {
  readonly #options: OutboundOptions
  readonly #parts: OutreachParts
  readonly #events: OutreachEvents
  readonly #outbound: Outbound
  readonly #probes = new Probes()
  readonly #dials = new Map<Endpoint, Dial>()
  readonly #abort = new AbortController()
  #isStopped = false

  constructor(
    options: OutboundOptions,
    anchors: readonly Anchor[],
    parts: OutreachParts,
    events: OutreachEvents,
  ) {
    this.#options = options
    this.#parts = parts
    this.#events = events
    const { book, random, isWelcome } = parts
    this.#outbound = new Outbound(options, { book, random, mayDial: isWelcome, anchors })
  }

  get counts(): OutboundCounts {
    return this.#outbound.counts()
  }

  /** A peer is wanted by the user from now on. */
  manual(peer: PeerId): void {
    this.#feed({ type: 'manual', peer })
  }

  /** Dials that are under way are given up, and none begins. To be called while connections are still open. */
  async stop(): Promise<void> {
    this.#isStopped = true
    const { clock } = this.#parts
    const [last] = this.#outbound.handle({ type: 'stop' }, clock.nowMs(), clock.wallMs())
    if (last?.type === 'anchors') await this.#write(last.anchors)
    this.#abort.abort()
  }

  tick(): void {
    this.#feed({ type: 'tick' })
    this.#feedProbes({ type: 'tick' })
  }

  roleOf(peer: PeerId): Extract<Role, 'outbound' | 'anchor' | 'feeler'> | undefined {
    return this.#outbound.roleOf(peer)
  }

  /** A connection is open. */
  connected({ endpoint, peer }: Member): void {
    const dial = endpoint === undefined ? undefined : this.#dials.get(endpoint)
    if (dial !== undefined) dial.peer = peer
  }

  /** Whether the connection is a dial of ours that is still to be answered. */
  isOurDial({ endpoint, peer }: Member): boolean {
    return endpoint !== undefined && this.#dials.get(endpoint)?.peer === peer
  }

  /** A peer has shaken hands. */
  greeted(member: Member, isManual: boolean): void {
    const { book, clock } = this.#parts
    const { peer, endpoint, group } = member
    const lastHeardMs = clock.wallMs()
    const endpoints = this.#claimsOf(member)
    if (endpoint !== undefined && this.isOurDial(member) && !isManual) {
      this.#answer(endpoint, 'greeted', { type: 'greeted', endpoint, peer })
    } else {
      this.#feed({ type: 'peer', peer })
      if (endpoint !== undefined) {
        this.#answerIfOpen(endpoint, peer)
        // Who is neither asked for nor dialled by us was dialled by a Kademlia walk.
        this.learn([endpoint], { source: isManual ? 'manual' : 'dht', group, lastHeardMs })
        book.good(endpoint, peer, lastHeardMs)
      }
    }
    if (member.direction === 'inbound') this.#feedProbes({ type: 'claimed', peer, group, endpoints })
    else this.learn(endpoints, { source: 'hello', group, lastHeardMs })
  }

  /** A peer is of no use, and about to be dropped. */
  useless(member: Member, reason: DropReason): void {
    const { endpoint, peer } = member
    if (endpoint === undefined || !this.isOurDial(member)) return
    this.#answer(endpoint, 'refused', { type: 'refused', endpoint, reason, peer })
  }

  disconnected(member: Member): void {
    const { peer, endpoint } = member
    this.useless(member, 'handshake')
    if (endpoint !== undefined && member.handshake === 'done')
      this.#parts.book.heard(endpoint, this.#parts.clock.wallMs())
    this.#feedProbes({ type: 'closed', peer })
    this.#feed(this.roleOf(peer) === undefined ? { type: 'gone', peer } : { type: 'closed', peer })
  }

  /** Puts what a peer has told into the book. */
  learnAll(heard: readonly Heard[]): void {
    for (const { endpoint, sourceGroup: group, ...told } of heard) this.learn([endpoint], { ...told, group })
  }

  /** Puts addresses into the book, where they can be used. @returns how many were new */
  learn(endpoints: readonly Endpoint[], { source, group, lastHeardMs, penaltyMs = 0 }: Told): number {
    const { book, clock, isWelcome } = this.#parts
    let added = 0
    for (const endpoint of endpoints) {
      if (!this.#isReachable(endpoint, source) || !isWelcome(endpoint)) continue
      const heard = { endpoint, source, sourceGroup: group, lastHeardMs, penaltyMs }
      if (book.add(heard, clock.wallMs()) === 'added') added++
    }
    if (added > 0) this.#feed({ type: 'learned' })
    return added
  }

  /** Takes addresses out of the book. */
  forget(isUnwanted: (endpoint: Endpoint) => boolean): void {
    const { book } = this.#parts
    for (const { endpoint } of [...book.entries()]) if (isUnwanted(endpoint)) book.remove(endpoint)
  }

  check(): void {
    this.#outbound.check()
    this.#probes.check()
    // Those that wait until the anchors are on the disk have not begun.
    assert.ok(this.#dials.size <= this.counts.dialling)
  }

  #isReachable(endpoint: Endpoint, source: Source): boolean {
    const ip = parseEndpoint(endpoint)?.ip ?? ''
    const isTrusted = source === 'bootstrap' || source === 'manual'
    return this.#options.groupRules === 'all' && !isTrusted ? isRoutable(ip) : isUsable(ip)
  }

  /** Where a peer listens, as far as it can be true; what lies at its own address first. */
  #claimsOf({ ip, listens }: Member): Endpoint[] {
    const isLocal = isLoopback(ip)
    const ipOf = (endpoint: Endpoint): string => parseEndpoint(endpoint)?.ip ?? ''
    const usable = listens.filter(endpoint => isLocal || !isLoopback(ipOf(endpoint)))
    const here = usable.filter(endpoint => ipOf(endpoint) === ip)
    // Behind an address translation it does not know its own address, but the port is often the same.
    const port = parseEndpoint(listens[0] ?? '')?.port
    const guess = here.length > 0 || port === undefined ? undefined : endpointFrom(ip, port)
    return [...here, ...(guess === undefined ? [] : [guess]), ...usable.filter(it => !here.includes(it))]
  }

  /** Where we have an address from; one that the book has dropped meanwhile is nobody's. */
  #sourceOf(endpoint: Endpoint): Source | 'forgotten' {
    return this.#parts.book.get(endpoint)?.source ?? 'forgotten'
  }

  #isReached(endpoint: Endpoint): boolean {
    return (this.#parts.book.get(endpoint)?.lastSuccessMs ?? 0) > 0
  }

  #feed(event: OutboundEvent): void {
    const { clock } = this.#parts
    void this.#runAll(this.#outbound.handle(event, clock.nowMs(), clock.wallMs()))
  }

  async #runAll(actions: readonly OutboundAction[]): Promise<void> {
    for (const action of actions) {
      if (this.#isStopped) return
      if (action.type === 'anchors') await this.#write(action.anchors)
      else this.#run(action)
    }
  }

  /** A disk that hangs must not hold up the dials behind it for ever. */
  async #write(anchors: readonly Anchor[]): Promise<void> {
    const late = new AbortController()
    await Promise.race([
      this.#events.anchors(anchors),
      pause(this.#parts.clock, WRITE_TIMEOUT_MS, AbortSignal.any([late.signal, this.#abort.signal])),
    ])
    late.abort()
  }

  #feedProbes(event: ProbesEvent): void {
    const { clock } = this.#parts
    for (const { claims } of this.#probes.handle(event, clock.nowMs())) void this.#tryOut(claims)
  }

  #run(action: Exclude<OutboundAction, { type: 'anchors' }>): void {
    switch (action.type) {
      case 'dial':
        void this.#dial(action)
        return
      case 'drop':
        this.#events.drop(action.peer, action.reason)
        return
      case 'seek':
        this.#events.seek()
        return
      default:
        action satisfies never
    }
  }

  async #dial(action: Extract<OutboundAction, { type: 'dial' }>): Promise<void> {
    const { endpoint, purpose } = action
    const dial: Dial = { purpose, peer: undefined }
    this.#dials.set(endpoint, dial)
    try {
      const peer = await this.#parts.host.dial(addressOf(endpoint, action.peer), this.#abort.signal)
      // It may have come and gone already, or the connection may be an older one of the same peer.
      if (this.#dials.get(endpoint) === dial && dial.peer !== peer) this.#answerIfOpen(endpoint, peer)
    } catch (error) {
      if (this.#abort.signal.aborted || this.#dials.get(endpoint) !== dial) return
      const denial = denialOf(error)
      if (denial === undefined) this.#answer(endpoint, 'failed', { type: 'failed', endpoint })
      else this.#answer(endpoint, 'refused', { type: 'refused', endpoint, ...denial })
    }
  }

  /** The peer there is connected by another way: the dial has found nobody new. */
  #answerIfOpen(endpoint: Endpoint, peer: PeerId): void {
    if (!this.#dials.has(endpoint)) return
    this.#answer(endpoint, 'refused', { type: 'refused', endpoint, reason: 'duplicate', peer })
  }

  #answer(endpoint: Endpoint, result: string, event: OutboundEvent): void {
    const dial = this.#dials.get(endpoint)
    if (dial === undefined) return
    this.#dials.delete(endpoint)
    this.#parts.dials.inc({ purpose: dial.purpose, source: this.#sourceOf(endpoint), result })
    this.#feed(event)
  }

  /**
   * Puts what an inbound peer claims into the book, and tries what is likeliest of it. That comes into the book only
   * when the answer is there: otherwise it would be dialled twice, for a place as well.
   */
  async #tryOut({ peer, group, endpoints: [likely, ...others] }: Claims): Promise<void> {
    if (this.#isStopped) return
    const { book, clock } = this.#parts
    const told: Told = { source: 'hello', group, lastHeardMs: clock.wallMs() }
    this.learn(others, told)
    if (likely === undefined) return
    const isReached = !this.#isReached(likely) && (await this.#probe(peer, likely))
    if (this.#isStopped) return
    this.learn([likely], told)
    if (isReached) book.good(likely, peer, clock.wallMs())
  }

  /** Dials where a connected peer says that it listens. @returns whether it is the very same that answers there */
  async #probe(peer: PeerId, endpoint: Endpoint): Promise<boolean> {
    const { host, dials, isWelcome } = this.#parts
    if (!this.#isReachable(endpoint, 'hello') || !isWelcome(endpoint) || this.#dials.has(endpoint))
      return false
    let isSame = false
    try {
      const other = await host.dial(addressOf(endpoint), this.#abort.signal)
      this.#events.drop(other, 'feeler')
    } catch (error) {
      if (this.#abort.signal.aborted) return false
      const denial = denialOf(error)
      isSame = denial?.reason === 'duplicate' && denial.peer === peer
    }
    dials.inc({ purpose: 'probe', source: 'hello', result: isSame ? 'reached' : 'failed' })
    return isSame
  }
}

function isLoopback(ip: string): boolean {
  return ip === '::1' || ip.startsWith('127.')
}
