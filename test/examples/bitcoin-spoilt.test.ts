import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import topics, { createBlockTopic } from '../../examples/bitcoin-blocks.ts'
import { parseBlock } from '../../examples/bitcoin-parse.ts'
import { GENESIS_BLOCK, realBlocks, realBlocksMissing } from '../fixtures/blocks.ts'
import {
  bytesOf,
  flipped,
  HARD_BITS,
  REGTEST_BITS,
  regtestBlock,
  spliced,
} from '../fixtures/regtest-blocks.ts'
import { verdictOf } from '../fixtures/verdicts.ts'

const main = topics['bitcoin/block']
const regtest = createBlockTopic({ powLimitBits: REGTEST_BITS })
const hard = createBlockTopic({ powLimitBits: HARD_BITS })

describe('whatever is changed in a block, it is refused', () => {
  const shapes = fc.record({
    transactions: fc.integer({ min: 1, max: 12 }),
    witness: fc.boolean(),
    seed: fc.string(),
  })

  // Why every bit counts: the proof of work covers the header; the Merkle root, in the header, covers a transaction's
  // bytes without marker, flag and witness; marker and flag have one value only; the commitment covers the witnesses
  // and the reserved value, which is all that the witness of the coinbase may be; and the count of transactions
  // must fit the bytes that follow.
  test('each single bit of a block with witnesses', () => {
    const block = regtestBlock({ transactions: 4, witness: true, bits: HARD_BITS })
    assert.equal(verdictOf(hard, block), 'accept')
    for (let bit = 0; bit < 8 * block.length; bit++) {
      assert.equal(verdictOf(hard, flipped(block, bit)), 'reject', `bit ${bit & 7} of byte ${bit >>> 3}`)
    }
  })

  test('single bits of blocks of any shape', () => {
    // Of the header only the Merkle root takes part: with any other bit flipped it is another header, and on the
    // test chain every second header is a good one.
    const rootBits = 8 * 32
    const property = fc.property(
      shapes,
      fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
      (shape, picks) => {
        const block = regtestBlock(shape)
        assert.equal(verdictOf(regtest, block), 'accept')
        for (const pick of picks) {
          const place = pick % (rootBits + 8 * (block.length - 80))
          const bit = place < rootBits ? 8 * 36 + place : 8 * 80 + place - rootBits
          assert.equal(
            verdictOf(regtest, flipped(block, bit)),
            'reject',
            `bit ${bit & 7} of byte ${bit >>> 3}`,
          )
        }
      },
    )
    fc.assert(property)
  })

  test('one header, one payload: pieces cut, copied and moved behind it', () => {
    const piece = fc.record({
      at: fc.nat(),
      removedBytes: fc.nat({ max: 200 }),
      from: fc.nat(),
      copiedBytes: fc.nat({ max: 200 }),
    })
    const property = fc.property(shapes, fc.array(piece, { minLength: 1, maxLength: 4 }), (shape, pieces) => {
      const block = regtestBlock(shape)
      const other = pieces.reduce((bytes, { at, removedBytes, from, copiedBytes }) => {
        const source = 80 + (from % (bytes.length - 79))
        const inserted = bytes.subarray(source, source + copiedBytes)
        return spliced(bytes, 80 + (at % (bytes.length - 79)), removedBytes, inserted)
      }, block)
      const isSame = Buffer.from(other).equals(block)
      assert.equal(verdictOf(regtest, other), isSame ? 'accept' : 'reject')
    })
    fc.assert(property)
  })

  test('a block cut at any length', () => {
    const block = regtestBlock({ transactions: 4, witness: true })
    for (let length = 0; length < block.length; length++) {
      assert.equal(verdictOf(regtest, block.subarray(0, length)), 'reject', `${length} bytes`)
    }
  })

  test('random bytes', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 400 }), payload => {
      assert.equal(verdictOf(main, payload), 'reject')
    })
    fc.assert(property)
  })
})

/** Where the one bit is in which they differ: fails where it is not one. */
function flippedAt(payload: Uint8Array, copy: Uint8Array): number {
  assert.equal(copy.length, payload.length)
  const at = payload.findIndex((byte, i) => byte !== copy[i])
  const difference = (payload[at] ?? 0) ^ (copy[at] ?? 0)
  assert(difference !== 0 && (difference & (difference - 1)) === 0, 'not exactly one bit of the byte')
  assert(Buffer.from(payload.subarray(at + 1)).equals(copy.subarray(at + 1)), 'more than one byte')
  return at
}

function partOf(payload: Uint8Array, at: number): 'header' | 'transaction' | 'witness' {
  if (at < 80) return 'header'
  const tx = parseBlock(payload)?.find(each => each.start <= at && at < each.end)
  assert(tx !== undefined, `byte ${at} is in no transaction`)
  return tx.bodyEnd <= at && at < tx.witnessEnd ? 'witness' : 'transaction'
}

/** Six copies: each spoilt in the part that it should be, each refused, no two alike, and the original as it was. */
function checkCorrupt(topic: typeof main, payload: Uint8Array): void {
  const original = new Uint8Array(payload)
  const hasWitness = parseBlock(payload)?.some(each => each.bodyEnd < each.witnessEnd)
  const parts = ['header', 'transaction', hasWitness ? 'witness' : 'transaction']
  const seen = new Set<string>()
  for (let index = 0; index < 6; index++) {
    const copy = topic.corrupt(payload, index)
    const at = flippedAt(original, copy)
    assert.equal(partOf(original, at), parts[index % 3])
    assert.equal(verdictOf(topic, copy), 'reject')
    assert(Buffer.from(topic.corrupt(payload, index)).equals(copy), 'the same index gave another copy')
    seen.add(`${at} ${copy[at]}`)
  }
  assert.equal(seen.size, 6)
  assert(Buffer.from(payload).equals(original), 'the original was changed')
}

describe('corrupt', () => {
  test('a block with witnesses', () =>
    checkCorrupt(regtest, regtestBlock({ transactions: 5, witness: true })))

  test('a block without witnesses', () => checkCorrupt(regtest, regtestBlock({ transactions: 5 })))

  test('a block with no witness but that of the coinbase', () => {
    checkCorrupt(regtest, regtestBlock({ transactions: 1, witness: true }))
  })

  test('the first block of the main network', () => checkCorrupt(main, GENESIS_BLOCK))

  for (const { name, payload } of realBlocks()) test(`real: ${name}`, () => checkCorrupt(main, payload))
  test('real blocks', { skip: realBlocksMissing }, () => assert(realBlocks().length > 0))

  test('what is no block is spoilt all the same', () => {
    for (const payload of [bytesOf('no block', 200), Buffer.of(1)]) {
      for (let index = 0; index < 6; index++) {
        const copy = main.corrupt(payload, index)
        assert.equal(copy.length, payload.length)
        assert.notDeepEqual(copy, new Uint8Array(payload))
      }
    }
    assert.deepEqual(main.corrupt(new Uint8Array(), 0), new Uint8Array())
  })
})
