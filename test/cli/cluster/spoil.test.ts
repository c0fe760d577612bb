import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { flipBit, ZONE_BYTES } from '../../../src/cli/cluster/spoil.ts'

const flippedAt = (payload: Uint8Array, index: number): number[] => {
  const spoilt = flipBit(payload, index)
  assert.equal(spoilt.byteLength, payload.byteLength)
  const bits: number[] = []
  for (let bit = 0; bit < payload.byteLength * 8; bit += 1) {
    const [before = 0, after = 0] = [payload[bit >> 3], spoilt[bit >> 3]]
    if (((before ^ after) >> (bit & 7)) & 1) bits.push(bit)
  }
  return bits
}

describe('flipBit', () => {
  it('flips one bit and leaves the original alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), fc.nat(1_000), (payload, index) => {
        const before = payload.slice()
        assert.equal(flippedAt(payload, index).length, 1)
        assert.deepEqual(payload, before)
      }),
    )
  })

  it('takes head, middle and tail in turn', () => {
    const payload = new Uint8Array(1_000)
    for (let index = 0; index < 30; index += 1) {
      const byte = Math.floor((flippedAt(payload, index)[0] ?? -1) / 8)
      const zone = byte < ZONE_BYTES ? 0 : byte >= 1_000 - ZONE_BYTES ? 2 : 1
      assert.equal(zone, index % 3)
    }
  })

  it('gives as many different copies as a short payload has bits', () => {
    const copies = Array.from({ length: 24 }, (_, index) => flippedAt(new Uint8Array(1), index * 3)[0])
    assert.equal(new Set(copies).size, 8)
  })
})
