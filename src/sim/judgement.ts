/**
 * From measures to figures: the reports of the phases, and the value of each assertion.
 */
import type { AssertionReport, PhaseReport } from '../cli/sim/report.ts'
import type { Direction } from '../core/types.ts'
import { type Assertion, holds, shownValue } from './assertion.ts'
import type { Crew } from './crew.ts'
import type { Measures, Sent, Spread } from './measures.ts'
import type { Scenario } from './scenario.ts'

/** What was read off the nodes at the begin and at the end of a phase. */
export interface PhaseState {
  readonly fromBytes: number
  untilBytes?: number
  connections?: number
  attackerLinks?: number
}

type Source = Pick<Crew, 'members' | 'isUp' | 'outbound' | 'mostAttackers'>

export function judge(
  scenario: Scenario,
  states: readonly PhaseState[],
  measures: Measures,
  crew: Source,
): { reports: PhaseReport[]; assertions: AssertionReport[] } {
  const judgement = new Judgement(scenario, states, measures, crew)
  const reports = scenario.phases.map((phase, index) => judgement.report(phase.name, index))
  const assertions = scenario.claims.map(({ text, assertion, expectedToFail }): AssertionReport => {
    const value = judgement.value(assertion)
    return {
      text,
      value: value === undefined || !Number.isFinite(value) ? null : rounded(value),
      shown: shownValue(assertion.measure, value),
      held: holds(assertion, value),
      ...(expectedToFail === undefined ? {} : { expectedToFail }),
    }
  })
  return { reports, assertions }
}

class Judgement {
  readonly #scenario: Scenario
  readonly #states: readonly PhaseState[]
  readonly #measures: Measures
  readonly #crew: Source

  constructor(scenario: Scenario, states: readonly PhaseState[], measures: Measures, crew: Source) {
    this.#scenario = scenario
    this.#states = states
    this.#measures = measures
    this.#crew = crew
  }

  report(name: string, index: number): PhaseReport {
    const spread = this.#measures.spread(({ phase }) => phase === index)
    const { coverage, latencyMs, diameter, meanHops } = spread
    return {
      name,
      messages: spread.messages,
      coverage: coverage ?? null,
      latencyMs:
        latencyMs === undefined
          ? null
          : {
              p50: rounded(latencyMs.p50),
              p90: rounded(latencyMs.p90),
              p99: rounded(latencyMs.p99),
              max: rounded(latencyMs.max),
            },
      copies: roundedOrNull(this.#copies([index], spread)),
      bytesPerNode: Math.round(this.#bytes([index]) / this.#nodes),
      connections: rounded(this.#states[index]?.connections ?? 0),
      diameter: diameter ?? null,
      meanHops: roundedOrNull(meanHops),
    }
  }

  /** Undefined when there is nothing to measure. */
  value({ measure, names }: Assertion): number | undefined {
    if (measure === 'outbound') return this.#outbound(names)
    if (measure === 'outboundAttackers') return this.#mostAttackers(names, 'outbound')
    if (measure === 'inboundAttackers') return this.#mostAttackers(names, 'inbound')
    if (measure === 'mergedAfterHeal') return this.#merged()
    const phases = this.#phasesNamed(names)
    if (measure === 'bytesPerNode') return this.#bytes(phases) / this.#nodes
    if (measure === 'connections' || measure === 'attackerLinks') {
      return this.#states[phases.at(-1) ?? 0]?.[measure]
    }
    const spread = this.#measures.spread(this.#messagesNamed(names, phases))
    switch (measure) {
      case 'copies':
        return this.#copies(phases, spread)
      case 'coverage':
      case 'messages':
      case 'diameter':
      case 'meanHops':
        return spread[measure]
      case 'p50':
      case 'p90':
      case 'p99':
      case 'max':
        return spread.latencyMs?.[measure]
      default:
        return measure satisfies never
    }
  }

  get #nodes(): number {
    return this.#scenario.nodes.count
  }

  /** The indices of the phases among the names; all of them when there is none. */
  #phasesNamed(names: readonly string[]): number[] {
    const all = this.#scenario.phases.map((_, index) => index)
    const named = all.filter(index => names.includes(this.#scenario.phases[index]?.name ?? ''))
    return named.length === 0 ? all : named
  }

  #messagesNamed(names: readonly string[], phases: readonly number[]): (message: Sent) => boolean {
    const topics = this.#scenario.traffic.map(kind => kind.topic).filter(topic => names.includes(topic))
    return ({ topic, phase }) => phases.includes(phase) && (topics.length === 0 || topics.includes(topic))
  }

  #bytes(phases: readonly number[]): number {
    return phases.reduce((sum, index) => {
      const { fromBytes = 0, untilBytes = 0 } = this.#states[index] ?? {}
      return sum + untilBytes - fromBytes
    }, 0)
  }

  #copies(phases: readonly number[], { payloadBytes }: Spread): number | undefined {
    const floor = (this.#nodes - 1) * payloadBytes
    return floor === 0 ? undefined : this.#bytes(phases) / floor
  }

  /** Who is down has none, and counts when it is asked for by name. */
  #outbound(names: readonly string[]): number {
    const asked = this.#indicesNamed(names).filter(index => names.length > 0 || this.#crew.isUp(index))
    return Math.min(...asked.map(index => this.#crew.outbound(index)))
  }

  #mostAttackers(names: readonly string[], direction: Direction): number {
    return Math.max(...this.#indicesNamed(names).map(index => this.#crew.mostAttackers(index, direction)))
  }

  /** The indices of the nodes among the names; all of them when there is none. */
  #indicesNamed(names: readonly string[]): number[] {
    return this.#crew.members.flatMap(({ index, name }) =>
      names.length === 0 || names.includes(name) ? [index] : [],
    )
  }

  /** After the last heal. */
  #merged(): number | undefined {
    const heals = this.#scenario.events.flatMap(event =>
      event.kind === 'partition' && event.for !== undefined ? [event.at + event.for] : [],
    )
    return heals.length === 0 ? undefined : this.#measures.mergedMs(Math.max(...heals))
  }
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6
}

function roundedOrNull(value: number | undefined): number | null {
  return value === undefined ? null : rounded(value)
}
