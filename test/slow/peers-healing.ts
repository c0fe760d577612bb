/**
 * Networks of whole nodes that come apart, by a split line or by crashes, and must become one again by themselves.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runChild } from '../sim/support/child.ts'

interface Split {
  readonly partsBefore: number
  readonly split: { readonly parts: number; readonly missed: number[]; readonly content: number }
  readonly mergedMs?: number
  readonly missed: number[]
}

interface Crashed {
  readonly lackingBefore: number
  readonly deceivedAtOnce: number
  readonly replacedMs?: number
  readonly parts: number
  readonly missed: number
}

describe('Peers in a world: healing', () => {
  const shapes: [shape: string, partsBefore: number, parts: number, missed: number][] = [
    ['halves', 1, 2, 12],
    // None of them has started yet.
    ['islands', 0, 3, 16],
  ]
  for (const [shape, partsBefore, parts, missed] of shapes) {
    it(`makes one network of ${shape}, though nobody there misses anything`, async () => {
      const seen = await runChild<Split>('peers-healing', shape)
      assert.equal(seen.partsBefore, partsBefore)
      assert.equal(seen.split.parts, parts)
      assert.deepEqual(seen.split.missed, [missed, missed])
      assert.equal(seen.split.content, 24, 'everyone had all the peers that they want')
      assert.ok(seen.mergedMs !== undefined && seen.mergedMs <= 60_000, `merged after ${seen.mergedMs} ms`)
      assert.deepEqual(seen.missed, Array(parts).fill(0))
    })
  }

  it('replaces five of 24 nodes within 60 s after they have lost power', async () => {
    const seen = await runChild<Crashed>('peers-crash')
    assert.deepEqual([seen.lackingBefore, seen.deceivedAtOnce], [0, 19])
    assert.ok(seen.replacedMs !== undefined && seen.replacedMs <= 60_000, `after ${seen.replacedMs} ms`)
    assert.deepEqual([seen.parts, seen.missed], [1, 0])
  })
})
