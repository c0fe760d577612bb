/**
 * What a node keeps of a peer for all swarms together: how much may be under way to it, how long its answers take,
 * and what it has sent too early.
 *
 * Rules:
 * - An answer's time is measured from the ask to the chunk. The shortest is the way itself, forgotten slowly since
 *   routes change; what an answer takes longer it has waited in queues.
 * - Unanswered asks are counted over all swarms, since a small swarm is over before a peer has failed in it often
 *   enough. Any answer starts the count again.
 */
import type { PeerId } from '../core/types.ts'
import { Pacing } from './pacing.ts'
import { EarlyFrames } from './swarm-early.ts'

export class SwarmPeer {
  readonly id: PeerId
  readonly pacing = new Pacing()
  readonly early = new EarlyFrames()
  /** How often in a row it was asked in vain, in all swarms. */
  failures = 0
  #answerMs: { readonly shortest: number; readonly usual: number } | undefined

  constructor(id: PeerId) {
    this.id = id
  }

  /** What its answers take lately, in milliseconds; undefined before the first. */
  get usualAnswerMs(): number | undefined {
    return this.#answerMs?.usual
  }

  /** It has answered. @returns how long the answer waited in queues, in milliseconds */
  answered(tookMs: number): number {
    const { shortest, usual } = this.#answerMs ?? { shortest: tookMs, usual: tookMs }
    this.#answerMs = { shortest: Math.min(tookMs, shortest * 1.02), usual: usual + (tookMs - usual) / 8 }
    return tookMs - shortest
  }
}
