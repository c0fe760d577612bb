/**
 * The asking side of the swarms: what is asked of whom, how much at once, and for how long an answer is waited for.
 *
 * Rules:
 * - A chunk is asked of one neighbour that has it, few at a time of each: as many as it has answered without delay.
 * - What is not answered within a few round trips is asked of a second one too, once everything that is missing has been
 *   asked for: the last chunks decide when a payload is there. After its patience an ask is given up.
 * - The patience is as long as our own line takes for all that is asked, twice: on a slow line answers queue up, whoever
 *   gives them. Else one would blame all neighbours, and fetch each chunk from several.
 * - The patience doubles with each failure of a neighbour. Asks that are late together are one failure: one pause of the
 *   line makes all of them late. An ask for a chunk that came from somebody else is none: a neighbour that was told of
 *   it does not send it.
 * - Four failures in a row in one swarm: it is asked for nothing more there. Four in a row in any swarms: it has not
 *   kept its promises, which is an offence, once for each four.
 * - A chunk that a neighbour says it lacks is never asked of it again: else the two would talk about it for ever.
 */
import type { RandomSource } from '../core/ports.ts'
import type { PeerId } from '../core/types.ts'
import type { Link, Swarm } from './swarm.ts'
import { ASKS_MAX } from './swarm-frame.ts'
import type { SwarmOutbox } from './swarm-outbox.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** The patience with an ask, where the usual time is shorter; doubled with each failure. */
const ASK_TIMEOUT_MS = 500

/** After so long, or 2.5 times the usual, a second one is asked. */
const SLOW_MS = 150

/** How many chunks are asked of a neighbour at once. */
const ASK_WINDOW_MIN = 1
const ASK_WINDOW_MAX = 8

/** An answer that has waited no longer is one to ask more after; one that has waited longer says to ask less. */
const SHORT_WAIT_MS = 10
const LONG_WAIT_MS = 40

const FAILURES_MAX = 4

/** What has happened since the start; for metrics. */
export interface AskingCounts {
  asksSent: number
  asksTimedOut: number
  asksHedged: number
}

export class SwarmAsking {
  readonly #peers: ReadonlyMap<PeerId, SwarmPeer>
  readonly #outbox: SwarmOutbox
  readonly #random: RandomSource
  readonly counts: AskingCounts = { asksSent: 0, asksTimedOut: 0, asksHedged: 0 }

  /** @param peers the caller's, looked into */
  constructor(peers: ReadonlyMap<PeerId, SwarmPeer>, outbox: SwarmOutbox, random: RandomSource) {
    this.#peers = peers
    this.#outbox = outbox
    this.#random = random
  }

  /** Asks neighbours in turn for what is missing. */
  askAll(swarm: Swarm, nowMs: number): void {
    if (swarm.isComplete) return
    for (const link of swarm.inTurn(this.#random)) this.#askOne(swarm, link, 1, nowMs)
  }

  /** A neighbour has given a chunk that is right. @param askedAtMs when it was asked for; undefined if it was not */
  gave(link: Link, peer: SwarmPeer, askedAtMs: number | undefined, nowMs: number): void {
    link.failures = 0
    peer.failures = 0
    if (askedAtMs === undefined) return
    // One that answers without delay is asked for more at once, one that takes long for less.
    const waitedMs = peer.answered(nowMs - askedAtMs)
    if (waitedMs <= SHORT_WAIT_MS) link.askWindow = Math.min(ASK_WINDOW_MAX, link.askWindow + 1)
    else if (waitedMs > LONG_WAIT_MS) link.askWindow = Math.max(2, link.askWindow - 1)
  }

  /** A neighbour says that it lacks a chunk. Counts only if it was asked for it. */
  lacks(swarm: Swarm, link: Link, index: number): void {
    if (!link.asked.has(index)) return
    this.#giveUp(swarm, link, index)
    swarm.lackedBy(link, index)
  }

  /** Asks a neighbour for nothing more. */
  bar(swarm: Swarm, link: Link): void {
    for (const index of [...link.asked.keys()]) swarm.answered(link, index)
    link.askWindow = 0
  }

  /** Gives up asks that took too long, and asks others for what takes long. @returns those who broke their promises */
  remind(swarm: Swarm, nowMs: number): PeerId[] {
    const broken: PeerId[] = []
    let isSlow = false
    const lineMs = 2 * swarm.gapMs * swarm.askedCount
    for (const link of swarm.links.values()) {
      const usualMs = this.#peers.get(link.peer)?.usualAnswerMs ?? ASK_TIMEOUT_MS / 4
      const slowMs = Math.max(SLOW_MS, 2.5 * usualMs)
      isSlow ||= [...link.asked.values()].some(sinceMs => nowMs - sinceMs >= slowMs)
      const patienceMs = Math.max(ASK_TIMEOUT_MS, 4 * usualMs, lineMs) * 2 ** link.failures
      if (this.#timeOut(swarm, link, nowMs - patienceMs)) broken.push(link.peer)
    }
    this.askAll(swarm, nowMs)
    if (isSlow && swarm.isAllAsked()) this.#hedge(swarm, nowMs)
    return broken
  }

  /** @param dueMs what was asked until then is late @returns whether the peer has failed once too often */
  #timeOut(swarm: Swarm, link: Link, dueMs: number): boolean {
    const late = [...link.asked].filter(([, sinceMs]) => sinceMs <= dueMs).map(([index]) => index)
    this.counts.asksTimedOut += late.length
    const isFailure = late.some(index => !swarm.holds(index))
    for (const index of late) this.#giveUp(swarm, link, index)
    if (!isFailure) return false
    if (++link.failures >= FAILURES_MAX) this.bar(swarm, link)
    const peer = this.#peers.get(link.peer)
    if (peer === undefined || ++peer.failures < FAILURES_MAX) return false
    peer.failures = 0
    return true
  }

  #hedge(swarm: Swarm, nowMs: number): void {
    const before = this.counts.asksSent
    for (const link of swarm.inTurn(this.#random)) this.#askOne(swarm, link, 2, nowMs)
    this.counts.asksHedged += this.counts.asksSent - before
  }

  #askOne(swarm: Swarm, link: Link, asksMax: number, nowMs: number): void {
    const ask: number[] = []
    while (link.asked.size < link.askWindow && ask.length < ASKS_MAX) {
      const index = swarm.nextAsk(link, asksMax, this.#random)
      if (index === undefined) break
      swarm.askedOf(link, index, nowMs)
      ask.push(index)
    }
    if (ask.length === 0) return
    this.counts.asksSent += ask.length
    this.#outbox.send(swarm, link, { ask })
  }

  /** The ask is over without the chunk: others may be asked. */
  #giveUp(swarm: Swarm, link: Link, index: number): void {
    swarm.answered(link, index)
    link.askWindow = Math.max(ASK_WINDOW_MIN, link.askWindow >> 1)
  }
}
