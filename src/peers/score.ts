/**
 * Scores: a pure machine that adds up what peers do wrong, and says when it is enough.
 *
 * Rules:
 * - A score is 0 or below. An offence lowers it by its weight (`core/offences.ts`); half of it is forgiven every
 *   `halfLifeMs`, so that an honest peer with a bad day recovers.
 * - Below `dropBelow` the peer is dropped. Its score stays while it is away: a peer does not get rid of it by
 *   connecting again, and is dropped again at once when it does.
 * - Below `discourageBelow`, which is further down, it is discouraged as well (`discouraged.ts`). Offences that were
 *   under way when it was dropped still count, so whoever sends much rubbish at once gets there.
 * - Gossipsub's own score is one input: at most `GOSSIP_SHARE` of the way to the drop line, so that alone it drops
 *   nobody. It judges by what peers deliver, which a slow line or an attacker in between can spoil for an honest one.
 *   It is never a credit: who delivers well for an hour has not paid for what it does then. A reading fades as offences
 *   do, until the next one takes its place.
 * - At most `SCORES_MAX` peers are remembered; the one with the least guilt is forgotten first. Why not the
 *   oldest: an attacker with many identities would then wash its scores away with fresh offenders. A reading of
 *   gossipsub makes nobody forgotten.
 */
import assert from 'node:assert/strict'
import { OFFENCES, type Offence } from '../core/offences.ts'
import type { PeerId } from '../core/types.ts'

export interface ScoreOptions {
  readonly halfLifeMs: number
  /** Negative; null never drops a peer. */
  readonly dropBelow: number | null
  /** Not above `dropBelow`; null never discourages a peer. By default twice as far down as `dropBelow`. */
  readonly discourageBelow?: number | null
}

export type ScoreEvent =
  | { type: 'offence'; peer: PeerId; offence: Offence }
  /** What gossipsub thinks of a peer now: any number, good ones positive. */
  | { type: 'gossip'; peer: PeerId; score: number }

export interface ScoreAction {
  readonly type: 'drop' | 'discourage'
  readonly peer: PeerId
  readonly score: number
  /** What was too much; with `gossip`, a reading on top of earlier offences. */
  readonly offence: Offence | 'gossip'
}

/** How many peers are remembered. Only offenders are, so an honest network needs next to none. */
export const SCORES_MAX = 10_000

/** Of the way to the drop line. Less than two accidents (a tenth each, `core/offences.ts`), as in Lodestar. */
export const GOSSIP_SHARE = 0.19

/** Where gossipsub stops listening to a peer (its `graylistThreshold`): worse than this is no worse for us. */
export const GOSSIP_WORST = -80

/** A score above this is as good as none. */
const FORGIVEN = -0.5

/** Both parts are as of `atMs`, and 0 or below. */
interface Guilt {
  readonly offences: number
  readonly gossip: number
  readonly atMs: number
}

export class Scores {
  readonly #halfLifeMs: number
  readonly #dropBelow: number | null
  readonly #discourageBelow: number | null
  readonly #records = new Map<PeerId, Guilt>()

  constructor({ halfLifeMs, dropBelow, discourageBelow }: ScoreOptions) {
    assert.ok(halfLifeMs > 0 && (dropBelow === null || dropBelow < 0))
    this.#halfLifeMs = halfLifeMs
    this.#dropBelow = dropBelow
    this.#discourageBelow = discourageBelow === undefined ? twice(dropBelow) : discourageBelow
    assert.ok(this.#discourageBelow === null || this.#discourageBelow <= (dropBelow ?? 0))
  }

  get size(): number {
    return this.#records.size
  }

  /** 0 for a peer without fault. */
  scoreOf(peer: PeerId, nowMs: number): number {
    const { offences, gossip } = this.#guiltOf(peer, nowMs)
    return offences + gossip
  }

  /** The score is below the line: the peer is dropped, also when it comes back. */
  isOut(peer: PeerId, nowMs: number): boolean {
    return isBelow(this.scoreOf(peer, nowMs), this.#dropBelow)
  }

  handle(event: ScoreEvent, nowMs: number): ScoreAction[] {
    const guilt = this.#guiltOf(event.peer, nowMs)
    switch (event.type) {
      case 'offence':
        this.#remember(event.peer, { ...guilt, offences: guilt.offences - OFFENCES[event.offence] })
        return this.#verdict(event.peer, event.offence, nowMs)
      case 'gossip':
        this.#onGossip(event.peer, { ...guilt, gossip: this.#share(event.score) })
        return this.#verdict(event.peer, 'gossip', nowMs)
    }
  }

  #onGossip(peer: PeerId, guilt: Guilt): void {
    const isNothing = guilt.offences + guilt.gossip > FORGIVEN
    if (isNothing) this.#records.delete(peer)
    else if (this.#records.has(peer) || this.#records.size < SCORES_MAX) this.#remember(peer, guilt)
  }

  /** What a reading of gossipsub is worth here, from nothing to `GOSSIP_SHARE` of the first line that there is. */
  #share(score: number): number {
    const line = this.#dropBelow ?? this.#discourageBelow ?? 0
    return score < 0 ? GOSSIP_SHARE * line * Math.min(1, score / GOSSIP_WORST) : 0
  }

  #verdict(peer: PeerId, offence: ScoreAction['offence'], nowMs: number): ScoreAction[] {
    const score = this.scoreOf(peer, nowMs)
    const actions: ScoreAction[] = []
    if (isBelow(score, this.#dropBelow)) actions.push({ type: 'drop', peer, score, offence })
    if (isBelow(score, this.#discourageBelow)) actions.push({ type: 'discourage', peer, score, offence })
    return actions
  }

  #guiltOf(peer: PeerId, nowMs: number): Guilt {
    const record = this.#records.get(peer)
    return record === undefined ? { offences: 0, gossip: 0, atMs: nowMs } : this.#decayed(record, nowMs)
  }

  #decayed({ offences, gossip, atMs }: Guilt, nowMs: number): Guilt {
    const left = 2 ** (-Math.max(0, nowMs - atMs) / this.#halfLifeMs)
    return { offences: offences * left, gossip: gossip * left, atMs: nowMs }
  }

  #remember(peer: PeerId, guilt: Guilt): void {
    this.#records.delete(peer)
    if (this.#records.size >= SCORES_MAX) this.#makeRoom(guilt.atMs)
    this.#records.set(peer, guilt)
  }

  /** Forgets all that is forgiven, or else the least guilty one. */
  #makeRoom(nowMs: number): void {
    let least: PeerId | undefined
    let leastScore = Number.NEGATIVE_INFINITY
    for (const peer of this.#records.keys()) {
      const score = this.scoreOf(peer, nowMs)
      if (score > FORGIVEN) this.#records.delete(peer)
      if (score <= leastScore) continue
      least = peer
      leastScore = score
    }
    if (least !== undefined) this.#records.delete(least)
  }

  check(): void {
    assert.ok(this.#records.size <= SCORES_MAX)
    for (const { offences, gossip } of this.#records.values()) {
      assert.ok(offences <= 0 && gossip <= 0)
      assert.ok(gossip >= this.#share(Number.NEGATIVE_INFINITY))
    }
  }
}

function twice(line: number | null): number | null {
  return line === null ? null : 2 * line
}

function isBelow(score: number, line: number | null): boolean {
  return line !== null && score < line
}
