import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Candidate, victimOf } from '../../src/peers/eviction.ts'
import { twinVictimOf } from './eviction-twin.ts'

/** `count` peers p0, p1, … in the order of their coming, each in a group of its own, with what is said of some. */
function peers(count: number, said: Record<number, Partial<Candidate>> = {}): Candidate[] {
  return Array.from({ length: count }, (_, index) => ({
    peer: `p${index}`,
    group: `g${index}`,
    groupRank: 0,
    minRttMs: undefined,
    lastFreshMs: undefined,
    freshBytes: 0,
    isDiscouraged: false,
    ...said[index],
  }))
}

/** The same said of several. */
function all(indexes: readonly number[], said: Partial<Candidate>): Record<number, Partial<Candidate>> {
  return Object.fromEntries(indexes.map(index => [index, said]))
}

const from = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

/*
 * Of 16 peers that nothing is said of, p0 is protected by its group's rank (all are equal, so the oldest is), and of the
 * others the older seven: p8 to p15 are left. Of 64, four and thirty are protected: p34 to p63 are left.
 */
const cases: { id: string; candidates: Candidate[]; newcomer?: string; victim: string | undefined }[] = [
  { id: 'among nobody, nobody goes', candidates: [], victim: undefined },
  { id: 'one alone goes', candidates: peers(1), victim: 'p0' },
  { id: 'of a few, the youngest goes', candidates: peers(5), victim: 'p4' },
  { id: 'of many, the youngest goes', candidates: peers(64), victim: 'p63' },
  { id: 'the highest group rank protects', candidates: peers(16, { 15: { groupRank: 9 } }), victim: 'p14' },
  {
    id: 'a group rank protects one of 16, not a second one',
    candidates: peers(16, { 14: { groupRank: 8 }, 15: { groupRank: 9 } }),
    victim: 'p14',
  },
  {
    id: 'the two nearest of 16 are protected, not the third',
    candidates: peers(16, { 13: { minRttMs: 7 }, 14: { minRttMs: 6 }, 15: { minRttMs: 5 } }),
    victim: 'p13',
  },
  {
    id: 'who was never measured is not near',
    candidates: peers(16, { 0: { minRttMs: 900 } }),
    victim: 'p15',
  },
  {
    id: 'who gave something new last is protected, not who did before',
    candidates: peers(16, { 14: { lastFreshMs: 1 }, 15: { lastFreshMs: 2 } }),
    victim: 'p14',
  },
  {
    id: 'who gave most new bytes is protected beside who gave something last',
    candidates: peers(16, {
      13: { lastFreshMs: 3, freshBytes: 10 },
      14: { lastFreshMs: 1, freshBytes: 1_000 },
      15: { lastFreshMs: 2, freshBytes: 10 },
    }),
    victim: 'p15',
  },
  {
    id: 'the older half is protected',
    candidates: peers(16, all(from(8, 15), { group: 'g' })),
    victim: 'p15',
  },
  {
    id: 'a discouraged peer goes before younger ones',
    candidates: peers(16, { 9: { isDiscouraged: true } }),
    victim: 'p9',
  },
  {
    id: 'of discouraged peers the youngest goes',
    candidates: peers(16, all([9, 12], { isDiscouraged: true })),
    victim: 'p12',
  },
  {
    id: 'of discouraged peers the largest group loses one, whatever the groups of others',
    candidates: peers(16, {
      ...all(from(13, 15), { group: 'h' }),
      ...all([8, 9], { group: 'g', isDiscouraged: true }),
      12: { isDiscouraged: true },
    }),
    victim: 'p9',
  },
  {
    id: 'a discouraged peer that is protected stays',
    candidates: peers(16, { 3: { isDiscouraged: true } }),
    victim: 'p15',
  },
  {
    id: 'the largest group loses its youngest',
    candidates: peers(16, all([8, 10], { group: 'g' })),
    victim: 'p10',
  },
  {
    id: 'of groups as large, the one with the younger peer loses it',
    candidates: peers(16, { ...all([8, 13], { group: 'g' }), ...all([11, 12], { group: 'h' }) }),
    victim: 'p13',
  },
  {
    id: 'who is protected does not make its group larger',
    candidates: peers(16, { ...all(from(0, 8), { group: 'g' }), ...all([9, 10], { group: 'h' }) }),
    victim: 'p10',
  },
  {
    id: 'without groups the youngest goes',
    candidates: peers(16, all(from(0, 15), { group: undefined })),
    victim: 'p15',
  },
  {
    id: 'peers without a group are no group together',
    candidates: peers(16, { ...all(from(10, 15), { group: undefined }), ...all([8, 9], { group: 'g' }) }),
    victim: 'p9',
  },
  {
    id: 'a newcomer whose group holds as many places as that of the loser goes itself',
    candidates: peers(16),
    newcomer: 'g1',
    victim: undefined,
  },
  {
    id: 'a newcomer whose group holds fewer does not, and those who are protected count too',
    candidates: peers(16, { ...all([0, 1, 15], { group: 'g' }), ...all([2, 3], { group: 'h' }) }),
    newcomer: 'h',
    victim: 'p15',
  },
  {
    id: 'nor does a newcomer without a group, even where nobody has one',
    candidates: peers(16, all(from(0, 15), { group: undefined })),
    victim: 'p15',
  },
  {
    id: 'nor does any where a discouraged peer can go',
    candidates: peers(16, { 9: { isDiscouraged: true }, ...all(from(10, 15), { group: 'g' }) }),
    newcomer: 'g',
    victim: 'p9',
  },
  {
    id: 'of 64, four are protected by rank, eight are near, four and four gave something new',
    candidates: peers(64, {
      ...all(from(60, 63), { groupRank: 1 }),
      ...all(from(52, 59), { minRttMs: 1 }),
      ...all(from(48, 51), { lastFreshMs: 9 }),
      ...all(from(44, 47), { lastFreshMs: 1, freshBytes: 1 }),
    }),
    victim: 'p43',
  },
  {
    id: 'and of the 44 others the younger 22 are left, also where there are more than 64 places',
    candidates: peers(64, {
      ...all([0, 1, 2, 3], { groupRank: 1 }),
      ...all(from(4, 11), { minRttMs: 1 }),
      ...all(from(12, 15), { lastFreshMs: 9 }),
      ...all(from(16, 19), { lastFreshMs: 1, freshBytes: 1 }),
      ...all([41, 42], { isDiscouraged: true }),
    }),
    victim: 'p42',
  },
  {
    id: 'of 200, no more are protected than of 64',
    candidates: peers(
      200,
      Object.fromEntries(
        from(187, 199).map(index => [index, { minRttMs: 300 - index, isDiscouraged: true }]),
      ),
    ),
    victim: 'p191',
  },
]

describe('eviction', () => {
  for (const { id, candidates, newcomer, victim } of cases) {
    it(id, () => assert.equal(victimOf(candidates, newcomer), victim))
  }

  it('agrees with its twin, and never takes who is protected', () => {
    const small = fc.option(fc.nat(5), { nil: undefined })
    const group = fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { nil: undefined })
    const candidate = fc.record({
      group,
      groupRank: fc.nat(5),
      minRttMs: small,
      lastFreshMs: small,
      freshBytes: fc.nat(3),
      isDiscouraged: fc.boolean(),
    })
    const { SEED } = process.env
    const sets = fc.array(candidate, { maxLength: 140, size: 'max' })
    fc.assert(
      fc.property(sets, group, (list, newcomer) => {
        const candidates = list.map((one, index) => ({ ...one, peer: `p${index}` }))
        const { victim, isProtected } = twinVictimOf(candidates, newcomer)
        assert.equal(victimOf(candidates, newcomer), victim)
        assert.ok(victim === undefined || !isProtected.has(victim))
      }),
      { numRuns: 500, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
    )
  })
})
