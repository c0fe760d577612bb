/**
 * How much faster swarms are than bare gossipsub, pinned: `npm run test:spread`. The figures of all sizes and networks
 * are those of `npm run bench -- spread-sim`, which this is a part of.
 *
 * Virtual time: a busy machine makes it longer and changes nothing. Some minutes of CPU time.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { meanOf, type Passage, take, type Variant } from '../../bench/spread-sim/course.ts'

const LINES = { lines: 'home', nodes: 100, connect: 6, messages: 1, seed: '1' } as const

/** How many times as long bare gossipsub takes, at least. */
const FASTER_MIN = 5

describe('a swarm among 100 nodes with 20 Mbit/s and 50 ms', () => {
  const sizes: [name: string, sizeBytes: number, allMaxMs: number, copiesMax: number][] = [
    ['1 MB', 1_000_000, 2_000, 1.25],
    ['4 MB', 4_000_000, 4_000, 1.2],
  ]
  for (const [name, sizeBytes, allMaxMs, copiesMax] of sizes) {
    test(`takes ${name} to all at least ${FASTER_MIN} times as fast as bare gossipsub`, async t => {
      const run = async (variant: Variant): Promise<Passage> =>
        meanOf(await take({ ...LINES, sizeBytes, variant }))
      const swarm = await run('swarm')
      t.diagnostic(`swarm: ${figures(swarm)}`)
      assert.ok(swarm.allMs <= allMaxMs, `all have it after ${swarm.allMs} ms`)
      assert.ok(swarm.copies <= copiesMax, `${swarm.copies} copies`)
      const bare = await run('bare')
      t.diagnostic(`bare: ${figures(bare)}`)
      for (const of of ['p50Ms', 'allMs'] as const) {
        const faster = bare[of] / swarm[of]
        assert.ok(faster >= FASTER_MIN, `${of}: ${faster.toFixed(2)} times as fast`)
      }
    })
  }
})

function figures({ p50Ms, allMs, copies }: Passage): string {
  return `p50 ${Math.round(p50Ms)} ms, all ${Math.round(allMs)} ms, ${copies.toFixed(2)} copies`
}
