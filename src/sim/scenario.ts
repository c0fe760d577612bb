/**
 * A scenario file, read and checked as a whole: whoever made three mistakes is told of all three, each with its line
 * and column.
 */
import { dirname, resolve } from 'node:path'
import { readConfigFile } from '../config/file.ts'
import type { Problem } from '../config/problems.ts'
import { FloodgateError } from '../core/errors.ts'
import { type Assertion, MEASURES, parseAssertion } from './assertion.ts'
import { checkScenario, checkTraffic, configProblems, type Note } from './consistency.ts'
import { type Issue, nameOf, schemaProblems } from './mistakes.ts'
import { type Phase, phasesOf } from './phases.ts'
import { type EventValues, type ScenarioValues, scenarioSchema } from './schema.ts'

/** An assertion, and whether it is known not to hold yet. */
export interface Claim {
  /** As it was written. */
  readonly text: string
  readonly assertion: Assertion
  /** The figure that it shows today, for one that is expected to fail. */
  readonly expectedToFail?: string
}

export interface Scenario extends Omit<ScenarioValues, 'assert'> {
  readonly claims: readonly Claim[]
  readonly phases: readonly Phase[]
}

/** What the command line may say instead of the file. Undefined: what the file says. */
export interface Overrides {
  readonly seed?: string | undefined
  readonly nodes?: number | undefined
  /** Milliseconds. Events that come later are left out. */
  readonly duration?: number | undefined
}

/**
 * @param file relative to the working directory
 * @throws FloodgateError CONFIG with every problem, a line each, as `file:line:column key: what is wrong`
 */
export function readScenario(file: string, overrides: Overrides = {}): Scenario {
  const { layers, problems } = readConfigFile(file, process.cwd())
  const [layer] = layers
  if (layer === undefined) throw scenarioError(problems)
  const { values, locate } = layer
  const parsed = scenarioSchema.safeParse(withOverrides(values, overrides))
  if (!parsed.success) throw scenarioError(schemaProblems(parsed.error.issues as Issue[], values, locate))
  const { data } = parsed
  const found: Problem[] = [...configProblems(data.nodes.config, locate)]
  const note: Note = (path, message) =>
    found.push({ where: locate(path, 'value'), key: nameOf(path), message })
  if (found.length === 0) checkTraffic(data, note)
  checkScenario(data, note)
  const phases = phasesOf(data.events, data.duration)
  const claims = readClaims(data, phases, note)
  if (found.length > 0) throw scenarioError(found)
  return shortened({ ...withPaths(data, dirname(file)), claims, phases }, overrides.duration)
}

function scenarioError(problems: readonly Problem[]): FloodgateError {
  const lines = problems.map(
    ({ where, key, message }) => `\n  ${key === '' ? where : `${where} ${key}`}: ${message}`,
  )
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return new FloodgateError('CONFIG', `${count} in the scenario:${lines.join('')}`)
}

function withOverrides(values: unknown, { seed, nodes }: Overrides): unknown {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return values
  const file = values as Record<string, unknown>
  const counted = typeof file.nodes === 'object' && file.nodes !== null
  return {
    ...file,
    ...(seed === undefined ? {} : { seed }),
    ...(nodes === undefined || !counted ? {} : { nodes: { ...(file.nodes as object), count: nodes } }),
  }
}

/** Paths in a scenario are relative to its folder. */
function withPaths(values: ScenarioValues, folder: string): ScenarioValues {
  const { handlers, traffic } = values
  return {
    ...values,
    ...(handlers === undefined ? {} : { handlers: resolve(folder, handlers) }),
    traffic: traffic.map(kind =>
      kind.files === undefined ? kind : { ...kind, files: resolve(folder, kind.files) },
    ),
  }
}

/** A run of another length, with the events that it still has, and what can be claimed of these. */
function shortened(scenario: Scenario, durationMs: number | undefined): Scenario {
  if (durationMs === undefined) return scenario
  const events = scenario.events.filter(({ at }) => at < durationMs)
  const phases = phasesOf(events, durationMs)
  const kept = phases.map(({ name }) => name)
  const lost = scenario.phases.map(({ name }) => name).filter(name => !kept.includes(name))
  const heals = events.some(event => healMs(event) < durationMs)
  const claims = scenario.claims.filter(
    ({ assertion: { measure, names } }) =>
      !names.some(name => lost.includes(name)) && (measure !== 'mergedAfterHeal' || heals),
  )
  return { ...scenario, duration: durationMs, events, phases, claims }
}

/** Infinity for an event that heals nothing. */
function healMs(event: EventValues): number {
  return event.kind === 'partition' && event.for !== undefined
    ? event.at + event.for
    : Number.POSITIVE_INFINITY
}

function readClaims(scenario: ScenarioValues, phases: readonly Phase[], note: Note): Claim[] {
  return scenario.assert.flatMap(({ assert: text, ...mark }, index) => {
    const assertion = parseAssertion(text)
    if (typeof assertion === 'string') {
      note(['assert', index], assertion)
      return []
    }
    const problem = namesProblem(assertion, scenario, phases)
    if (problem !== undefined) note(['assert', index], problem)
    return [{ text, assertion, ...mark }]
  })
}

/** What is wrong with the names in an assertion's parentheses. */
function namesProblem(
  { measure, names }: Assertion,
  { traffic, nodes, events, duration }: ScenarioValues,
  phases: readonly Phase[],
): string | undefined {
  const topics = traffic.map(kind => kind.topic)
  const phaseNames = phases.map(phase => phase.name)
  const { scope } = MEASURES[measure]
  if (scope === 'run') {
    if (names.length > 0) return `${measure} takes no names`
    const heals = events.some(event => healMs(event) < duration)
    return heals ? undefined : `${measure} needs a partition that heals`
  }
  const known =
    scope === 'node'
      ? Array.from({ length: nodes.count }, (_, index) => `n${index + 1}`)
      : [...(scope === 'messages' ? topics : []), ...phaseNames]
  const stranger = names.find(name => !known.includes(name))
  if (stranger === undefined) return undefined
  const expected = scope === 'node' ? `n1 to n${nodes.count}` : `one of ${[...new Set(known)].join(', ')}`
  return `${measure} knows no ${stranger}, expected ${expected}`
}
