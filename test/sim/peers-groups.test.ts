/**
 * Network groups among whole nodes: whoever owns one of them gets one outbound place of a node, and no more.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runChild } from './support/child.ts'

interface Seen {
  readonly inOneGroup: number
  readonly parts: number
  readonly places: number
  readonly peers: number
}

describe('Peers in a world: groups', () => {
  it('never have two automatic outbound connections of a node in one', async () => {
    const seen = await runChild<Seen>('peers-groups', 'all')
    assert.equal(seen.inOneGroup, 1)
    assert.equal(seen.parts, 1)
    // There were places to give, and they changed hands.
    assert.ok(seen.places >= 48 && seen.peers > seen.places * 1.3, JSON.stringify(seen))
  })

  it('have several where the rules exempt their addresses', async () => {
    const seen = await runChild<Seen>('peers-groups', 'routable')
    assert.ok(seen.inOneGroup > 1, JSON.stringify(seen))
  })
})
