/**
 * A cluster run from the first process to the last: start the nodes, join them, send messages, wait until these
 * have arrived, end the nodes.
 *
 * Rules:
 * - The measured phase lies between two reports of all nodes: before the first message, and after the last has
 *   arrived or its time is up. Bytes are counted between these two, control messages included.
 * - A node that dies ends the run: what is left could not be measured against what was asked for.
 */

import { Random } from '../../core/random.ts'
import { drainMs, Feeder } from './feeder.ts'
import { Fleet } from './fleet.ts'
import { joinMesh } from './mesh.ts'
import type { RunPlan, Traffic } from './plan.ts'
import { Tally, type TallyEvent } from './tally.ts'
import { Trace, type TransferEvent } from './trace.ts'
import { Until } from './until.ts'

const GENERATE_MS = 10_000

/** What has been begun may take as long to hand over as it may take to arrive. */
const QUIET_MS = 30_000

/** A spoilt copy that is passed on in error needs a moment to be seen a hop further. */
const SETTLE_MS = 1_000

export type Phase = 'starting' | 'joining' | 'sending' | 'draining' | 'ending'

export class Run {
  readonly plan: RunPlan
  readonly fleet: Fleet
  readonly tally: Tally
  readonly trace: Trace | undefined
  /** What went wrong, for people. */
  readonly problems: string[] = []
  /** Generated messages that a node was too late to send. */
  skipped = 0
  /** Messages that the feed had more than once. */
  repeated = 0
  readonly #phaseChanged: (phase: Phase) => void
  readonly #until = new Until()
  readonly #ended = new AbortController()
  readonly #broken = new AbortController()
  #phase: Phase = 'starting'
  /** When the measured phase began and ended, in milliseconds of the monotonic clock. */
  #beganMs: number | undefined
  #finishedMs: number | undefined

  /** Starts the processes. `phaseChanged` is told of every phase but the first. */
  constructor(plan: RunPlan, phaseChanged: (phase: Phase) => void = () => {}) {
    this.plan = plan
    this.#phaseChanged = phaseChanged
    this.tally = new Tally(plan.nodes)
    this.trace = plan.traced === true ? new Trace() : undefined
    this.fleet = new Fleet(plan, {
      event: event => this.#note(event),
      reported: () => this.#until.poke(),
      died: problem => {
        this.problems.push(problem)
        this.#broken.abort()
        this.#ended.abort()
      },
    })
  }

  /** Asks for an orderly end: no more messages, then what remains of the run. */
  end(): void {
    this.#ended.abort()
  }

  get phase(): Phase {
    return this.#phase
  }

  /** How long the measured phase has lasted: from the first message to the last report, or until now. */
  get elapsedMs(): number {
    return this.#beganMs === undefined ? 0 : (this.#finishedMs ?? performance.now()) - this.#beganMs
  }

  /** Whether the end was asked for: by the time that was set, by whoever watches, or by a dead node. */
  get wasEnded(): boolean {
    return this.#ended.signal.aborted
  }

  /** Resolves when everything is over, whether it went well or not: see `problems`. */
  async run(): Promise<void> {
    try {
      await this.#orEnded(this.fleet.start())
      if (!this.wasEnded) await this.#orEnded(this.#join())
      if (!this.wasEnded) await this.#measure()
    } catch (error) {
      // A node that died has been noted when it did; what failed after it is its consequence.
      const isNew = !this.#broken.signal.aborted
      if (isNew) this.problems.push(error instanceof Error ? error.message : String(error))
    }
    this.#enter('ending')
    await this.fleet.stop()
  }

  #note(event: TallyEvent | TransferEvent): void {
    this.trace?.handle(event)
    if (event.type !== 'transfer') this.tally.handle(event)
  }

  #enter(phase: Phase): void {
    this.#phase = phase
    this.#phaseChanged(phase)
  }

  /** For what comes before the first message: there the end need not be an orderly one. */
  async #orEnded(work: Promise<void>): Promise<void> {
    const ended = this.#until.until(() => false, Infinity, this.#ended.signal)
    await Promise.race([work, ended])
  }

  async #join(): Promise<void> {
    this.#enter('joining')
    await joinMesh(this.fleet, this.plan, this.#until, this.#ended.signal)
  }

  async #measure(): Promise<void> {
    await this.fleet.report()
    this.fleet.setBaseline()
    this.#beganMs = performance.now()
    this.#enter('sending')
    const { traffic, forMs = Infinity } = this.plan
    const timer = Number.isFinite(forMs) ? setTimeout(() => this.end(), forMs) : undefined
    try {
      if (traffic.kind === 'generated') await this.#generate(traffic)
      else await this.#feed(traffic)
      await this.#drain()
    } finally {
      clearTimeout(timer)
      // After a failure there is nothing to wait for, but what is known should be told.
      if (!this.#broken.signal.aborted) await this.fleet.report()
      this.#finishedMs = performance.now()
    }
  }

  async #generate({ ratePerS, sizeBytes, reject }: Traffic & { kind: 'generated' }): Promise<void> {
    const expect = this.plan.handler === undefined ? 'accept' : 'judged'
    const share = { ratePerS: ratePerS / this.plan.nodes, sizeBytes, reject, expect } as const
    await this.fleet.each(child => child.request('generate', share, GENERATE_MS))
    await this.#until.until(() => this.wasEnded, Infinity, this.#ended.signal)
    const answers = await this.fleet.each(child => child.request('quiet', null, QUIET_MS))
    this.skipped = answers.reduce((sum, { skipped }) => sum + skipped, 0)
  }

  async #feed({ feed, corrupt, spoil }: Traffic & { kind: 'fed' }): Promise<void> {
    const { handler, topic, seed } = this.plan
    const expect = handler === undefined ? 'accept' : 'judged'
    const feeder = new Feeder(
      { feed, topic, expect, corrupt, spoil },
      {
        nodes: this.fleet.nodes,
        tally: this.tally,
        sent: event => this.#note(event),
        until: this.#until,
        random: new Random(`${seed}/feed`),
        signal: this.#ended.signal,
      },
    )
    try {
      await feeder.run()
    } finally {
      this.repeated = feeder.repeated
    }
  }

  /** Waits for what is under way. A run that is broken has nothing to wait for. */
  async #drain(): Promise<void> {
    this.#enter('draining')
    await this.fleet.report()
    const { spoilt, payloadBytes } = this.tally.totals()
    const arrived = (): boolean => this.tally.openCount === 0 && this.tally.totals().spoilt.unjudged === 0
    const limitMs = drainMs(this.plan.traffic.kind === 'fed' ? payloadBytes : 0)
    await this.#until.until(arrived, limitMs, this.#broken.signal)
    if (spoilt.sent > 0) await this.#until.until(() => false, SETTLE_MS, this.#broken.signal)
  }
}
