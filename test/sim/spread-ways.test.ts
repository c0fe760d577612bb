/**
 * Verdicts, holds and modes over a line of whole nodes: whoever is behind another node gets all that it should, once.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runChild } from './support/child.ts'

interface Held {
  readonly before?: number[]
  readonly ms?: number
  readonly order?: boolean[]
  readonly reached: number[][]
  readonly blamed: Record<string, string[]>
  readonly repeats: string[]
}

interface Spread {
  readonly ms?: number
  readonly recipients: number
  readonly reached: number[]
  readonly late: number[]
  readonly blamed: Record<string, string[]>
  readonly repeats: string[]
}

interface Alone {
  readonly first: number
  readonly seen: boolean
  readonly again: number
  readonly ms?: number
}

describe('the ways of messages in a world', () => {
  let seen: Record<string, unknown>
  before(async () => {
    seen = await runChild('spread-ways')
  })
  const found = <T>(id: string): T => {
    const one = seen[id] as (T & { error?: string }) | undefined
    assert.ok(one !== undefined && one.error === undefined, one?.error)
    return one
  }

  for (const id of ['holds, flood', 'holds, ask', 'holds, swarm', 'holds, swarm with quickVerify']) {
    it(`delivers a child that came before its parent after it, everywhere: ${id}`, () => {
      const { before: early, ms, order, reached, blamed, repeats } = found<Held>(id)
      assert.deepEqual(early, [], 'nobody has the child before the parent')
      assert.ok(ms !== undefined && ms <= 1_000, `after ${ms} ms`)
      assert.deepEqual(order, [true, true, true])
      assert.deepEqual(reached, [
        [1, 2, 3],
        [1, 2, 3],
      ])
      assert.deepEqual([blamed, repeats], [{}, []])
    })
  }

  for (const id of ['a missing parent', 'a missing parent that comes late']) {
    it(`asks whoever sent a child for its parent, and blames nobody: ${id}`, () => {
      const { ms, reached, blamed, repeats } = found<Held>(id)
      assert.ok(ms !== undefined && ms <= 2_000, `after ${ms} ms`)
      assert.deepEqual(reached, [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
      ])
      assert.deepEqual([blamed, repeats], [{}, []])
    })
  }

  const spreads: [id: string, withinMs: number, late: number[]][] = [
    ['no quickVerify', 1_000, [0, 0, 0, 0]],
    ['a late quick verdict, ask', 5_000, [0, 0, 0, 0]],
    ['a late quick verdict, swarm', 5_000, [0, 0, 0, 0]],
    // Gossip has given it up: each node hands it on by itself.
    ['a late verdict, ask', 11_000, [0, 1, 1, 1]],
    ['a late verdict, swarm', 11_000, [0, 1, 1, 1]],
    ['16 MB, swarm', 10_000, [0, 0, 0, 0]],
    ['16 MB, auto', 10_000, [0, 0, 0, 0]],
  ]
  for (const [id, withinMs, late] of spreads) {
    it(`reaches everybody: ${id}`, () => {
      const spread = found<Spread>(id)
      assert.deepEqual([spread.reached, spread.late], [[1, 2, 3], late])
      assert.ok(spread.ms !== undefined && spread.ms <= withinMs, `after ${spread.ms} ms`)
      assert.deepEqual([spread.blamed, spread.repeats], [{}, []])
    })
  }

  for (const mode of ['flood', 'ask', 'swarm']) {
    it(`propagates to nobody, and later to somebody, in mode ${mode}`, () => {
      const { first, seen: known, again, ms } = found<Alone>(`nobody, ${mode}`)
      assert.deepEqual([first, known, again], [0, false, 1])
      assert.ok(ms !== undefined && ms <= 1_000, `after ${ms} ms`)
    })
  }

  it('floods small messages between nodes of mode auto and nodes of mode flood', () => {
    assert.deepEqual(found('mixed, small'), [
      [1, 2, 3, 4, 5],
      [0, 2, 3, 4, 5],
    ])
  })
})
