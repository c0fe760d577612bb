import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DROP_REASONS, type DropReason } from '../../src/core/drops.ts'
import {
  GOODBYE_CODES,
  GOODBYE_LIMITS,
  goodbyeOf,
  goodbyeProtocol,
  readGoodbye,
  retryAfterMs,
} from '../../src/peers/goodbye.ts'

const reasons = Object.keys(DROP_REASONS) as DropReason[]

const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

describe('a goodbye', () => {
  it('belongs to the protocol of its network', () => {
    assert.equal(goodbyeProtocol('demo'), '/floodgate/demo/goodbye/1')
  })

  it('has a number of its own for every reason, and none for 0', () => {
    assert.deepEqual(Object.keys(GOODBYE_CODES).toSorted(), reasons.toSorted())
    const codes = Object.values(GOODBYE_CODES)
    assert.equal(new Set(codes).size, codes.length)
    assert.ok(codes.every(code => Number.isInteger(code) && code > 0))
  })

  for (const reason of reasons) {
    it(`is read as it was made: ${reason}`, () => {
      const frame = goodbyeOf(reason)
      assert.ok(frame.byteLength <= GOODBYE_LIMITS.frameMaxBytes)
      assert.deepEqual(readGoodbye(frame), { value: reason })
    })
  }

  const frames: { id: string; frame: Uint8Array; expected: object }[] = [
    { id: 'without a number', frame: new Uint8Array(0), expected: { value: 'unknown' } },
    { id: 'with a number of a later version', frame: unhex('08e807'), expected: { value: 'unknown' } },
    { id: 'with a field of a later version', frame: unhex('0810120161'), expected: { value: 'full' } },
    {
      id: 'with a number of 32 bits',
      frame: unhex('08ffffffff0f'),
      expected: { problem: 'code: 4294967295 is not from 0 to 2147483647', isExcess: false },
    },
    {
      id: 'with a text',
      frame: unhex('0a0161'),
      expected: { problem: 'code: wire type 2', isExcess: false },
    },
    {
      id: 'of 65 bytes',
      frame: unhex(`0810123d${'61'.repeat(61)}`),
      expected: { problem: '65 bytes are more than 64', isExcess: false },
    },
  ]
  for (const { id, frame, expected } of frames) {
    it(`${id}`, () => assert.deepEqual(readGoodbye(frame), expected))
  }
})

describe('after a goodbye', () => {
  const advice: [reason: DropReason | 'unknown', minutes: number][] = [
    ['full', 10],
    ['evicted', 10],
    ['banned', 10],
    ['score', 10],
    ['feeler', 0],
    ['stopping', 0],
    ['rotated', 0],
    ['surplus', 0],
    ['asked', 10],
    ['duplicate', 0],
    ['unknown', 0],
  ]
  for (const [reason, minutes] of advice) {
    it(`${reason}: the endpoint is left alone for ${minutes} minutes`, () => {
      assert.equal(retryAfterMs(reason), minutes * 60_000)
    })
  }
})
