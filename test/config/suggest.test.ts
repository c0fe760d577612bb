import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nearest } from '../../src/config/suggest.ts'

const names = ['degree', 'degreeLow', 'degreeHigh', 'heartbeatMs', 'seenTtlMs', 'max']

const cases: { id: string; name: string; expected: string | undefined }[] = [
  { id: 'a letter missing', name: 'hartbeatMs', expected: 'heartbeatMs' },
  { id: 'a letter too many', name: 'heartbeeatMs', expected: 'heartbeatMs' },
  { id: 'a letter changed', name: 'heartbeetMs', expected: 'heartbeatMs' },
  { id: 'two letters swapped', name: 'haertbeatMs', expected: 'heartbeatMs' },
  { id: 'a swap in a name too short for two changes', name: 'mxa', expected: 'max' },
  { id: 'case alone', name: 'DEGREELOW', expected: 'degreeLow' },
  { id: 'the nearer of two', name: 'degreLow', expected: 'degreeLow' },
  { id: 'a unit left out', name: 'heartbeat', expected: 'heartbeatMs' },
  { id: 'a beginning', name: 'seen', expected: 'seenTtlMs' },
  { id: 'a short name with one change', name: 'mas', expected: 'max' },
  { id: 'a short name with two changes', name: 'man-', expected: 'max' },
  { id: 'nothing near', name: 'colour', expected: undefined },
  { id: 'an empty name', name: '', expected: undefined },
  { id: 'a very long name', name: 'x'.repeat(100_000), expected: undefined },
]

describe('nearest', () => {
  for (const { id, name, expected } of cases) {
    it(id, () => assert.equal(nearest(name, names), expected))
  }
})
