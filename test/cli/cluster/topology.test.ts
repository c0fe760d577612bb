import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { degrees, LINKS_MAX, topology } from '../../../src/cli/cluster/topology.ts'
import { Random } from '../../../src/core/random.ts'

describe('topology', () => {
  it('dials distinct earlier nodes, as many as there are up to four, so that the graph is connected', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), fc.string(), (nodes, seed) => {
        const links = topology(nodes, new Random(seed))
        assert.equal(links.length, nodes)
        for (const [node, dialled] of links.entries()) {
          assert.equal(dialled.length, Math.min(LINKS_MAX, node))
          assert.equal(new Set(dialled).size, dialled.length)
          assert.ok(dialled.every(earlier => earlier >= 0 && earlier < node))
        }
      }),
    )
  })

  it('is the same for the same seed and differs between seeds', () => {
    const of = (seed: string): number[][] => topology(30, new Random(seed))
    assert.deepEqual(of('a'), of('a'))
    assert.notDeepEqual(of('a'), of('b'))
  })
})

describe('degrees', () => {
  it('counts a link at both its ends', () => {
    assert.deepEqual(degrees([[], [0], [0, 1], [2]]), [2, 2, 3, 1])
  })
})
