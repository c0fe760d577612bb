import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Random } from '../../src/core/random.ts'

const take = (seed: string, count: number): number[] => {
  const random = new Random(seed)
  return Array.from({ length: count }, () => random.uint32())
}

describe('Random', () => {
  it('gives the same numbers for the same seed, others for another', () => {
    assert.deepEqual(take('1/topology', 50), take('1/topology', 50))
    assert.notDeepEqual(take('1/topology', 50), take('2/topology', 50))
    assert.notDeepEqual(take('1/topology', 50), take('1/feed', 50))
  })

  it('is xoshiro128**: state bits all matter, so no number comes twice in a row and all bits vary', () => {
    const numbers = take('x', 10_000)
    const ones = Array.from({ length: 32 }, (_, bit) => numbers.filter(number => (number >>> bit) & 1).length)
    // Each bit is a coin thrown 10,000 times: 400 off is eight standard deviations.
    for (const count of ones) assert.ok(Math.abs(count - 5_000) < 400, String(ones))
    assert.equal(new Set(numbers).size, numbers.length)
  })

  it('keeps `below` below, and reaches every value', () => {
    const random = new Random('below')
    const seen = new Set(Array.from({ length: 500 }, () => random.below(7)))
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6])
  })

  it('fills every byte, whatever the length', () => {
    for (const length of [0, 1, 3, 4, 5, 1_000]) {
      const sums = new Array<number>(length).fill(0)
      for (let round = 0; round < 20; round += 1) {
        const bytes = new Uint8Array(length)
        new Random(`fill/${round}`).fill(bytes)
        for (const [at, byte] of bytes.entries()) sums[at] = (sums[at] ?? 0) + byte
      }
      assert.ok(sums.every(sum => sum > 0))
    }
  })
})
