/**
 * Frames of swarms: what is written is read again, and what peers make up is answered without a throw.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { MessageId } from '../../src/core/types.ts'
import type { SwarmHead } from '../../src/gossip/announcement.ts'
import { encodeFrame, readFrame, SWARM_FRAME_MAX_BYTES, swarmKey } from '../../src/gossip/swarm-frame.ts'

const { SEED } = process.env
const RUNS = { numRuns: 400, ...(SEED === undefined ? {} : { seed: Number(SEED) }) }

const index = fc.nat({ max: 4_095 })
const ORDINARY = { noNullPrototype: true }
const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
const frame = fc.record(
  {
    key: bytes(16, 16).map(key => Buffer.from(key).toString('latin1')),
    have: fc.array(index, { maxLength: 100 }),
    complete: fc.boolean(),
    ask: fc.array(index, { maxLength: 64 }),
    lack: fc.array(index, { maxLength: 64 }),
    got: fc.array(index, { maxLength: 100 }),
    chunk: fc.option(fc.record({ index, data: bytes(1, 2_000), proof: bytes(0, 240) }, ORDINARY), {
      nil: undefined,
    }),
  },
  ORDINARY,
)

const HEAD: SwarmHead = {
  id: new Uint8Array(20).fill(1) as MessageId,
  sizeBytes: 5_000,
  chunkBytes: 1_024,
  root: new Uint8Array(20).fill(2),
  header: Uint8Array.of(3),
  origin: 'origin',
  signature: new Uint8Array(0),
}

describe('a swarm frame', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(frame, written => {
        const encoded = encodeFrame(written)
        assert.ok(encoded.byteLength <= SWARM_FRAME_MAX_BYTES)
        assert.deepEqual(readFrame(Uint8Array.from(encoded)).value, written)
      }),
      RUNS,
    )
  })

  it('that was spoilt is read or refused', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 7 })), { minLength: 1, maxLength: 8 })
    let refused = 0
    fc.assert(
      fc.property(frame, flips, fc.nat(), (written, bits, cut) => {
        const spoilt = Uint8Array.from(encodeFrame(written))
        for (const [at, bit] of bits) {
          const place = at % spoilt.byteLength
          spoilt[place] = (spoilt[place] ?? 0) ^ (1 << bit)
        }
        const { value, problem } = readFrame(spoilt.subarray(0, spoilt.byteLength - (cut % 3)))
        if (problem !== undefined) refused++
        else encodeFrame(value)
      }),
      RUNS,
    )
    assert.ok(refused > 0)
  })

  it('of random bytes is read or refused', () => {
    fc.assert(
      fc.property(bytes(0, 300), random => {
        const { value, problem } = readFrame(random)
        assert.notEqual(value === undefined, problem === undefined)
      }),
      RUNS,
    )
  })

  it('has limits', () => {
    const least = {
      key: 'k'.repeat(16),
      have: [],
      complete: false,
      ask: [],
      lack: [],
      chunk: undefined,
      got: [],
    }
    assert.deepEqual(readFrame(encodeFrame(least)).value, least)
    const all = Array.from({ length: 4_096 }, (_, at) => at)
    assert.deepEqual(readFrame(encodeFrame({ ...least, have: all, got: all })).value?.got, all)
    const chunk = { index: 0, data: new Uint8Array(2 ** 20), proof: new Uint8Array(240) }
    assert.ok(readFrame(encodeFrame({ ...least, chunk })).value)
    const wrong = [
      { ...least, key: 'k'.repeat(15) },
      { ...least, have: [4_096] },
      { ...least, got: [4_096] },
      { ...least, have: [...all, 0] },
      { ...least, got: [...all, 0] },
      { ...least, ask: new Array(65).fill(1) },
      { ...least, chunk: { ...chunk, data: new Uint8Array(0) } },
      { ...least, chunk: { ...chunk, data: new Uint8Array(2 ** 20 + 1) } },
      { ...least, chunk: { ...chunk, proof: new Uint8Array(241) } },
    ]
    for (const one of wrong) assert.throws(() => encodeFrame(one))
  })

  it('names swarms apart by all that makes them different, and not by who announces them', () => {
    const others: Partial<SwarmHead>[] = [
      { id: new Uint8Array(20).fill(9) as MessageId },
      { root: new Uint8Array(20).fill(9) },
      { header: new Uint8Array(0) },
      { sizeBytes: 5_001 },
      { chunkBytes: 2_048 },
    ]
    const keys = new Set([HEAD, ...others.map(other => ({ ...HEAD, ...other }))].map(swarmKey))
    assert.equal(keys.size, others.length + 1)
    assert.equal(swarmKey({ ...HEAD, origin: 'other', signature: Uint8Array.of(1) }), swarmKey(HEAD))
    assert.equal(swarmKey(HEAD).length, 16)
  })
})
