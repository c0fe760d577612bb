import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Latencies } from '../../../src/cli/cluster/latency.ts'

describe('Latencies', () => {
  it('is zero without samples', () => {
    const none = new Latencies()
    assert.deepEqual([none.count, none.quantileMs(0.5), none.maxMs], [0, 0, 0])
  })

  it('is within half a percent of the sorted samples', () => {
    const samples = fc.array(fc.integer({ min: 1, max: 60_000_000 }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (us, share) => {
        const latencies = new Latencies()
        for (const sample of us) latencies.add(sample)
        const sorted = us.toSorted((a, b) => a - b)
        const exact = (sorted[Math.max(1, Math.ceil(share * us.length)) - 1] ?? 0) / 1_000
        const told = latencies.quantileMs(share)
        assert.ok(Math.abs(told - exact) <= exact * 0.0051, `${told} for ${exact}`)
        assert.equal(latencies.maxMs, Math.max(...us) / 1_000)
        assert.equal(latencies.count, us.length)
      }),
    )
  })

  it('keeps what is too slow or too fast for its buckets', () => {
    const latencies = new Latencies()
    latencies.add(0)
    latencies.add(1e12)
    assert.equal(latencies.count, 2)
    assert.equal(latencies.maxMs, 1e9)
    assert.ok(latencies.quantileMs(1) > 600_000)
  })
})
