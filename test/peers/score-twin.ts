/**
 * The naive twin of `Scores`: every offence that ever was, decayed one by one, and the last reading of gossipsub of each
 * peer. It knows one line; the second lies twice as far down.
 */
import { OFFENCES } from '../../src/core/offences.ts'
import type { ScoreEvent } from '../../src/peers/score.ts'

interface Fault {
  readonly peer: string
  readonly weight: number
  readonly atMs: number
}

export class ScoresTwin {
  readonly #halfLifeMs: number
  readonly #dropBelow: number
  #offences: Fault[] = []
  #readings: Fault[] = []

  constructor(halfLifeMs: number, dropBelow: number) {
    this.#halfLifeMs = halfLifeMs
    this.#dropBelow = dropBelow
  }

  scoreOf(peer: string, nowMs: number): number {
    const own = [...this.#offences, ...this.#readings].filter(fault => fault.peer === peer)
    return -own.reduce((sum, { weight, atMs }) => sum + weight / 2 ** ((nowMs - atMs) / this.#halfLifeMs), 0)
  }

  /** What is done, as `drop peer`. */
  handle(event: ScoreEvent, nowMs: number): string[] {
    const { peer } = event
    if (event.type === 'offence') this.#offences.push({ peer, weight: OFFENCES[event.offence], atMs: nowMs })
    else this.#read(peer, event.score, nowMs)
    const score = this.scoreOf(peer, nowMs)
    return [
      ...(score < this.#dropBelow ? [`drop ${peer}`] : []),
      ...(score < 2 * this.#dropBelow ? [`discourage ${peer}`] : []),
    ]
  }

  #read(peer: string, score: number, nowMs: number): void {
    const share = Math.max(0, Math.min(1, score / -80))
    this.#readings = this.#readings.filter(fault => fault.peer !== peer)
    this.#readings.push({ peer, weight: share * 0.19 * -this.#dropBelow, atMs: nowMs })
    // With a reading, what has become less than a half is forgotten.
    if (this.scoreOf(peer, nowMs) <= -0.5) return
    this.#readings = this.#readings.filter(fault => fault.peer !== peer)
    this.#offences = this.#offences.filter(fault => fault.peer !== peer)
  }
}
