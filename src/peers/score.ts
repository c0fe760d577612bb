/**
 * Scores: a pure machine that adds up what peers do wrong, and says when it is enough.
 *
 * Rules:
 * - A score is 0 or below. An offence lowers it by its weight (`core/offences.ts`); half of it is forgiven every
 *   `halfLifeMs`, so that an honest peer with a bad day recovers.
 * - Below `dropBelow` the peer is dropped. Its score stays while it is away: a peer does not get rid of it by
 *   connecting again, and is dropped again at once when it does.
 * - At most `SCORES_MAX` peers are remembered; the one with the least guilt is forgotten first. Why not the
 *   oldest: an attacker with many identities would then wash its scores away with fresh offenders.
 */
import assert from 'node:assert/strict'
import { OFFENCES, type Offence } from '../core/offences.ts'
import type { PeerId } from '../core/types.ts'

export interface ScoreOptions {
  readonly halfLifeMs: number
  /** Negative; null never drops a peer. */
  readonly dropBelow: number | null
}

export type ScoreEvent = { type: 'offence'; peer: PeerId; offence: Offence }

export type ScoreAction = { type: 'drop'; peer: PeerId; score: number; offence: Offence }

/** How many peers are remembered. Only offenders are, so an honest network needs next to none. */
export const SCORES_MAX = 10_000

/** A score above this is as good as none. */
const FORGIVEN = -0.5

export class Scores {
  readonly #options: ScoreOptions
  readonly #records = new Map<PeerId, { score: number; atMs: number }>()

  constructor(options: ScoreOptions) {
    assert.ok(options.halfLifeMs > 0 && (options.dropBelow === null || options.dropBelow < 0))
    this.#options = options
  }

  get size(): number {
    return this.#records.size
  }

  /** 0 for a peer without fault. */
  scoreOf(peer: PeerId, nowMs: number): number {
    const record = this.#records.get(peer)
    return record === undefined ? 0 : this.#decayed(record, nowMs)
  }

  /** The score is below the line: the peer is dropped, also when it comes back. */
  isOut(peer: PeerId, nowMs: number): boolean {
    const { dropBelow } = this.#options
    return dropBelow !== null && this.scoreOf(peer, nowMs) < dropBelow
  }

  handle(event: ScoreEvent, nowMs: number): ScoreAction[] {
    const { peer, offence } = event
    const score = this.scoreOf(peer, nowMs) - OFFENCES[offence]
    this.#records.delete(peer)
    if (this.#records.size >= SCORES_MAX) this.#makeRoom(nowMs)
    this.#records.set(peer, { score, atMs: nowMs })
    return this.isOut(peer, nowMs) ? [{ type: 'drop', peer, score, offence }] : []
  }

  #decayed({ score, atMs }: { score: number; atMs: number }, nowMs: number): number {
    return score * 2 ** (-Math.max(0, nowMs - atMs) / this.#options.halfLifeMs)
  }

  /** Forgets all that is forgiven, or else the least guilty one. */
  #makeRoom(nowMs: number): void {
    let least: PeerId | undefined
    let leastScore = Number.NEGATIVE_INFINITY
    for (const [peer, record] of this.#records) {
      const score = this.#decayed(record, nowMs)
      if (score > FORGIVEN) this.#records.delete(peer)
      if (score <= leastScore) continue
      least = peer
      leastScore = score
    }
    if (least !== undefined) this.#records.delete(least)
  }

  check(): void {
    assert.ok(this.#records.size <= SCORES_MAX)
    assert.ok([...this.#records.values()].every(record => record.score <= 0))
  }
}
