/**
 * Standing: who may stay. The actor of inbound places, scores, discouragement and bans, and the doorman's other half.
 *
 * `inbound.ts`, `score.ts`, `admission.ts` and `bans.ts` decide; a drop goes back to `peers.ts`, which knows whose will
 * stands above a rule.
 */
import type { DropReason } from '../core/drops.ts'
import type { Clock, Doorman } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import { Admission } from './admission.ts'
import { Discouraged } from './discouraged.ts'
import { PeersDoorman } from './doorman.ts'
import { Inbound, type InboundEvent } from './inbound.ts'
import type { PeersOptions, PeersParts, PeersState } from './materials.ts'
import type { Member, Roster } from './roster.ts'
import { type ScoreEvent, Scores } from './score.ts'
import { Welcome } from './welcome.ts'

export interface StandingEvents {
  drop(peer: PeerId, reason: DropReason, detail: string): void
  refused(reason: DropReason): void
  /** The user wants it here, so it cannot be discouraged. */
  isManual(peer: PeerId): boolean
  /** Connections that parts of libp2p have dialled. */
  hints(): number
}

/** How long a connected peer may take to answer, when another connection in its name wants its place. */
const ANSWER_TIMEOUT_MS = 2_000

/** How often it is looked whether that peer's own connection is open by now. */
const LOOK_MS = 50

export class Standing {
  readonly welcome: Welcome
  readonly doorman: Doorman
  readonly #parts: PeersParts
  readonly #events: StandingEvents
  readonly #roster: Roster
  readonly #inbound: Inbound
  readonly #scores: Scores
  readonly #discouraged: Discouraged

  constructor(
    options: PeersOptions,
    parts: PeersParts,
    { bans }: PeersState['bans'],
    roster: Roster,
    events: StandingEvents,
  ) {
    this.#parts = parts
    this.#events = events
    this.#roster = roster
    const { connections, score, interop } = options
    const { random, host, clock } = parts
    const { discourageBelow, ...line } = score
    // Without a line of its own, twice as far down as the drop line.
    this.#scores = new Scores(discourageBelow === null ? line : { ...line, discourageBelow })
    this.#discouraged = new Discouraged(connections)
    const key = Array.from({ length: 4 }, () => random()).join()
    this.#inbound = new Inbound({ ...connections, interop, key })
    this.welcome = new Welcome(clock, host, bans, this.#discouraged)
    this.doorman = new PeersDoorman({
      self: host.peer,
      clock,
      admission: newAdmission(options),
      bans,
      discouraged: this.#discouraged,
      isCrowded: () => this.#inbound.taken >= connections.inboundMax,
      hints: () => events.hints(),
      answers: peer => this.#answers(peer),
      cut: socket => host.cut(socket),
      refused: reason => events.refused(reason),
    })
  }

  scoreOf(peer: PeerId): number {
    return this.#scores.scoreOf(peer, this.#parts.clock.nowMs())
  }

  connected(member: Member): void {
    const { peer } = member
    this.weigh(member)
    if (this.#scores.isOut(peer, this.#parts.clock.nowMs()))
      this.#events.drop(peer, 'score', 'it came back with a low score')
  }

  /** Tells the inbound places who it is; once more when the user has begun to want it. */
  weigh({ peer, direction, ip }: Member): void {
    if (direction !== 'inbound') return
    const isManual = this.#events.isManual(peer)
    const isDiscouraged = this.#discouraged.has(peer, ip)
    this.feed({ type: 'connected', peer, ip, isManual, isDiscouraged })
  }

  feed(event: InboundEvent): void {
    for (const { peer, reason } of this.#inbound.handle(event, this.#parts.clock.nowMs()))
      this.#events.drop(peer, reason, '')
  }

  judge(event: ScoreEvent, detail: string): void {
    for (const action of this.#scores.handle(event, this.#parts.clock.nowMs())) {
      if (action.type === 'drop') this.#events.drop(action.peer, 'score', `${action.offence}: ${detail}`)
      else this.#discourage(action.peer)
    }
  }

  /** Reads the round trips that the host has measured since, and what gossip thinks of peers. */
  review(): void {
    const { host, gossipScoreOf } = this.#parts
    for (const { peer, rttMs } of host.connections()) {
      if (rttMs !== undefined) this.feed({ type: 'rtt', peer, ms: rttMs })
      this.judge({ type: 'gossip', peer, score: gossipScoreOf(peer) }, 'its gossip score')
    }
  }

  /** Whether a peer answers a ping. A connection in the making cannot, and is waited for: it may be as good as any. */
  async #answers(peer: PeerId): Promise<boolean> {
    const { host, clock } = this.#parts
    const lateMs = clock.nowMs() + ANSWER_TIMEOUT_MS
    while (this.#roster.get(peer) === undefined) {
      if (clock.nowMs() >= lateMs) return false
      await pause(clock, LOOK_MS)
    }
    // Whole milliseconds, or it throws.
    const signal = AbortSignal.timeout(Math.max(0, Math.ceil(lateMs - clock.nowMs())))
    return await host.ping(`/p2p/${peer}`, signal).then(
      () => true,
      () => false,
    )
  }

  #discourage(peer: PeerId): void {
    if (this.#events.isManual(peer) || this.#discouraged.has(peer, undefined)) return
    const member = this.#roster.get(peer)
    this.#discouraged.add(peer, member?.ip)
    if (member?.endpoint !== undefined) this.welcome.rest(member.endpoint, 'discouraged')
  }
}

function newAdmission({ connections }: PeersOptions): Admission {
  return new Admission({
    pendingPerIp: connections.pendingPerIpMax,
    pendingMax: connections.pendingInboundMax,
    connectionsPerIp: connections.perIpMax,
    connectionsPerGroup: connections.perGroupMax,
    groupRules: connections.groupRules,
  })
}

function pause(clock: Clock, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = clock.every(ms, resolve)
  return promise.finally(stop)
}
