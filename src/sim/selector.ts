/**
 * Which nodes an event is about: `n5`, `n1..n20`, a class, a region, `30%`, `all`, and `rest` for those in no other group.
 */

import { parseFraction } from '../cli/cluster/units.ts'
import type { Random } from '../core/random.ts'
import type { Member } from './population.ts'
import { sample } from './sample.ts'

/** What a selector may name. */
export interface Names {
  readonly count: number
  readonly classes: readonly string[]
  readonly regions: readonly string[]
}

/** Why a word of a selector selects nothing; undefined when it is right. */
export function selectorProblem(word: string, names: Names): string | undefined {
  const range = rangeOf(word)
  if (range !== undefined) {
    const isInside = range.from >= 1 && range.from <= range.to && range.to <= names.count
    return isInside ? undefined : `selects ${word}, expected nodes from n1 to n${names.count}`
  }
  if (word === 'all' || word === 'rest' || shareOf(word) !== undefined) return undefined
  if (names.classes.includes(word) || names.regions.includes(word)) return undefined
  const known = [...names.classes, ...(names.regions.length > 1 ? names.regions : [])]
  return `selects ${JSON.stringify(word)}, expected n1, n1..n20, 10%, all, rest${known.map(it => `, ${it}`).join('')}`
}

/**
 * The nodes that a list of words selects, in the order of the nodes, each once.
 * @param taken those in other groups, for `rest`; shares are drawn from the others
 */
export function select(
  words: readonly string[],
  members: readonly Member[],
  random: Random,
  taken: ReadonlySet<Member> = new Set(),
): Member[] {
  const chosen = new Set<Member>()
  for (const word of words) for (const member of matching(word, members, random, taken)) chosen.add(member)
  return members.filter(member => chosen.has(member))
}

/** Groups that share no node: each is chosen from what those before it have left, `rest` last of all. */
export function selectGroups(
  groups: readonly (readonly string[])[],
  members: readonly Member[],
  random: Random,
): Member[][] {
  const taken = new Set<Member>()
  const chosen = groups.map((): Member[] => [])
  const isLast = (group: readonly string[]): boolean => group.includes('rest')
  const order = [...groups.keys()].sort(
    (a, b) => Number(isLast(groups[a] ?? [])) - Number(isLast(groups[b] ?? [])),
  )
  for (const index of order) {
    const found = select(groups[index] ?? [], members, random, taken).filter(member => !taken.has(member))
    for (const member of found) taken.add(member)
    chosen[index] = found
  }
  return chosen
}

function matching(
  word: string,
  members: readonly Member[],
  random: Random,
  taken: ReadonlySet<Member>,
): readonly Member[] {
  const range = rangeOf(word)
  if (range !== undefined) return members.slice(range.from - 1, range.to)
  if (word === 'all') return members
  const free = members.filter(member => !taken.has(member))
  if (word === 'rest') return free
  const share = shareOf(word)
  if (share !== undefined) return sample(free, Math.round(share * members.length), random)
  return members.filter(member => member.nodeClass === word || member.region === word)
}

function rangeOf(word: string): { from: number; to: number } | undefined {
  const [, from, to] = /^n(\d+)(?:\.\.n(\d+))?$/.exec(word) ?? []
  return from === undefined ? undefined : { from: Number(from), to: Number(to ?? from) }
}

function shareOf(word: string): number | undefined {
  return word.endsWith('%') ? parseFraction(word) : undefined
}
