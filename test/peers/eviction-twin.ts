/**
 * The naive twin of `victimOf`: takes the protected out one by one, and looks at everybody for each question. It also says
 * who is protected, which the real one never does.
 */
import type { Candidate } from '../../src/peers/eviction.ts'

/** Who goes (undefined: the newcomer), and who may not. */
export interface TwinVerdict {
  readonly victim: string | undefined
  readonly isProtected: ReadonlySet<string>
}

export function twinVictimOf(candidates: readonly Candidate[], newcomer: string | undefined): TwinVerdict {
  const left = [...candidates]
  const few = Math.min(4, Math.floor(candidates.length / 16))
  const near = Math.min(8, Math.floor(candidates.length / 8))
  takeBest(
    left,
    few,
    (a, b) => a.groupRank > b.groupRank,
    () => true,
  )
  takeBest(
    left,
    near,
    (a, b) => Number(a.minRttMs) < Number(b.minRttMs),
    one => one.minRttMs !== undefined,
  )
  takeBest(
    left,
    few,
    (a, b) => Number(a.lastFreshMs) > Number(b.lastFreshMs),
    one => one.lastFreshMs !== undefined,
  )
  takeBest(
    left,
    few,
    (a, b) => a.freshBytes > b.freshBytes,
    one => one.freshBytes > 0,
  )
  for (let old = Math.floor(left.length / 2); old > 0; old--) left.shift()
  const isProtected = new Set(candidates.filter(one => !left.includes(one)).map(({ peer }) => peer))
  const choice = left.some(one => one.isDiscouraged) ? left.filter(one => one.isDiscouraged) : left
  let victim: Candidate | undefined
  // From the youngest on: a group that is only as large as that of a younger peer does not come first.
  for (const one of choice.toReversed()) {
    if (victim === undefined || sizeOf(one, choice) > sizeOf(victim, choice)) victim = one
  }
  const ofNewcomer = candidates.filter(one => one.group !== undefined && one.group === newcomer).length
  const isWorse = victim !== undefined && !victim.isDiscouraged && ofNewcomer >= sizeOf(victim, candidates)
  return { victim: isWorse ? undefined : victim?.peer, isProtected }
}

function sizeOf(one: Candidate, choice: readonly Candidate[]): number {
  return one.group === undefined ? 1 : choice.filter(other => other.group === one.group).length
}

function takeBest(
  left: Candidate[],
  count: number,
  isBetter: (a: Candidate, b: Candidate) => boolean,
  counts: (candidate: Candidate) => boolean,
): void {
  for (let taken = 0; taken < count; taken++) {
    let best: Candidate | undefined
    for (const one of left) if (counts(one) && (best === undefined || isBetter(one, best))) best = one
    if (best !== undefined) left.splice(left.indexOf(best), 1)
  }
}
