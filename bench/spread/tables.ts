/**
 * What the spread benchmark prints: figures as medians over the rounds with their spreads, and ratios of medians.
 */
import { formatSpread, formatTable, type Spread, spread } from '../support/figures.ts'
import type { Journey } from './journey.ts'
import type { VariantName } from './names.ts'
import type { Options } from './options.ts'
import type { Phase } from './urgent.ts'

const HEAD = [
  '',
  '50 % ms',
  '95 % ms',
  'all ms',
  '/ bare',
  '/ flood',
  'copies',
  'socket copies',
  'CPU s',
  'waited ms',
]

/** A message that didn't reach all never did: the slowest of all. */
function elapsed(values: readonly (number | null)[]): number[] {
  return values.map(value => value ?? Number.POSITIVE_INFINITY)
}

/** One row a size and variant. */
export function spreadTable(journeys: readonly Journey[], { sizes, variants }: Options): string {
  const rows = sizes.flatMap(sizeBytes =>
    variants.map(variant => {
      const at = (name: VariantName): Journey[] =>
        journeys.filter(one => one.variant === name && one.sizeBytes === sizeBytes)
      const mine = at(variant)
      const name = `${formatSize(sizeBytes)} ${variant}`
      if (mine.length === 0) return [name, ...HEAD.slice(1).map(() => '-')]
      const figure = (key: 'halfMs' | 'mostMs' | 'allMs'): string =>
        formatMs(spread(elapsed(mine.map(one => one[key]))))
      const plain = (key: 'wireCopies' | 'socketCopies'): string =>
        formatSpread(spread(mine.map(one => one[key])), 2)
      return [
        name,
        figure('halfMs'),
        figure('mostMs'),
        figure('allMs'),
        ratio(mine, at('bare')),
        ratio(mine, at('flood')),
        plain('wireCopies'),
        plain('socketCopies'),
        formatSpread(spread(mine.map(({ cpuMs }) => cpuMs / 1_000)), 1),
        formatSpread(spread(mine.map(({ waitedMs }) => waitedMs)), 0),
      ]
    }),
  )
  return formatTable(HEAD, rows)
}

/** Of the time to all: the ratio of the medians, and the least and most of any round. */
function ratio(mine: readonly Journey[], theirs: readonly Journey[]): string {
  if (theirs.length === 0) return '-'
  const median = (list: readonly Journey[]): number => spread(elapsed(list.map(one => one.allMs))).median
  const ofRounds = mine.flatMap(({ round, allMs }) =>
    theirs
      .filter(one => one.round === round && one.allMs !== null && allMs !== null)
      .map(one => (allMs ?? 0) / (one.allMs ?? 1)),
  )
  const ofMedians = median(mine) / median(theirs)
  if (ofRounds.length === 0) return Number.isFinite(ofMedians) ? ofMedians.toFixed(2) : '-'
  const { min, max } = spread(ofRounds)
  return formatSpread({ median: ofMedians, min, max }, 2)
}

/** One row for quiet, one with swarms, and the ratio of their p99. */
export function urgentTable(phases: readonly Phase[]): string {
  const row = (name: string, isLoaded: boolean): string[] => {
    const mine = phases.filter(one => one.isLoaded === isLoaded)
    const figure = (key: 'p50Ms' | 'p99Ms' | 'worstMs'): string => formatMs(spread(mine.map(one => one[key])))
    const sum = (key: 'delivered' | 'missing' | 'swarms'): string =>
      String(mine.reduce((total, one) => total + one[key], 0))
    const swarmMs = mine.flatMap(one => one.swarmMs ?? [])
    return [
      name,
      figure('p50Ms'),
      figure('p99Ms'),
      figure('worstMs'),
      sum('delivered'),
      sum('missing'),
      sum('swarms'),
      swarmMs.length === 0 ? '-' : formatMs(spread(swarmMs)),
    ]
  }
  const head = ['300 B, flood', 'p50 ms', 'p99 ms', 'worst ms', 'delivered', 'missing', 'swarms', 'swarm ms']
  return formatTable(head, [row('quiet', false), row('4 MB swarms', true)])
}

/** The p99 with swarms over that without: the ratio of the medians, and the least and most of any round. */
export function urgentRatio(phases: readonly Phase[]): string {
  const p99 = (isLoaded: boolean, round?: number): number[] =>
    phases
      .filter(one => one.isLoaded === isLoaded && (round === undefined || one.round === round))
      .map(one => one.p99Ms)
  const rounds = [...new Set(phases.map(({ round }) => round))]
  const ofRounds = rounds.map(round => (p99(true, round)[0] ?? 0) / (p99(false, round)[0] ?? 1))
  const { min, max } = spread(ofRounds)
  return formatSpread({ median: spread(p99(true)).median / spread(p99(false)).median, min, max }, 2)
}

function formatMs(figure: Spread): string {
  return formatSpread(figure, 0).replaceAll('Infinity', 'never').replaceAll('NaN', 'never')
}

function formatSize(bytes: number): string {
  return bytes >= 1_000_000 ? `${bytes / 1_000_000} MB` : `${bytes / 1_000} kB`
}
