import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseBlock } from '../../examples/bitcoin-parse.ts'
import { GENESIS_BLOCK } from '../fixtures/blocks.ts'
import {
  bytesOf,
  coinbaseOf,
  compactSize,
  type EncodedTx,
  encode,
  spliced,
  type Tx,
  transactionOf,
  uint32,
} from '../fixtures/regtest-blocks.ts'

const header = bytesOf('header', 80)
const coinbase = encode(coinbaseOf('')).full
const plain = encode(transactionOf('plain'))
const witnessed = encode(transactionOf('witnessed', 2, [bytesOf('signature', 20), Buffer.alloc(0)]))

/** The parser asks nothing of the header, nor of what the Merkle root says of the transactions. */
function blockOf(...transactions: Uint8Array[]): Uint8Array {
  return Buffer.concat([header, compactSize(transactions.length), ...transactions])
}

describe('what is right', () => {
  test('the spans cut the same bytes as were put in', () => {
    const given: EncodedTx[] = [plain, witnessed, plain]
    const block = blockOf(coinbase, ...given.map(each => each.full))
    const spans = parseBlock(block)?.slice(1) ?? []
    assert.equal(spans.length, given.length)
    for (const [i, { start, bodyStart, bodyEnd, witnessEnd, end }] of spans.entries()) {
      const parts = [
        block.subarray(start, start + 4),
        block.subarray(bodyStart, bodyEnd),
        block.subarray(witnessEnd, end),
      ]
      assert.deepEqual(Buffer.concat(parts), given[i]?.plain)
      assert.deepEqual(Buffer.from(block.subarray(start, end)), given[i]?.full)
      assert.equal(bodyEnd < witnessEnd, given[i] === witnessed)
    }
  })

  test('half an empty outpoint is an outpoint like any other', () => {
    for (const outpoint of [Buffer.alloc(36), Buffer.concat([bytesOf('id', 32), Buffer.alloc(4, 0xff)])]) {
      const spending = (tx: Tx) =>
        encode({ ...tx, inputs: tx.inputs.map(each => ({ ...each, outpoint })) }).full
      assert.equal(parseBlock(blockOf(coinbase, spending(transactionOf('half'))))?.length, 2)
      assert.equal(parseBlock(blockOf(spending(coinbaseOf('half')))), undefined)
    }
  })

  test('a view into larger memory', () => {
    const memory = Buffer.concat([bytesOf('before', 7), GENESIS_BLOCK, bytesOf('after', 7)])
    const view = memory.subarray(7, 7 + GENESIS_BLOCK.length)
    assert.deepEqual(parseBlock(view), parseBlock(GENESIS_BLOCK))
    assert.equal(parseBlock(view)?.[0]?.end, GENESIS_BLOCK.length)
  })
})

describe('what is wrong', () => {
  const first = coinbaseOf('')
  const second = transactionOf('second')
  const beside = (tx: EncodedTx) => blockOf(coinbase, tx.full)
  const good = blockOf(coinbase, plain.full, witnessed.full)
  const cases: Record<string, Uint8Array> = {
    'no transactions': blockOf(),
    'a header without a count': header,
    'no coinbase': blockOf(plain.full),
    'a coinbase that is not the first': blockOf(plain.full, coinbase),
    'two coinbases': beside(encode(coinbaseOf('another'))),
    'a coinbase with a second input': blockOf(
      encode({ ...first, inputs: [...first.inputs, ...second.inputs] }).full,
    ),
    'a coinbase with two empty inputs': blockOf(
      encode({ ...first, inputs: [...first.inputs, ...first.inputs] }).full,
    ),
    'an empty input beside others': beside(
      encode({ ...second, inputs: [...second.inputs, ...first.inputs] }),
    ),
    'no inputs': beside(encode({ ...second, inputs: [] })),
    'no inputs in the witness form': beside(encode({ ...second, inputs: [] }, 'witness')),
    'no outputs': beside(encode({ ...second, outputs: [] })),
    'the witness form without a witness': beside(encode(second, 'witness')),
    'a witness flag of 0': blockOf(coinbase, spliced(witnessed.full, 5, 1, Buffer.of(0))),
    'a witness flag of 2': blockOf(coinbase, spliced(witnessed.full, 5, 1, Buffer.of(2))),
    'a witness flag of 3': blockOf(coinbase, spliced(witnessed.full, 5, 1, Buffer.of(3))),
    'a byte after the end': spliced(good, good.length, 0, Buffer.of(0)),
    'a transaction after the end': spliced(good, good.length, 0, plain.full),
    'a count that is one too small': spliced(good, 80, 1, Buffer.of(2)),
    'a count that is one too large': spliced(good, 80, 1, Buffer.of(4)),
  }
  test('the block that some were made from is right', () => assert.equal(parseBlock(good)?.length, 3))

  for (const [id, payload] of Object.entries(cases)) {
    test(id, () => assert.equal(parseBlock(payload), undefined))
  }

  test('a block cut at any length', () => {
    for (let length = 0; length < good.length; length++) {
      assert.equal(parseBlock(good.subarray(0, length)), undefined, `${length} bytes`)
    }
  })
})

// Where every count and length of a small transaction stands, and what it is.
const single = transactionOf('single', 1, [Buffer.of(9)])
const singleBytes = encode(single).full
const places: Record<string, [at: number, value: number]> = {
  transactions: [80, 2],
  inputs: [6, 1],
  'input script': [43, 3],
  outputs: [51, 1],
  'output script': [60, 8],
  'witness items': [69, 1],
  'witness item': [70, 1],
}

/** The block with the count or length at that place, and as many bytes after it, written otherwise. */
function rewritten(place: string, otherwise: Uint8Array, bytesAfter = 0): Uint8Array {
  const [at, value] = places[place] ?? [0, 0]
  const block = blockOf(coinbase, singleBytes)
  const offset = at + (place === 'transactions' ? 0 : block.length - singleBytes.length)
  assert.equal(block[offset], value, 'the case is wrong: that is not where it stands')
  return spliced(block, offset, 1 + bytesAfter, otherwise)
}

describe('a CompactSize that is longer than needed', () => {
  for (const [id, [, value]] of Object.entries(places)) {
    test(id, () => {
      assert.equal(parseBlock(rewritten(id, compactSize(value)))?.length, 2)
      for (const prefix of [0xfd, 0xfe, 0xff] as const) {
        assert.equal(parseBlock(rewritten(id, compactSize(value, prefix))), undefined)
      }
    })
  }

  const cases = [
    { sizeBytes: 0xfc, prefix: 0xfd, isRight: false },
    { sizeBytes: 0xfd, prefix: 0xfd, isRight: true },
    { sizeBytes: 0xff, prefix: 0xff, isRight: false },
    { sizeBytes: 0xffff, prefix: 0xfe, isRight: false },
    { sizeBytes: 0x1_0000, prefix: 0xfe, isRight: true },
    { sizeBytes: 0x1_0000, prefix: 0xff, isRight: false },
  ] as const
  for (const { sizeBytes, prefix, isRight } of cases) {
    test(`${sizeBytes} after 0x${prefix.toString(16)} is ${isRight ? 'right' : 'wrong'}`, () => {
      const script = Buffer.concat([compactSize(sizeBytes, prefix), bytesOf('script', sizeBytes)])
      assert.equal(parseBlock(rewritten('output script', script, 8)) !== undefined, isRight)
    })
  }
})

test('a claim of millions or billions costs no memory', () => {
  const claims = [0xffff_ffff, 0x0200_0000].map(claim => Buffer.concat([Buffer.of(0xfe), uint32(claim)]))
  const usedBytes = () => process.memoryUsage().arrayBuffers + process.memoryUsage().heapTotal
  for (const id of Object.keys(places)) {
    for (const claim of [...claims, Buffer.alloc(9, 0xff)]) {
      const beforeBytes = usedBytes()
      assert.equal(parseBlock(rewritten(id, claim)), undefined)
      const grownBytes = usedBytes() - beforeBytes
      assert(grownBytes < 16 * 2 ** 20, `${id}: ${grownBytes} bytes more`)
    }
  }
})
