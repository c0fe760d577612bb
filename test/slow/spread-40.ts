/**
 * Swarms beside bare gossipsub over the same lines, small: `test/long/spread.ts` has the sizes that were promised.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { meanOf, type Passage, take, type Variant } from '../../bench/spread-sim/course.ts'

const COURSE = {
  lines: 'home',
  nodes: 40,
  connect: 6,
  sizeBytes: 1_000_000,
  messages: 1,
  seed: '1',
} as const

const FASTER_MIN = 5

describe('1 MB among 40 nodes with 20 Mbit/s and 50 ms', () => {
  it(`swarms at least ${FASTER_MIN} times as fast as bare gossipsub floods, in a quarter of the bytes`, async () => {
    const run = async (variant: Variant): Promise<Passage> => meanOf(await take({ ...COURSE, variant }))
    const [swarm, bare] = await Promise.all([run('swarm'), run('bare')])
    const figures = JSON.stringify({ swarm, bare })
    assert.ok(bare.p50Ms >= FASTER_MIN * swarm.p50Ms && bare.allMs >= FASTER_MIN * swarm.allMs, figures)
    assert.ok(swarm.copies <= 1.25 && bare.copies >= 4 * swarm.copies, figures)
  })
})
