/**
 * One run of a scenario: the world is built, lived through and measured.
 *
 *   0 ── warm-up ──┬── messages, events, attackers ──┬── drain ──┤
 *                  zero, from where times count      duration
 */
import type { TopicGate } from '../cli/cluster/gate-module.ts'
import { isAsExpected, type SimReport } from '../cli/sim/report.ts'
import { parseConfig } from '../config/parse.ts'
import type { ConfigInput } from '../config/schema.ts'
import { topicLimits } from '../config/topics.ts'
import { messageHex } from '../core/hash.ts'
import type { Topic } from '../core/types.ts'
import type { Node } from '../node.ts'
import { playAttackers } from './attackers.ts'
import { Crew } from './crew.ts'
import { virtualGlobals } from './globals.ts'
import { playEvent } from './incidents.ts'
import { judge, type PhaseState } from './judgement.ts'
import { Measures } from './measures.ts'
import { type Member, population } from './population.ts'
import { regionsOf } from './regions.ts'
import type { Scenario } from './scenario.ts'
import { NETWORK } from './sim-node.ts'
import { Stage } from './stage.ts'
import { gatesOf, playTraffic, subscribeAll } from './traffic.ts'
import { World } from './world.ts'

/** How far the run goes before it looks at the real world again. */
const STRIDE_MS = 500

/** How often connections with attackers are looked at. */
const WATCH_MS = 2_000

export interface RunOptions {
  /** What judges messages, in place of the simulator's own gate. */
  readonly gates: ReadonlyMap<Topic, TopicGate> | undefined
  readonly onTrace?: (line: string) => void
  /** Called again and again. @param share of the run that is done, 0 to 1 */
  readonly onProgress: (share: number) => void
}

export class Runner {
  readonly #scenario: Scenario
  readonly #options: RunOptions
  readonly #world: World
  readonly #measures: Measures
  readonly #crew: Crew
  readonly #stage: Stage
  readonly #states: PhaseState[] = []

  constructor(scenario: Scenario, options: RunOptions) {
    this.#scenario = scenario
    this.#options = options
    const { seed, jitter, slowStart, nodes, warmup, duration } = scenario
    const regions = regionsOf(scenario)
    const places = new Map<string, string>()
    // Attackers are where the nodes are not counted: in the first region.
    const placeOf = (host: string): string => places.get(host) ?? regions.names[0] ?? ''
    this.#world = new World({
      seed,
      jitterMs: jitter,
      slowStart,
      latencyMs: (from, to) => regions.latencyMs(placeOf(from), placeOf(to)),
      ...(options.onTrace === undefined ? {} : { onTrace: options.onTrace }),
    })
    this.#measures = new Measures(nodes.count)
    const members = population(scenario, regions, this.#world.process.random)
    for (const { name, region } of members) places.set(name, region)
    this.#crew = new Crew(this.#world, members, this.#measures)
    this.#stage = new Stage(this.#world, this.#crew, seed, { zeroMs: warmup, durationMs: duration })
  }

  /** The last lines of the trace. */
  tail(): string[] {
    return this.#world.trace.tail()
  }

  /** @throws what a node or a handler threw; FloodgateError CONFIG */
  async run(): Promise<SimReport> {
    const { nodes } = this.#scenario
    await this.#open()
    await this.#live()
    this.#leave()
    const { reality } = virtualGlobals()
    const { reports, assertions } = judge(this.#scenario, this.#states, this.#measures, this.#crew)
    const ok = assertions.every(isAsExpected)
    return {
      seed: this.#scenario.seed,
      nodes: nodes.count,
      traceHash: this.#world.trace.hash(),
      cpuSeconds: Math.round(reality.cpuSeconds() * 100) / 100,
      phases: reports,
      assertions,
      ok,
      simulatedSeconds: this.#world.nowMs / 1_000,
      // The system counts in units of 1,024 bytes.
      peakMemoryBytes: process.resourceUsage().maxRSS * 1_024,
      traceTail: ok ? [] : this.tail(),
    }
  }

  async #open(): Promise<void> {
    const { nodes, warmup, traffic, events, attackers, phases } = this.#scenario
    const config: ConfigInput = nodes.config
    const checked = parseConfig(config)
    const gates = gatesOf(traffic, this.#options.gates, topic => topicLimits(checked, topic).mode)
    const targets = { network: config.network ?? NETWORK, topics: [...gates.keys()] }
    await this.#crew.make(config, nodes.discovery, (node, member) => {
      subscribeAll(node, traffic, gates, () => this.#world.nowMs)
      this.#listen(node, member)
    })
    // Before everything else that is planned: a phase has begun when the first message of it is sent.
    for (const [index, { fromMs }] of phases.entries()) this.#stage.at(fromMs, () => this.#enter(index))
    for (const [index, kind] of traffic.entries()) {
      playTraffic(this.#stage, kind, index, this.#measures, atMs => this.#phaseAt(atMs))
    }
    for (const [index, event] of events.entries()) playEvent(this.#stage, event, index)
    for (const [index, kind] of attackers.entries()) playAttackers(this.#stage, kind, index, targets)
    for (const { index } of this.#crew.members) {
      this.#stage.at(-warmup, () => this.#crew.start(index))
    }
  }

  #listen(node: Node, { index, name }: Member): void {
    node.on('message', ({ id, topic, from }) => {
      const key = messageHex(id)
      const sender = this.#crew.indexOf(from)
      if (!this.#measures.delivered(index, key, sender, this.#stage.nowMs)) return
      const by = sender === undefined ? 'a stranger' : this.#crew.members[sender]?.name
      this.#world.note('deliver', `${name} ${topic} ${key.slice(0, 12)} from ${by}`)
    })
    node.on('verdict', ({ id, verdict }) => {
      if (verdict === 'reject') this.#measures.rejected(messageHex(id))
    })
  }

  #phaseAt(atMs: number): number {
    return this.#scenario.phases.findLastIndex(({ fromMs }) => fromMs <= atMs)
  }

  #enter(index: number): void {
    if (index > 0) this.#leave()
    this.#states.push({ fromBytes: this.#crew.sentBytes() })
    this.#world.note('phase', this.#scenario.phases[index]?.name ?? '')
  }

  #leave(): void {
    const state = this.#states.at(-1)
    if (state === undefined) return
    state.untilBytes = this.#crew.sentBytes()
    state.connections = this.#crew.meanConnections()
    state.attackerLinks = this.#crew.meanConnections(true)
  }

  async #live(): Promise<void> {
    const { warmup, duration, drain } = this.#scenario
    const untilMs = warmup + duration + drain
    const hasAttackers = this.#scenario.attackers.length > 0
    while (this.#world.nowMs < untilMs) {
      await this.#world.runUntil(Math.min(untilMs, this.#world.nowMs + STRIDE_MS))
      this.#stage.check()
      if (hasAttackers && this.#world.nowMs % WATCH_MS === 0) this.#crew.watch()
      this.#options.onProgress(this.#world.nowMs / untilMs)
    }
  }
}
