import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Dial, DoormanWorld, type Manners, type Name } from './doorman-world.ts'
import { forRandomRuns } from './random-async.ts'

const PROMPT: Manners = { isHasty: false, isCutTold: true }

const manners: fc.Arbitrary<Manners> = fc.record({ isHasty: fc.boolean(), isCutTold: fc.boolean() })

/** Close to each other as a rule: then they are races. */
const dialFrom = (from: fc.Arbitrary<Name>): fc.Arbitrary<Dial> =>
  fc.record({
    from,
    atMs: fc.oneof(fc.constantFrom(0, 0, 100), fc.nat({ max: 300 }), fc.nat({ max: 5_000 })),
    delayMs: fc.oneof(fc.constantFrom(0, 50, 50), fc.nat({ max: 400 })),
    rank: fc.nat({ max: 9 }),
  })

const dials = fc.array(dialFrom(fc.constantFrom<Name>('A', 'B')), { minLength: 1, maxLength: 5 })

/** What is left is one connection, known on both sides, and nothing besides. */
function checkOne(world: DoormanWorld): void {
  assert.deepEqual(world.open(), { both: 1, one: 0 })
  world.checkTidy()
}

describe('two nodes that dial each other', () => {
  const cases: { id: string; dials: Dial[]; manners?: Partial<Manners> }[] = [
    {
      id: 'at the same moment',
      dials: [
        { from: 'A', atMs: 0, delayMs: 50, rank: 0 },
        { from: 'B', atMs: 0, delayMs: 50, rank: 1 },
      ],
    },
    {
      id: 'at the same moment, and all answers come in one',
      dials: [
        { from: 'A', atMs: 0, delayMs: 0, rank: 0 },
        { from: 'B', atMs: 0, delayMs: 0, rank: 1 },
      ],
      manners: { isHasty: true },
    },
    {
      id: 'each half a second after the other, the smaller one last',
      dials: [
        { from: 'B', atMs: 0, delayMs: 50, rank: 0 },
        { from: 'A', atMs: 500, delayMs: 50, rank: 0 },
      ],
    },
    {
      id: 'and one twice, whose second is there first',
      dials: [
        { from: 'B', atMs: 0, delayMs: 400, rank: 0 },
        { from: 'B', atMs: 100, delayMs: 360, rank: 0 },
        { from: 'A', atMs: 900, delayMs: 10, rank: 0 },
      ],
    },
  ]
  for (const { id, dials, manners } of cases) {
    it(`${id}: one connection is left`, async () => {
      const world = new DoormanWorld({ ...PROMPT, ...manners })
      for (const dial of dials) world.dial(dial)
      await world.run()
      checkOne(world)
    })
  }

  it('in any way, where nobody fails: one connection is left', async () => {
    const counts = { races: 0, refused: 0 }
    await forRandomRuns(fc.record({ dials, manners }), { runs: 500 }, async ({ dials, manners }) => {
      const world = new DoormanWorld(manners)
      for (const dial of dials) world.dial(dial)
      await world.run()
      checkOne(world)
      if (new Set(dials.map(({ from }) => from)).size === 2) counts.races++
      counts.refused += world.refused('A').length + world.refused('B').length
    })
    assert.ok(counts.races > 100 && counts.refused > 100, JSON.stringify(counts))
  })
})

describe('a node that has crashed and comes again', () => {
  const returns = fc.array(dialFrom(fc.constant('B')), { minLength: 1, maxLength: 4 })

  for (const first of ['A', 'B'] as const) {
    it(`is connected once, ${first} having dialled before, and no longer kept out by its old connection`, async () => {
      await forRandomRuns(fc.record({ returns, manners }), { runs: 150 }, async ({ returns, manners }) => {
        const world = new DoormanWorld(manners)
        world.dial({ from: first, atMs: 0, delayMs: 50, rank: 0 })
        await world.run()
        world.crash('B')
        // Its end is not known yet, and it has stood for long enough to be no half of a race.
        const laterMs = world.clock.nowMs() + 2_000
        for (const dial of returns) world.dial({ ...dial, atMs: laterMs + dial.atMs })
        await world.run()
        checkOne(world)
        const [replaced] = world.refused('A').filter(([reason]) => reason === 'replaced')
        assert.equal(replaced?.[1], first === 'A' ? 'outbound' : 'inbound')
      })
    })
  }
})
