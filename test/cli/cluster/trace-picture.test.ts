import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TracedMessage, TracedPart } from '../../../src/cli/cluster/trace.ts'
import { tracePicture } from '../../../src/cli/cluster/trace-picture.ts'

const ID = '00112233445566778899'

/** @param parts of each: node, giver, number, milliseconds */
function message(count: number, parts: readonly [number, number, number, number][]): TracedMessage {
  const traced = parts.map(
    ([node, from, index, ms]): TracedPart => ({ node, from, index, atUs: 1_000_000 + ms * 1_000 }),
  )
  return { id: ID, sent: { node: 0, atUs: 1_000_000, sizeBytes: 4_000 }, count, parts: traced }
}

describe('tracePicture', () => {
  it('shows a swarm over time and by part', () => {
    const swarm = message(4, [
      [1, 0, 0, 10],
      [2, 0, 1, 20],
      [1, 2, 1, 50],
      [1, 0, 2, 51],
      [1, 0, 3, 52],
      [2, 1, 0, 60],
      [2, 1, 2, 99],
      [2, 1, 3, 100],
    ])
    assert.deepEqual(tracePicture(swarm, 3, 38), [
      'trace of 0011223344556677…, 4.00 kB in 4 parts, from node 1',
      '',
      '          ├ 0 to 100 ms, who gave ┤',
      'node 1 A  sent it',
      'node 2 B  ··A·······A          52.0 ms',
      'node 3 C  ····A·······B······B 100 ms',
      '',
      '          ├ parts 0 to 3, who gave each ┤',
      'node 1 A  sent it',
      'node 2 B  ACAA',
      'node 3 C  BABB',
      '',
      'node 1 A  sent it',
      'node 2 B  ← A 3, C 1',
      'node 3 C  ← B 3, A 1',
    ])
  })

  it('shows what came in one piece without its parts, and who got nothing', () => {
    const whole = message(1, [[1, -1, 0, 10]])
    assert.deepEqual(tracePicture(whole, 3, 80).slice(3), [
      'node 1 A  sent it',
      `node 2 B  ${'·'.repeat(61)}? 10.0 ms`,
      `node 3 C  ${'·'.repeat(62)}`.trimEnd(),
      '',
      'node 1 A  sent it',
      'node 2 B  ← ? 1',
      'node 3 C  got nothing',
    ])
  })

  it('keeps to its columns, and shares a letter when there are too many nodes', () => {
    const parts = Array.from({ length: 4_096 }, (_, index): [number, number, number, number] => [
      1,
      70,
      index,
      index,
    ])
    const lines = tracePicture(message(4_096, parts), 80, 100)
    assert.ok(lines.every(line => line.length <= 100))
    assert.ok(lines.some(line => /^node 2 B +\*+$/.test(line)))
  })
})
