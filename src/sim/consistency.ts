/**
 * What one value of a scenario alone cannot tell: rules between keys, as `config/checks.ts` has them for a node.
 */

import type { Path } from '../config/keys.ts'
import { mergeLayers } from '../config/layers.ts'
import { parseConfig } from '../config/parse.ts'
import { ConfigError, type Locate, type Problem } from '../config/problems.ts'
import type { ConfigInput } from '../config/schema.ts'
import { topicLimits } from '../config/topics.ts'
import { regionsOf } from './regions.ts'
import type { ScenarioValues } from './schema.ts'
import { type Names, selectorProblem } from './selector.ts'

/** Takes a problem by the path of the value that has it. */
export type Note = (path: Path, message: string) => void

/** The node configuration, by the rules and in the words of `floodgate.yaml`. */
export function configProblems(config: Record<string, unknown>, locate: Locate): readonly Problem[] {
  const inside: Locate = (path, part) => locate(['nodes', 'config', ...path], part)
  try {
    mergeLayers({ layers: [{ values: config, locate: inside }], problems: [] })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(problem => ({ ...problem, key: `nodes.config.${problem.key}` }))
  }
}

/** Only for a node configuration without problems. */
export function checkTraffic({ traffic, nodes }: ScenarioValues, note: Note): void {
  const config = parseConfig(nodes.config as ConfigInput)
  for (const [index, kind] of traffic.entries()) {
    const path = ['traffic', index]
    const { maxPayloadBytes } = topicLimits(config, kind.topic)
    if (kind.files === undefined && kind.size > maxPayloadBytes) {
      const text = `is larger than the topic allows, expected at most ${maxPayloadBytes} bytes (maxPayloadBytes in nodes.config)`
      note([...path, 'size'], text)
    }
    if ((kind.rate === undefined) === (kind.every === undefined)) {
      note(path, 'must say how often messages are sent, expected rate or every, and not both')
    }
    if (kind.every !== undefined && kind.every < 1)
      note([...path, 'every'], 'is too short, expected 1ms or more')
  }
}

/** Everything between keys but traffic. */
export function checkScenario(scenario: ScenarioValues, note: Note): void {
  checkPlaces(scenario, note)
  checkSelectors(scenario, note)
  checkEvents(scenario, note)
}

function checkPlaces({ latency, regions, classes }: ScenarioValues, note: Note): void {
  const shares = Object.values(classes)
  const given = shares.reduce((sum, { share = 0 }) => sum + share, 0)
  const isOpen = shares.some(({ share }) => share === undefined)
  if (shares.length > 0 && (isOpen ? given >= 1 : Math.abs(given - 1) > 1e-9)) {
    note(['classes'], `have shares of ${given} together, expected 1${isOpen ? ' or less' : ''}`)
  }
  if (regions === undefined) return
  if (latency !== undefined) note(['latency'], 'stands beside regions, expected one of them')
  const { preset, weights, oneWay } = regions
  if (preset !== undefined) {
    if (weights !== undefined || oneWay !== undefined)
      note(['regions'], 'has a preset and regions of its own')
  } else if (weights === undefined || oneWay === undefined) {
    note(['regions'], 'is incomplete, expected preset, or weights and oneWay')
  } else {
    const names = Object.keys(weights)
    for (const from of names) {
      for (const to of names.slice(names.indexOf(from))) {
        if (oneWay[from]?.[to] === undefined && oneWay[to]?.[from] === undefined) {
          note(['regions', 'oneWay'], `has no latency from ${from} to ${to}`)
        }
      }
    }
  }
}

function checkSelectors(scenario: ScenarioValues, note: Note): void {
  const names: Names = {
    count: scenario.nodes.count,
    classes: Object.keys(scenario.classes),
    regions: regionsOf(scenario).names,
  }
  const check = (path: Path, words: readonly string[]): void => {
    for (const word of words) {
      const problem = selectorProblem(word, names)
      if (problem !== undefined) note(path, problem)
    }
  }
  for (const [index, { from }] of scenario.traffic.entries()) check(['traffic', index, 'from'], from)
  for (const [index, event] of scenario.events.entries()) {
    if ('nodes' in event) check(['events', index, 'nodes'], event.nodes)
    if (event.kind === 'partition') {
      for (const [group, words] of event.groups.entries()) check(['events', index, 'groups', group], words)
    }
  }
}

function checkEvents({ events, duration, nodes }: ScenarioValues, note: Note): void {
  for (const [index, event] of events.entries()) {
    if (event.at >= duration) note(['events', index, 'at'], `is not before the end at ${duration / 1_000} s`)
    if (event.kind === 'rates' && event.up === undefined && event.down === undefined) {
      note(['events', index], 'changes nothing, expected up, down or both')
    }
  }
  if (nodes.shape === 'bootstrap' && nodes.bootstraps > nodes.count) {
    note(['nodes', 'bootstraps'], `is more than the ${nodes.count} nodes`)
  }
}
