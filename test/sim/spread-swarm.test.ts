/**
 * Whole nodes in mode `swarm`, and an origin or a neighbour that does harm: what an honest node has arrives everywhere, and
 * nobody honest is blamed.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runChild } from './support/child.ts'

interface Found {
  readonly error?: string
  /** From the honest propagation until all had it. */
  readonly ms?: number
  readonly extra?: unknown
  readonly reached: number[]
  readonly blamed: Record<string, string[]>
  readonly accusers: number[]
  readonly worst: number
  readonly repeats: string[]
}

interface Case {
  readonly id: string
  readonly withinMs: number
  readonly blamed: Record<string, string[]>
  /** At least. */
  readonly accusers: number[]
  readonly extra?: unknown
}

const CASES: Case[] = [
  {
    id: 'a chunk with a wrong proof',
    withinMs: 3_000,
    blamed: { hostile: ['swarm-chunk'] },
    accusers: [1, 2, 3, 4],
  },
  {
    id: 'a root that does not match its size',
    withinMs: 1_000,
    blamed: { hostile: ['swarm-chunk'] },
    accusers: [1],
  },
  {
    id: 'an announcement of 4 GiB',
    withinMs: 1_000,
    blamed: { hostile: ['ask-malformed'] },
    accusers: [1, 2, 3, 4],
  },
  {
    id: 'an announcement of 64 MiB',
    withinMs: 1_000,
    blamed: { hostile: ['oversized'] },
    accusers: [1, 2, 3, 4],
  },
  // Delivered nowhere.
  {
    id: 'two payloads under one id',
    withinMs: 1_000,
    blamed: { hostile: ['swarm-false'] },
    accusers: [1],
    extra: [],
  },
  {
    id: 'two payloads under one id and header',
    withinMs: 3_000,
    blamed: { hostile: ['swarm-false'] },
    accusers: [1],
    extra: [],
  },
  {
    id: 'a flipped byte behind a valid header',
    withinMs: 3_000,
    blamed: { hostile: ['rejected'] },
    accusers: [1],
    extra: { reached: [] },
  },
]

describe('swarms in a world with a hostile peer', () => {
  let seen: Record<string, Found>
  before(async () => {
    seen = await runChild('spread-swarm')
  })

  for (const { id, withinMs, blamed, accusers, extra } of CASES) {
    it(`brings the honest payload everywhere, and blames the hostile peer alone: ${id}`, () => {
      const found = seen[id]
      assert.equal(found?.error, undefined)
      assert.ok(found !== undefined)
      assert.deepEqual(found.reached, [1, 2, 3, 4])
      assert.ok(found.ms !== undefined && found.ms <= withinMs, `after ${found.ms} ms`)
      assert.deepEqual(found.blamed, blamed)
      for (const index of accusers) assert.ok(found.accusers.includes(index), `not blamed by node ${index}`)
      assert.deepEqual([found.worst, found.repeats], [0, []])
      if (extra !== undefined) assert.deepEqual(found.extra, extra)
    })
  }

  it('brings the honest payload everywhere though its header is announced under 1,000 roots', t => {
    const found = seen['one header under 1,000 roots'] as Found
    t.diagnostic(JSON.stringify(found))
    assert.deepEqual(found.reached, [1, 2, 3, 4])
    assert.ok(found.ms !== undefined && found.ms <= 20_000, `after ${found.ms} ms`)
    // Of one header two at a time.
    assert.equal(found.extra, 2)
    assert.deepEqual([found.worst, found.repeats], [0, []])
  })
})
