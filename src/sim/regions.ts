/**
 * Where nodes are, and how far that is.
 *
 * `world8`: the regions, node counts and one-way latencies of libp2p's `test-plans/gossipsub-interop`
 * (`network_graph.py`). The same in both directions here; there one pair differs by 5 ms.
 */
import type { ScenarioValues } from './schema.ts'

export interface Regions {
  readonly names: readonly string[]
  /** How likely a node is in each, in the order of `names`; any scale. */
  readonly weights: readonly number[]
  /** One way. @throws RangeError for a pair without a latency */
  latencyMs(from: string, to: string): number
}

const WORLD8_NODES = {
  australia: 290,
  europe: 5_599,
  east_asia: 1_059,
  west_asia: 161,
  na_east: 2_894,
  na_west: 1_240,
  south_africa: 47,
  south_america: 36,
}

/** Row by row below the diagonal and on it, in the order of the names above. */
const WORLD8_MS = [
  [2],
  [165, 2],
  [110, 125, 4],
  [180, 60, 110, 5],
  [150, 70, 140, 110, 2],
  [110, 110, 100, 150, 60, 2],
  [220, 95, 175, 110, 130, 160, 7],
  [190, 140, 175, 145, 100, 100, 195, 7],
]

/** One way, where a scenario says nothing. */
const DEFAULT_LATENCY_MS = 50

/** The one region that all nodes are in without `regions`. */
const NOWHERE = 'all'

/** The regions of a scenario that has been checked. */
export function regionsOf({
  regions,
  latency = DEFAULT_LATENCY_MS,
}: Pick<ScenarioValues, 'regions' | 'latency'>): Regions {
  if (regions === undefined) return { names: [NOWHERE], weights: [1], latencyMs: () => latency }
  if (regions.preset === 'world8') return world8()
  const { weights = {}, oneWay = {} } = regions
  return {
    names: Object.keys(weights),
    weights: Object.values(weights),
    latencyMs: (from, to) => {
      const ms = oneWay[from]?.[to] ?? oneWay[to]?.[from]
      if (ms === undefined) throw new RangeError(`no latency from ${from} to ${to}`)
      return ms
    },
  }
}

function world8(): Regions {
  const names = Object.keys(WORLD8_NODES)
  return {
    names,
    weights: Object.values(WORLD8_NODES),
    latencyMs: (from, to) => {
      const [a, b] = [names.indexOf(from), names.indexOf(to)]
      const ms = WORLD8_MS[Math.max(a, b)]?.[Math.min(a, b)]
      if (ms === undefined) throw new RangeError(`no latency from ${from} to ${to}`)
      return ms
    },
  }
}
