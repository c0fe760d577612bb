/**
 * The actor of peers: who is connected, who is let in, who is sent away.
 *
 * Rules:
 * - Decisions are made by machines (`connector`, `inbound`, `score`, and those of `outreach`, `handshakes` and
 *   `exchanges`); this file feeds them facts and carries out what they say.
 * - A peer that the user asked for is scored like any other, but no rule drops it: a person's will stands above a
 *   number. Only a ban, which is a person's will as well, and a failed handshake do.
 * - A drop is done, counted and logged once, whatever else of the peer is still to be judged when it goes.
 * - The program hears of a peer when its handshake is done, and of its leaving only if it has heard of its coming.
 */
import type { DropReason } from '../core/drops.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Offence } from '../core/offences.ts'
import type { ConnectionInfo, Counter, Doorman, HostEvents } from '../core/ports.ts'
import type { Address, Direction, PeerId } from '../core/types.ts'
import type { BanOptions } from './bans.ts'
import { WANTED_MAX } from './connector.ts'
import { Exchanges } from './exchanges.ts'
import { Handshakes } from './handshakes.ts'
import type { Hello } from './hello.ts'
import { Kept } from './kept.ts'
import { outboundOptions, type PeersOptions, type PeersParts, type PeersState } from './materials.ts'
import { Outreach } from './outreach.ts'
import { peersMetrics, type Readings } from './peers-metrics.ts'
import { reach } from './reach.ts'
import { type Member, Roster } from './roster.ts'
import { Seeds } from './seeds.ts'
import { Standing } from './standing.ts'
import type { AddressInfo, AddressStats, BanInfo, PeerInfo, Role } from './view.ts'

export interface PeersEvents {
  connected(peer: PeerId, address: Address, direction: Direction): void
  disconnected(peer: PeerId): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

/** How often due dials and deadlines are looked for. */
const TICK_MS = 100

/** How often round trips are read, and bans that are over forgotten. */
const REVIEW_MS = 10_000

/** How long a Kademlia walk may need a connection. */
const HINT_MS = 30_000

/** A seed's addresses are no news: what peers say counts as fresher. */
const SEEDED_AGE_MS = 86_400_000

export class Peers implements HostEvents {
  readonly #options: PeersOptions
  readonly #parts: PeersParts
  readonly #state: PeersState
  readonly #events: PeersEvents
  readonly #roster = new Roster()
  readonly #abort = new AbortController()
  readonly #standing: Standing
  readonly #kept: Kept
  readonly #handshakes: Handshakes
  /** Undefined with `onlyPeers`. */
  readonly #outreach: Outreach | undefined
  readonly #exchanges: Exchanges | undefined
  readonly #seeds: Seeds | undefined
  readonly #offences: Counter<'offence'>
  readonly #drops: Counter<'reason'>
  #stopTicks: (() => void)[] = []

  constructor(options: PeersOptions, parts: PeersParts, state: PeersState, events: PeersEvents) {
    this.#options = options
    this.#parts = parts
    this.#state = state
    this.#events = events
    const { metrics, clock } = parts
    const { dials, drops, offences } = peersMetrics(metrics, () => this.#readings())
    this.#offences = offences
    this.#drops = drops
    this.#standing = new Standing(options, parts, state.bans, this.#roster, {
      drop: (peer, reason, detail) => this.#drop(peer, reason, detail),
      refused: reason => drops.inc({ reason }),
      isManual: peer => this.#isManual(peer),
      hints: () => [...this.#roster].filter(member => this.#roleOf(member) === 'hint').length,
    })
    const found = (peer: PeerId): void => this.#onWanted(peer)
    this.#kept = new Kept(options.connections, { ...parts, dials, signal: this.#abort.signal, found })
    this.#handshakes = this.#newHandshakes()
    if (options.onlyPeers) return
    const outreach = this.#newOutreach(dials)
    this.#outreach = outreach
    this.#seeds = new Seeds(options, parts, (endpoints, source, told) =>
      outreach.learn(endpoints, { source, group: told, lastHeardMs: clock.wallMs() - SEEDED_AGE_MS }),
    )
    if (options.exchange) this.#exchanges = this.#newExchanges(outreach)
  }

  /** Asked by the host at every step of a connection. */
  get doorman(): Doorman {
    return this.#standing.doorman
  }

  /** Begins to dial. */
  start(): void {
    const { peers } = this.#options
    for (const address of peers) this.#kept.feed({ type: 'want', address })
    const refused = new Set(peers).size - WANTED_MAX
    if (refused > 0) this.#parts.log.warn('too many addresses: the last ones are not used', { refused })
    const { clock } = this.#parts
    this.#stopTicks = [clock.every(TICK_MS, () => this.#tick()), clock.every(REVIEW_MS, () => this.#review())]
  }

  /** No dial begins afterwards, those under way are given up, and everyone is told goodbye. */
  async stop(): Promise<void> {
    for (const stop of this.#stopTicks) stop()
    this.#abort.abort()
    await this.#outreach?.stop()
    this.#seeds?.stop()
    await Promise.all([...this.#roster].map(({ peer }) => this.#handshakes.leave(peer, 'stopping')))
  }

  list(): PeerInfo[] {
    const rtts = new Map(this.#parts.host.connections().map(({ peer, rttMs }) => [peer, rttMs]))
    return [...this.#roster].map(member => ({
      peer: member.peer,
      address: member.address,
      group: member.group,
      direction: member.direction,
      role: this.#roleOf(member),
      connectedAtMs: member.openedAtMs,
      rttMs: rtts.get(member.peer),
      score: this.#standing.scoreOf(member.peer),
      agent: member.agent,
      handshake: member.handshake,
    }))
  }

  /**
   * Resolves when the handshake is done.
   * @throws FloodgateError ADDRESS, DIAL, TIMEOUT, DENIED
   */
  async connect(address: Address, options: { keep?: boolean; signal?: AbortSignal }): Promise<PeerId> {
    if (options.keep === true && this.#kept.isFull) {
      throw new FloodgateError('ADDRESS', `no more than ${WANTED_MAX} addresses can be kept connected`)
    }
    const signals = options.signal === undefined ? [this.#abort.signal] : [this.#abort.signal, options.signal]
    const signal = AbortSignal.any(signals)
    const peer = await reach(address, { ...this.#parts, roster: this.#roster, signal })
    if (options.keep === true) this.#kept.feed({ type: 'want', address, peer })
    this.#onWanted(peer)
    return peer
  }

  /** Closes the connections to a peer, and keeps it connected no longer. */
  async disconnect(peer: PeerId): Promise<void> {
    this.#kept.feed({ type: 'forget', peer })
    this.#onGoodbye(peer, 'asked') // Or our next dial could undo it.
    await this.#close(peer, 'asked')
  }

  /** Whether a peer may gossip: resolves when its handshake has ended, false when it is not to. */
  greeted(peer: PeerId): Promise<boolean> {
    return this.#roster.greeted(peer)
  }

  /** @throws FloodgateError ARGUMENT, STORE */
  async ban(target: string, options: Omit<BanOptions, 'nowMs'>): Promise<BanInfo> {
    const { clock, log } = this.#parts
    const ban = await this.#state.bans.ban(target, { ...options, nowMs: clock.wallMs() })
    log.warn('banned', { target: ban.target, untilMs: ban.untilMs, reason: ban.reason })
    this.#outreach?.forget(endpoint => !this.#standing.welcome.isUnbanned(endpoint))
    const hit = [...this.#roster].filter(member => this.#isBanned(member))
    await Promise.all(hit.map(({ peer }) => this.#close(peer, 'banned')))
    return ban
  }

  /** @returns whether there was such a ban @throws FloodgateError ARGUMENT, STORE */
  async unban(target: string): Promise<boolean> {
    return await this.#state.bans.unban(target, this.#parts.clock.wallMs())
  }

  bans(): BanInfo[] {
    return this.#state.bans.bans.list(this.#parts.clock.wallMs())
  }

  addresses(): AddressInfo[] {
    return [...this.#state.book.entries()].map(({ newBuckets: _, ...info }) => info)
  }

  addressStats(): AddressStats {
    return this.#state.book.stats()
  }

  connected(connection: ConnectionInfo): void {
    const { peer, direction } = connection
    this.#kept.feed({ type: 'connected', peer })
    const member = this.#roster.add(connection, this.#parts.clock.nowMs())
    if (member !== undefined) this.#onNew(member)
    this.#handshakes.connected(peer, direction)
  }

  disconnected(peer: PeerId): void {
    const member = this.#roster.remove(peer)
    this.#handshakes.disconnected(peer)
    this.#kept.feed({ type: 'disconnected', peer })
    if (member === undefined) return
    this.#standing.feed({ type: 'closed', peer })
    this.#outreach?.disconnected(member)
    this.#exchanges?.disconnected(peer)
    this.#parts.log.debug('disconnected', { peer, reason: member.leaving })
    if (member.handshake !== 'pending') this.#events.disconnected(peer)
  }

  identified(peer: PeerId, protocols: readonly string[], agent: string): void {
    const member = this.#roster.get(peer)
    if (member !== undefined && member.agent === '') member.agent = agent.replace(/[^ -~]/g, '?').slice(0, 64)
    this.#handshakes.identified(peer, protocols)
  }

  silent(_peer: PeerId): void {
    this.#drops.inc({ reason: 'silent' })
  }

  offence(peer: PeerId, offence: Offence, detail: string): void {
    this.#offences.inc({ offence })
    this.#events.offence(peer, offence, detail)
    this.#standing.judge({ type: 'offence', peer, offence }, detail)
  }

  /** A peer was the first to bring a message that the upper layer has accepted. */
  fresh(peer: PeerId, sizeBytes: number): void {
    this.#standing.feed({ type: 'fresh', peer, sizeBytes })
  }

  #onNew(member: Member): void {
    const { peer, address, direction } = member
    this.#parts.log.debug('connected', { peer, address, direction })
    this.#outreach?.connected(member)
    this.#standing.connected(member)
    // It may have been banned since the doorman let it in.
    if (this.#isBanned(member)) void this.#close(peer, 'banned')
  }

  #isBanned({ ip, peer }: Member): boolean {
    return this.#state.bans.bans.match(ip, peer, this.#parts.clock.wallMs()) !== undefined
  }

  /** The user wants a peer that may have been there already. */
  #onWanted(peer: PeerId): void {
    const member = this.#roster.get(peer)
    if (member !== undefined) this.#standing.weigh(member)
    this.#outreach?.manual(peer)
  }

  #onGreeted(peer: PeerId, hello: Hello): void {
    const member = this.#roster.get(peer)
    if (member === undefined || member.leaving !== undefined) return
    member.agent = hello.agent
    member.listens = hello.addresses
    this.#standing.feed({ type: 'greeted', peer })
    const isNew = member.handshake === 'pending'
    this.#roster.greet(member, 'done')
    if (isNew) this.#events.connected(peer, member.address, member.direction)
    const isManual = this.#isManual(peer)
    this.#outreach?.greeted(member, isManual)
    if (member.leaving === undefined) this.#exchanges?.greeted(member, isManual)
  }

  #onPlain(peer: PeerId): void {
    const member = this.#roster.get(peer)
    if (member === undefined || member.leaving !== undefined) return
    this.#standing.feed({ type: 'plain', peer })
    // What we dial by ourselves is to be a full node.
    const isOurs = this.#outreach?.isOurDial(member) === true && !this.#isManual(peer)
    if (isOurs) this.#drop(peer, 'plain', 'we dialled it, and it is no full node')
    if (member.leaving !== undefined) return
    this.#roster.greet(member, 'plain')
    this.#events.connected(peer, member.address, member.direction)
  }

  #onEstranged(peer: PeerId): void {
    const endpoint = this.#roster.get(peer)?.endpoint
    if (endpoint === undefined) return
    this.#standing.welcome.rest(endpoint, 'network')
    this.#state.book.remove(endpoint)
  }

  #onGoodbye(peer: PeerId, reason: DropReason | 'unknown'): void {
    const member = this.#roster.get(peer)
    this.#parts.log.debug('goodbye', { peer, reason })
    if (member?.endpoint !== undefined) this.#standing.welcome.heed(member.endpoint, reason)
  }

  #tick(): void {
    this.#kept.feed({ type: 'tick' })
    this.#handshakes.tick()
    this.#outreach?.tick()
    this.#exchanges?.tick()
  }

  #review(): void {
    this.#standing.review()
    const youngMs = this.#parts.clock.nowMs() - HINT_MS
    for (const member of this.#roster) {
      if (member.sinceMs < youngMs && this.#roleOf(member) === 'hint') this.#drop(member.peer, 'hint')
    }
    void this.#state.bans.sweep(this.#parts.clock.wallMs())
  }

  /** What rules do; the user's own will goes through `#close`. */
  #drop(peer: PeerId, reason: DropReason, detail = ''): void {
    if (this.#isManual(peer) && !HANDSHAKE_DROPS.has(reason)) return
    const member = this.#roster.get(peer)
    if (member === undefined || member.leaving !== undefined) return
    const score = this.#standing.scoreOf(peer)
    const level = reason === 'score' ? 'warn' : 'debug'
    this.#parts.log[level]('a peer is dropped', { peer, reason, detail, score })
    void this.#close(peer, reason)
  }

  async #close(peer: PeerId, reason: DropReason): Promise<void> {
    const member = this.#roster.get(peer)
    if (member?.leaving !== undefined) return
    if (member !== undefined) {
      this.#drops.inc({ reason })
      member.leaving = reason
      for (const tell of member.waiters.splice(0)) tell(false)
      this.#outreach?.useless(member, reason)
      await this.#handshakes.leave(peer, reason)
    }
    await this.#parts.host.close(peer)
  }

  #newHandshakes(): Handshakes {
    return new Handshakes(this.#options, this.#parts, {
      greeted: (peer, hello) => this.#onGreeted(peer, hello),
      plain: peer => this.#onPlain(peer),
      drop: (peer, reason, detail) => this.#drop(peer, reason, detail),
      offence: (peer, offence, detail) => this.offence(peer, offence, detail),
      estranged: peer => this.#onEstranged(peer),
      goodbye: (peer, reason) => this.#onGoodbye(peer, reason),
    })
  }

  #newOutreach(dials: Counter<'purpose' | 'source' | 'result'>): Outreach {
    const { book, anchors, anchorKeeper } = this.#state
    const { welcome } = this.#standing
    return new Outreach(
      outboundOptions(this.#options),
      anchors,
      { ...this.#parts, book, dials, isWelcome: endpoint => welcome.isWelcome(endpoint) },
      {
        drop: (peer, reason) => this.#drop(peer, reason),
        seek: () => void this.#seeds?.seek(),
        anchors: list => anchorKeeper.save(list),
      },
    )
  }

  #newExchanges(outreach: Outreach): Exchanges {
    const { network, connections } = this.#options
    const { book } = this.#state
    return new Exchanges(
      { ...this.#parts, network, groupRules: connections.groupRules, book, welcome: this.#standing.welcome },
      {
        learned: heard => outreach.learnAll(heard),
        offence: (peer, offence, detail) => this.offence(peer, offence, detail),
      },
    )
  }

  #readings(): Readings {
    return {
      peers: this.list(),
      book: this.#state.book.stats(),
      bans: this.#state.bans.bans.size,
      outbound: this.#outreach?.counts,
      ignored: this.#exchanges?.ignored ?? 0,
    }
  }

  #roleOf(member: Member): Role {
    const { peer, direction } = member
    if (this.#isManual(peer)) return 'manual'
    if (direction === 'inbound') return 'inbound'
    const role = this.#outreach?.roleOf(peer)
    return role ?? (this.#outreach?.isOurDial(member) === true ? 'outbound' : 'hint')
  }

  #isManual(peer: PeerId): boolean {
    return this.#roster.isAsked(peer) || this.#kept.has(peer)
  }
}

/** What nobody's will can change: with these there is nothing to talk about. */
const HANDSHAKE_DROPS: ReadonlySet<DropReason> = new Set([
  'network',
  'version',
  'self',
  'handshake',
  'plain',
  'banned',
])
