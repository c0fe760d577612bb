/**
 * Who the nodes of a scenario are: name, class, region, and whom each dials. All of it from the seed.
 */
import type { Random } from '../core/random.ts'
import type { Regions } from './regions.ts'
import { sample } from './sample.ts'
import type { ScenarioValues } from './schema.ts'

export interface Member {
  /** From 0. */
  readonly index: number
  /** `n1` for the first. */
  readonly name: string
  /** Empty when the scenario has no classes. */
  readonly nodeClass: string
  readonly region: string
  readonly upBitsPerSecond: number
  readonly downBitsPerSecond: number
  /** The indices of those that it dials. */
  readonly dials: readonly number[]
}

type Shape = Pick<ScenarioValues, 'nodes' | 'classes'>

export function population({ nodes, classes }: Shape, regions: Regions, random: Random): Member[] {
  const { count } = nodes
  const classNames = shuffled(quotas(classShares(classes), count), random)
  const regionNames = shuffled(
    quotas(
      regions.names.map((name, index) => [name, regions.weights[index] ?? 0]),
      count,
    ),
    random,
  )
  return Array.from({ length: count }, (_, index) => {
    const nodeClass = classNames[index] ?? ''
    const lines = classes[nodeClass]
    return {
      index,
      name: `n${index + 1}`,
      nodeClass,
      region: regionNames[index] ?? '',
      upBitsPerSecond: lines?.up ?? Number.POSITIVE_INFINITY,
      downBitsPerSecond: lines?.down ?? Number.POSITIVE_INFINITY,
      dials: dialsOf(index, nodes, random),
    }
  })
}

/** Each class with its share; classes without one divide what is left. */
function classShares(classes: ScenarioValues['classes']): [string, number][] {
  const entries = Object.entries(classes)
  const given = entries.reduce((sum, [, { share = 0 }]) => sum + share, 0)
  const open = entries.filter(([, { share }]) => share === undefined).length
  return entries.map(([name, { share }]) => [name, share ?? Math.max(0, 1 - given) / open])
}

/** `count` names in proportion to their weights, by the largest remainder, so that small shares are not lost. */
export function quotas(weighted: readonly (readonly [string, number])[], count: number): string[] {
  const total = weighted.reduce((sum, [, weight]) => sum + weight, 0)
  if (total === 0) return []
  const exact = weighted.map(([name, weight]) => ({ name, value: (weight / total) * count }))
  const missing = count - exact.reduce((sum, { value }) => sum + Math.floor(value), 0)
  const extra = new Set([...exact].sort((a, b) => (b.value % 1) - (a.value % 1)).slice(0, missing))
  return exact.flatMap(entry => Array(Math.floor(entry.value) + (extra.has(entry) ? 1 : 0)).fill(entry.name))
}

function shuffled(names: readonly string[], random: Random): string[] {
  return sample(names, names.length, random)
}

function dialsOf(index: number, nodes: ScenarioValues['nodes'], random: Random): number[] {
  const { count, shape, connect, bootstraps, acquainted } = nodes
  const earlier = (end: number): number[] => Array.from({ length: Math.min(end, index) }, (_, other) => other)
  switch (shape) {
    case 'line':
      return index === 0 ? [] : [index - 1]
    case 'star':
      return index === 0 ? [] : [0]
    case 'bootstrap':
      if (index < bootstraps) return acquainted ? earlier(index) : []
      return sample(earlier(bootstraps), connect, random)
    case 'random': {
      // One earlier node first: so the graph is connected by construction, whatever the seed.
      const first = sample(earlier(count), 1, random)
      const others = Array.from({ length: count }, (_, other) => other)
      const free = others.filter(other => other !== index && !first.includes(other))
      return [...first, ...sample(free, connect - first.length, random)]
    }
    default:
      return shape satisfies never
  }
}
