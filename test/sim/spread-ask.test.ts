/**
 * Whole nodes in mode `ask`, and an announcer that does harm: what an honest node has arrives everywhere, at little
 * delay, and nobody but the announcer is blamed.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runChild } from './support/child.ts'

interface Rivalry {
  readonly ms?: number
  /** How often the hostile peer was asked. */
  readonly asked: number
  readonly reached: number[]
  readonly blamed: Record<string, string[]>
  readonly worst: number
  readonly repeats: string[]
}

interface Latencies {
  readonly count: number
  readonly lost: number
  readonly p50: number
  readonly p99: number
}

interface Flood {
  readonly announced: number
  readonly quiet: Latencies
  readonly loud: Latencies
  readonly waiting: number
  readonly overflow: number
  readonly scores: number[]
  readonly blamed: Record<string, string[]>
  readonly worst: number
}

const CASES: { id: string; withinMs: number; blamed: Record<string, string[]> }[] = [
  { id: 'the announcer vanishes', withinMs: 200, blamed: {} },
  { id: 'the announcer stalls', withinMs: 600, blamed: { hostile: ['timeout'] } },
  { id: 'the announcer lacks it', withinMs: 200, blamed: { hostile: ['ask-lacked'] } },
  {
    id: 'the announcer sends a wrong payload',
    withinMs: 600,
    blamed: { hostile: ['ask-unwanted', 'timeout'] },
  },
  { id: 'the announcer is gone when another one announces', withinMs: 200, blamed: { hostile: ['timeout'] } },
  {
    id: 'the announcement has failed before another one makes it',
    withinMs: 600,
    blamed: { hostile: ['timeout'] },
  },
]

describe('asking in a world with a hostile announcer', () => {
  let seen: Record<string, Rivalry & { error?: string }> & { 'ten thousand'?: Flood }
  before(async () => {
    seen = await runChild('spread-ask')
  })

  for (const { id, withinMs, blamed } of CASES) {
    it(`gets the payload from another node: ${id}`, () => {
      const found = seen[id]
      assert.equal(found?.error, undefined)
      assert.ok(found !== undefined && found.asked > 0, 'the hostile peer was asked')
      assert.deepEqual(found.reached, [1, 2, 3])
      assert.ok(found.ms !== undefined && found.ms <= withinMs, `after ${found.ms} ms`)
      assert.deepEqual(found.blamed, blamed)
      assert.deepEqual([found.worst, found.repeats], [0, []])
    })
  }

  it('takes a payload whose announcer has lied about its size, and blames the announcer', () => {
    const found = seen['the announcer lies about the size']
    assert.deepEqual(found?.reached, [0, 1, 2, 3])
    assert.deepEqual(found?.blamed, { hostile: ['ask-size'] })
  })

  it('bounds what ten thousand announcements without payloads cost', t => {
    const flood = seen['ten thousand'] as Flood
    t.diagnostic(JSON.stringify(flood))
    assert.equal(flood.announced, 10_000)
    assert.ok(flood.waiting <= 32_768, `${flood.waiting} messages are waited for`)
    assert.ok(flood.overflow > 0, 'the bound was reached')
    assert.deepEqual([flood.quiet.lost, flood.loud.lost], [0, 0])
    assert.ok(
      flood.loud.p99 <= 5 * flood.quiet.p99,
      `p99 ${flood.loud.p99} ms, ${flood.quiet.p99} ms without`,
    )
    assert.deepEqual(flood.blamed, { hostile: ['timeout'] })
    assert.ok(
      flood.scores.every(score => score <= -10),
      `scores ${flood.scores}`,
    )
    assert.equal(flood.worst, 0)
  })
})
