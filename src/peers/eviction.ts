/**
 * Eviction: which inbound peer goes when a place is needed. A decision as a pure function, after Bitcoin Core's
 * `node/eviction.cpp`: some of those are protected who are good at what is hard to fake all at once, and among the rest
 * the network group that holds most places gives one up.
 *
 * Protected, one after the other, each time among those who are left:
 * 1. 4 whose network group ranks highest under a secret key: an attacker cannot know where it would have to be.
 * 2. the 8 nearest by round trip: an attacker would have to be near to everyone.
 * 3. the 4 that gave us something new last: an attacker would have to do the network's work. New is what the upper
 *    layer accepted, from the first who brought it.
 * 4. the 4 that gave us most new bytes of late. Bitcoin protects here who gave new blocks. We cannot tell a block from a
 *    transaction, but bytes cost what blocks cost: who gives many tiny messages takes class 3, and not this one.
 * 5. of all others, the half that has been here longest: an attacker would have to come early and stay.
 *
 * If any of those left is discouraged, only such peers are looked at. Of them, the group with most peers loses its
 * youngest; of groups as large, the one whose youngest peer is younger. A peer without a group is a group of its own.
 *
 * Done otherwise than in Bitcoin:
 * - The newcomer itself goes when its group already holds as many places as the loser's. In Bitcoin it always gets in, so
 *   that an attacker with few groups, by knocking all the time, turns over the places of the youngest for ever.
 * - A node with few places protects fewer by classes 1 to 4 (a 16th of its peers each, an 8th in class 2). With the full
 *   numbers, 20 sybils would hold a node with 20 places for ever.
 * - Nobody is protected by a class who has not shown what it asks for: who was never measured is not near.
 */
import type { Group } from '../core/endpoint.ts'
import type { PeerId } from '../core/types.ts'

/** An inbound peer that may be evicted at all. */
export interface Candidate {
  readonly peer: PeerId
  /** Undefined where the rules of groups do not hold. */
  readonly group: Group | undefined
  /** A hash of the group under a secret key: any number. Peers of one group share it. */
  readonly groupRank: number
  /** The shortest round trip so far; undefined before the first. */
  readonly minRttMs: number | undefined
  /** When it last was the first to give us a message that was accepted; undefined for never. */
  readonly lastFreshMs: number | undefined
  /** Bytes of such messages, older ones counting less. */
  readonly freshBytes: number
  readonly isDiscouraged: boolean
}

/**
 * Who goes; undefined when it is the newcomer.
 * @param candidates in the order in which they came, the longest here first; without the newcomer
 * @param newcomer its group
 */
export function victimOf(candidates: readonly Candidate[], newcomer: Group | undefined): PeerId | undefined {
  const few = share(candidates, 16, 4)
  const near = share(candidates, 8, 8)
  let left = candidates
  left = withoutBest(left, few, ({ groupRank }) => groupRank)
  left = withoutBest(left, near, ({ minRttMs }) => (minRttMs === undefined ? undefined : -minRttMs))
  left = withoutBest(left, few, ({ lastFreshMs }) => lastFreshMs)
  left = withoutBest(left, few, ({ freshBytes }) => (freshBytes > 0 ? freshBytes : undefined))
  left = left.slice(Math.floor(left.length / 2))
  const discouraged = left.filter(({ isDiscouraged }) => isDiscouraged)
  const victim = youngestOfLargest(discouraged.length > 0 ? discouraged : left)
  if (victim === undefined || victim.isDiscouraged) return victim?.peer
  const held = newcomer === undefined ? 0 : sizeOf(newcomer, candidates)
  const heldByVictim = victim.group === undefined ? 1 : sizeOf(victim.group, candidates)
  return held < heldByVictim ? victim.peer : undefined
}

function sizeOf(group: Group, candidates: readonly Candidate[]): number {
  return candidates.filter(candidate => candidate.group === group).length
}

/** One in so many, but no more than `most`. */
function share(candidates: readonly Candidate[], oneIn: number, most: number): number {
  return Math.min(most, Math.floor(candidates.length / oneIn))
}

/** All but the `count` with the highest merit, in their order. Of equals the older is better; no merit is none. */
function withoutBest(
  candidates: readonly Candidate[],
  count: number,
  meritOf: (candidate: Candidate) => number | undefined,
): readonly Candidate[] {
  const best = candidates
    .flatMap(candidate => {
      const merit = meritOf(candidate)
      return merit === undefined ? [] : [{ candidate, merit }]
    })
    .sort((a, b) => b.merit - a.merit)
    .slice(0, count)
  const isBest = new Set(best.map(({ candidate }) => candidate))
  return candidates.filter(candidate => !isBest.has(candidate))
}

function youngestOfLargest(candidates: readonly Candidate[]): Candidate | undefined {
  const groups = new Map<Group | PeerId, { size: number; youngest: Candidate }>()
  for (const candidate of candidates) {
    const key = candidate.group ?? candidate.peer
    const size = (groups.get(key)?.size ?? 0) + 1
    // Put in again, so that the groups stay in the order of their youngest peers.
    groups.delete(key)
    groups.set(key, { size, youngest: candidate })
  }
  const [largest] = [...groups.values()].reverse().sort((a, b) => b.size - a.size)
  return largest?.youngest
}
