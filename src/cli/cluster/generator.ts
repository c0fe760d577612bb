/**
 * The traffic that a node makes: payloads on a timetable, a fixed share of them spoilt.
 *
 * Which ones are spoilt follows from the share alone, spread evenly (every tenth for 0.1, each node beginning at
 * a place of its own), so that short runs have their share of them too.
 *
 * Bound: `PENDING_MAX` payloads being handed to the network at once; beyond it payloads are skipped and counted,
 * as are those that the timetable gives up (`pace.ts`).
 */

import { Random } from '../../core/random.ts'
import { Pace } from './pace.ts'
import { makePayload } from './payload.ts'
import type { TrafficSetup } from './protocol.ts'
import type { Expectation } from './tally.ts'

const PENDING_MAX = 256

export interface GeneratorPorts {
  nowMs(): number
  /** Hands a payload to the network. Its failure is the end of the node. */
  send(payload: Uint8Array, expect: Expectation): Promise<void>
}

export class Generator {
  readonly #setup: TrafficSetup
  readonly #node: number
  readonly #ports: GeneratorPorts
  readonly #random: Random
  readonly #pace: Pace
  readonly #pending = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #share: number
  #sequence = 0
  #skipped = 0

  constructor(setup: TrafficSetup, { node, seed }: { node: number; seed: string }, ports: GeneratorPorts) {
    this.#setup = setup
    this.#node = node
    this.#ports = ports
    this.#random = new Random(`${seed}/traffic/${node}`)
    this.#pace = new Pace(setup.ratePerS, this.#random.fraction(), ports.nowMs())
    this.#share = this.#random.fraction()
  }

  start(): void {
    this.#timer = setTimeout(() => {
      for (let due = this.#pace.take(this.#ports.nowMs()); due > 0; due -= 1) this.#next()
      this.start()
    }, this.#pace.waitMs(this.#ports.nowMs()))
  }

  /** Resolves when the last payload has been handed over, to how many were skipped. */
  async stop(): Promise<number> {
    clearTimeout(this.#timer)
    await Promise.all(this.#pending)
    return this.#pace.skipped + this.#skipped
  }

  #next(): void {
    if (this.#pending.size >= PENDING_MAX) {
      this.#skipped += 1
      return
    }
    this.#share += this.#setup.reject
    const spoilt = this.#share >= 1
    if (spoilt) this.#share -= 1
    const fields = { sender: this.#node, sequence: this.#sequence, sizeBytes: this.#setup.sizeBytes, spoilt }
    this.#sequence += 1
    const sending = this.#ports.send(
      makePayload(fields, this.#random),
      spoilt ? 'reject' : this.#setup.expect,
    )
    this.#pending.add(sending)
    sending.finally(() => this.#pending.delete(sending))
  }
}
