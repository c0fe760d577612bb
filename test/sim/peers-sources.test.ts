/**
 * Where whole nodes find each other: by their anchors and books after a restart, by the exchange, and not where another
 * network lives.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runChild } from './support/child.ts'

interface Restarted {
  readonly known: number
  readonly before: string[]
  readonly dials: string[]
  readonly after: string[]
}

interface Rebooted {
  readonly partsBefore: number
  readonly liveBetween: number
  readonly connectedMs?: number
  readonly missed: number
}

interface Chained {
  readonly first: number[]
  readonly foundMs?: number
  readonly parts: number
  readonly found: number[]
  readonly known: number[]
  readonly missed: number[]
}

const HOUR_S = 3_600

describe('Peers in a world: sources', () => {
  it('dials its anchors first when it comes back after a power failure', async () => {
    const { known, before, dials, after } = await runChild<Restarted>('peers-restart', 'anchors')
    assert.equal(before.length, 3)
    assert.ok(known > 10, `it knew ${known} addresses, of which it could have chosen others`)
    // In which order is for the dialling to say.
    assert.deepEqual(dials.toSorted(), before.toSorted())
    assert.deepEqual(after.toSorted(), before.toSorted())
  })

  it('connects ten nodes that have stopped, and have nothing but their books', async () => {
    const { partsBefore, liveBetween, connectedMs, missed } = await runChild<Rebooted>(
      'peers-restart',
      'book',
    )
    assert.deepEqual([partsBefore, liveBetween], [1, 0])
    assert.ok(connectedMs !== undefined && connectedMs <= 30_000, `after ${connectedMs} ms`)
    assert.equal(missed, 0)
  })

  it('lets the nodes of a chain, of which each knows one, hear of all others', async () => {
    const chained = await runChild<Chained>('peers-exchange')
    assert.deepEqual(chained.first, [1, ...Array(10).fill(2), 1])
    assert.ok(chained.foundMs !== undefined, JSON.stringify(chained))
    assert.equal(chained.parts, 1)
    assert.ok(Math.min(...chained.known) > 2, `addresses in the books: ${chained.known}`)
    assert.deepEqual(chained.found, Array(12).fill(4))
    assert.deepEqual(chained.missed, [0, 0])
  })

  it('refuses a node of another network, and does not dial it again for an hour', async () => {
    const { pairs, dials, ownDials } = await runChild<{
      pairs: string[]
      dials: number[]
      ownDials: number
    }>('peers-strangers')
    assert.deepEqual(pairs, ['n0 n1', 'n1 n0'])
    assert.equal(ownDials, 0)
    // The address may belong to one of us one day.
    assert.ok(dials.length >= 2, `dialled at ${dials}`)
    for (const [index, atS] of dials.entries()) {
      const before = dials[index - 1]
      assert.ok(before === undefined || atS - before >= HOUR_S, `dialled at ${dials}`)
    }
  })
})
