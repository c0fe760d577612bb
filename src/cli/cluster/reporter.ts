/**
 * What a node has to tell the cluster, gathered into few lines.
 *
 * A line per event would cost the node more than the message did, so events wait for the next report. At most
 * `EVENTS_MAX` wait; whoever adds the last one learns that the report is due.
 */
import type { PeerId, Transfer, Verdict } from '../../core/types.ts'
import type { NodeStats, Report } from './protocol.ts'
import type { Expectation } from './tally.ts'

export const EVENTS_MAX = 4_096

export class Reporter {
  #sent: [id: string, atUs: number, sizeBytes: number, expect: Expectation][] = []
  #verdicts: [id: string, atUs: number, from: PeerId, verdict: Verdict][] = []
  #transfers: [id: string, atUs: number, from: PeerId, index: number, count: number][] = []

  sent(id: string, atUs: number, sizeBytes: number, expect: Expectation): void {
    this.#sent.push([id, atUs, sizeBytes, expect])
  }

  verdict(id: string, atUs: number, from: PeerId, verdict: Verdict): void {
    this.#verdicts.push([id, atUs, from, verdict])
  }

  transfer(id: string, atUs: number, { from, index, count }: Transfer): void {
    this.#transfers.push([id, atUs, from, index, count])
  }

  get size(): number {
    return this.#sent.length + this.#verdicts.length + this.#transfers.length
  }

  /** Everything since the last call. */
  take(stats: NodeStats): Report {
    const transfers = this.#transfers.length === 0 ? {} : { transfers: this.#transfers }
    const report = { sent: this.#sent, verdicts: this.#verdicts, ...transfers, stats }
    this.#sent = []
    this.#verdicts = []
    this.#transfers = []
    return report
  }
}
