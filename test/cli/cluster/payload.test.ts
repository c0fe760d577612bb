import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checkPayload, makePayload, PAYLOAD_MIN_BYTES } from '../../../src/cli/cluster/payload.ts'
import { Random } from '../../../src/core/random.ts'

const make = (sizeBytes: number, spoilt: boolean, sequence = 1, seed = 's'): Uint8Array =>
  makePayload({ sender: 3, sequence, sizeBytes, spoilt }, new Random(seed))

describe('payload', () => {
  for (const sizeBytes of [PAYLOAD_MIN_BYTES, 300, 65_536]) {
    it(`of ${sizeBytes} bytes has that size and passes, spoilt it does not`, () => {
      assert.equal(make(sizeBytes, false).byteLength, sizeBytes)
      assert.equal(checkPayload(make(sizeBytes, false)), true)
      assert.equal(checkPayload(make(sizeBytes, true)), false)
    })
  }

  it('differs from the good one in one bit when it is spoilt', () => {
    const [good, bad] = [make(100, false), make(100, true)]
    const bits = good.reduce(
      (sum, byte, at) => sum + (byte ^ (bad[at] ?? 0)).toString(2).replaceAll('0', '').length,
      0,
    )
    assert.equal(bits, 1)
  })

  it('is another one for another sequence number, sender or random source', () => {
    const payloads = [make(64, false, 1), make(64, false, 2), make(64, false, 1, 't')]
    assert.equal(new Set(payloads.map(payload => Buffer.from(payload).toString('hex'))).size, 3)
  })

  it('fails with any bit flipped, and when it is cut', () => {
    const good = make(80, false)
    fc.assert(
      fc.property(fc.nat(80 * 8 - 1), bit => {
        const bad = good.slice()
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        assert.equal(checkPayload(bad), false)
      }),
    )
    assert.equal(checkPayload(good.subarray(0, 79)), false)
    assert.equal(checkPayload(new Uint8Array()), false)
  })
})
