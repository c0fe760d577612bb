/**
 * What is spread among whole nodes while nodes and lines come and go: everything arrives everywhere, once, and nobody is
 * blamed.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runChild } from './support/child.ts'

interface Found {
  readonly error?: string
  readonly ms?: number
  readonly before?: unknown
  readonly reached: number[]
  readonly blamed?: Record<string, string[]>
  readonly worst?: number
  readonly repeats: string[]
  readonly times?: number[]
}

describe('spreading in a world that changes', () => {
  let seen: Record<string, Found>
  before(async () => {
    seen = await runChild('spread-churn')
  })
  const found = (id: string): Found => {
    const one = seen[id]
    assert.ok(one !== undefined && one.error === undefined, one?.error)
    return one
  }

  for (const id of ['a swarm', 'an asked message', 'a flooded message']) {
    it(`brings ${id} to a node that connects ten seconds later`, () => {
      const { ms, reached, blamed, repeats } = found(id)
      assert.deepEqual(reached, [1, 2, 3, 4])
      assert.ok(ms !== undefined && ms <= 1_000, `after ${ms} ms`)
      assert.deepEqual([blamed, repeats], [{}, []])
    })
  }

  const middle: [id: string, reached: number[]][] = [
    ['joins in the middle', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['leaves in the middle', [1, 2, 4, 5, 6, 7]],
    ['crashes in the middle', [1, 2, 4, 5, 6, 7]],
  ]
  for (const [id, expected] of middle) {
    it(`brings a swarm to all that stay when a node ${id}`, () => {
      const { ms, before: early, reached, worst, repeats } = found(id)
      assert.equal(early, 0, 'nobody had it yet')
      for (const index of expected) assert.ok(reached.includes(index), `node ${index} lacks it`)
      assert.ok(ms !== undefined && ms <= 5_000, `after ${ms} ms`)
      assert.deepEqual([worst, repeats], [0, []])
    })
  }

  for (const mode of ['auto', 'ask', 'flood']) {
    it(`brings everything to both sides of a line that was broken for 30 s: mode ${mode}`, () => {
      const { ms, before: during, reached, worst, repeats } = found(`partition, ${mode}`)
      assert.deepEqual(during, [2], 'while it was broken, only one side had each')
      assert.ok(
        reached.every(count => count === 5),
        `reached ${reached}`,
      )
      assert.ok(ms !== undefined && ms <= 5_000, `after ${ms} ms`)
      assert.deepEqual([worst, repeats], [0, []])
    })
  }

  it('is not slowed down by a peer with a slow line', t => {
    const without = Math.max(...(found('without a slow peer').times ?? []))
    const slowed = found('with a slow peer')
    t.diagnostic(`${slowed.times} ms, ${found('without a slow peer').times} ms without`)
    assert.ok(Math.max(...(slowed.times ?? [])) <= 1.5 * without)
    assert.equal(slowed.worst, 0)
  })
})
