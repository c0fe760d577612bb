import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import topics, { createBlockTopic } from '../../examples/bitcoin-blocks.ts'
import { messageId } from '../../src/core/hash.ts'
import { GENESIS_BLOCK, realBlocks, realBlocksMissing } from '../fixtures/blocks.ts'
import {
  bytesOf,
  coinbaseOf,
  commitmentScript,
  commitTo,
  type EncodedTx,
  encode,
  flipped,
  HARD_BITS,
  REGTEST_BITS,
  regtestBlock,
  seal,
  type Tx,
  transactionOf,
  transactionsOf,
} from '../fixtures/regtest-blocks.ts'
import { quickVerdictOf, verdictOf } from '../fixtures/verdicts.ts'

const main = topics['bitcoin/block']
const regtest = createBlockTopic({ powLimitBits: REGTEST_BITS })
const hard = createBlockTopic({ powLimitBits: HARD_BITS })

/** A block of these with everything made right behind what was spoilt. */
const sealed = (first: Tx, ...others: EncodedTx[]) => seal([encode(first), ...others])

/** The same coinbase with another witness. */
const withWitness = (tx: Tx, ...witness: Uint8Array[]): Tx => ({
  ...tx,
  inputs: tx.inputs.map(each => ({ ...each, witness })),
})

/** The same transaction with one more output. */
const withOutput = (tx: Tx, script: Uint8Array): Tx => ({
  ...tx,
  outputs: [...tx.outputs, { valueSat: 0, script }],
})

/** A block with a witness, of the weight asked for: four times its size without witnesses, and their bytes. */
function blockOfWeight(weight: number): Uint8Array {
  const weighed = (signatureBytes: number) => {
    const tx = withOutput(
      transactionOf('big', 1, [bytesOf('signature', signatureBytes)]),
      bytesOf('script', 900_000),
    )
    const big = encode(tx)
    const all = [encode(commitTo(coinbaseOf(''), [big])), big]
    const [plain, full] = [seal(all.map(each => ({ ...each, full: each.plain }))), seal(all)]
    return { full, weight: 3 * plain.length + full.length }
  }
  // Any length of more than 65,535 is written in five bytes, so that each byte more of signature weighs one.
  const { full, weight: reached } = weighed(100_000 + weight - weighed(100_000).weight)
  assert.equal(reached, weight)
  return full
}

// A block of four, two of them with a witness, as the parts that the cases below change.
const bare = coinbaseOf('')
const encoded = transactionsOf({ transactions: 4, witness: true }).others.map(each => encode(each))
const coinbase = commitTo(bare, encoded)
const reserved = bytesOf('reserved', 32)
const otherCommitment = commitmentScript([], reserved)

describe('blocks that are right', () => {
  const big = encode(transactionOf('big', 1, [bytesOf('big', 3_000_000)]))
  const longer = Buffer.concat([commitmentScript(encoded, reserved), Buffer.of(1, 2)])
  const cases: Record<string, Uint8Array> = {
    'a coinbase alone': regtestBlock({ transactions: 1 }),
    'a commitment to no witness but its own': regtestBlock({ transactions: 1, witness: true }),
    'a commitment in a longer script': sealed(withWitness(withOutput(bare, longer), reserved), ...encoded),
    'a wrong commitment before the right one': sealed(
      commitTo(withOutput(bare, otherCommitment), encoded),
      ...encoded,
    ),
    'a last script that is one byte short of a commitment': sealed(
      withOutput(coinbase, otherCommitment.subarray(0, 37)),
      ...encoded,
    ),
    'a commitment outside the coinbase, which means nothing': sealed(
      bare,
      encode(withOutput(transactionOf('other'), otherCommitment)),
    ),
    'a plain transaction between others with witnesses': sealed(coinbase, ...encoded),
    'exactly the largest weight': blockOfWeight(4_000_000),
    'three million bytes of witness, which weigh little': sealed(commitTo(bare, [big]), big),
  }
  for (const transactions of [2, 3, 4, 5, 6, 7, 8, 300]) {
    cases[`${transactions} transactions`] = regtestBlock({ transactions })
    cases[`${transactions} transactions with witnesses`] = regtestBlock({ transactions, witness: true })
  }
  for (const [id, payload] of Object.entries(cases)) {
    test(id, () => {
      assert.equal(quickVerdictOf(regtest, payload), 'accept')
      assert.equal(verdictOf(regtest, payload), 'accept')
    })
  }

  test('the first block of the main network', () => {
    assert.equal(quickVerdictOf(main, GENESIS_BLOCK), 'accept')
    assert.equal(verdictOf(main, GENESIS_BLOCK), 'accept')
  })

  test('real blocks of main and test network', { skip: realBlocksMissing }, () => {
    const blocks = realBlocks()
    assert(blocks.length > 0, 'the folder is there and empty')
    for (const { name, payload } of blocks) {
      assert(payload.length <= (main.maxPayloadBytes ?? 0), name)
      assert.equal(quickVerdictOf(main, payload), 'accept', name)
      assert.equal(verdictOf(main, payload), 'accept', name)
    }
  })
})

describe('headers that are wrong: refused by the quick verdict and by the handler', () => {
  const all = [encode(coinbase), ...encoded]
  const good = seal(all, { bits: HARD_BITS })
  const easy = seal(all, { bits: REGTEST_BITS })
  /** A header that says one target and was mined for another, so that only what it says can be wrong. */
  const claiming = (bits: number, minedBits = REGTEST_BITS) => seal(all, { bits, minedBits })
  const cases: Record<string, { payload: Uint8Array; topic?: typeof main }> = {
    'a bit of the version': { payload: flipped(good, 1), topic: hard },
    'a bit of the previous hash': { payload: flipped(good, 8 * 4), topic: hard },
    'a bit of the time': { payload: flipped(good, 8 * 68), topic: hard },
    'a bit of the nonce': { payload: flipped(good, 8 * 76), topic: hard },
    'a smaller target than was mined for': { payload: claiming(HARD_BITS) },
    'a target above the limit of the chain': { payload: easy, topic: hard },
    'a target just above the limit': { payload: claiming(HARD_BITS + 1, HARD_BITS), topic: hard },
    'the limit of the test chain on the main network': { payload: easy, topic: main },
    'a target above 2^256': { payload: claiming(0xff7fffff) },
    'a negative target': { payload: claiming(0x20ffffff) },
    'a target of zero': { payload: claiming(0x20000000) },
    'a target of zero by its exponent': { payload: claiming(0x0000ffff) },
    'half a header': { payload: good.subarray(0, 40), topic: hard },
    'no bytes': { payload: new Uint8Array() },
  }
  for (const [id, { payload, topic = regtest }] of Object.entries(cases)) {
    test(id, () => {
      assert.equal(quickVerdictOf(topic, payload), 'reject')
      assert.equal(verdictOf(topic, payload), 'reject')
    })
  }

  test('a header cut short, with work', () => {
    // Cut to a given length, every second one has a hash that would do.
    for (let length = 0; length < 80; length++) {
      assert.equal(quickVerdictOf(regtest, easy.subarray(0, length)), 'reject', `${length} bytes`)
    }
  })

  test('the blocks that they were made from are right', () => {
    for (const [payload, topic] of [
      [good, hard],
      [easy, regtest],
    ] as const) {
      assert.equal(quickVerdictOf(topic, payload), 'accept')
      assert.equal(verdictOf(topic, payload), 'accept')
    }
  })
})

describe('blocks that are wrong behind a header that is right', () => {
  const good = sealed(coinbase, ...encoded)
  const halves = [bytesOf('half', 16), bytesOf('other', 15)] as const
  const joined = Buffer.concat([halves[0], Buffer.of(halves[1].length), halves[1]])
  const empty = new Uint8Array()
  const signatureAt = Buffer.from(good).indexOf(bytesOf('/0/signature', 20))
  const plain = encoded.map(each => ({ plain: each.plain, full: each.plain }))
  const flagged = encode(transactionOf('flagged'), 'witness')
  const cases: Record<string, Uint8Array> = {
    'another Merkle root': seal([encode(coinbase), ...encoded], { root: bytesOf('root', 32) }),
    'a bit of a transaction': flipped(good, 8 * (good.length - 1)),
    'a bit of a witness': flipped(good, 8 * signatureAt),
    'another reserved value': sealed(withWitness(coinbase, flipped(reserved, 0)), ...encoded),
    'a reserved value of 31 bytes': sealed(commitTo(bare, encoded, reserved.subarray(1)), ...encoded),
    'a reserved value of 33 bytes': sealed(commitTo(bare, encoded, bytesOf('long', 33)), ...encoded),
    'two reserved values': sealed(withWitness(coinbase, reserved, reserved), ...encoded),
    'two reserved values in the place of one': sealed(
      withWitness(commitTo(bare, encoded, joined), ...halves),
      ...encoded,
    ),
    'a lock time in the place of a reserved value': sealed(
      { ...withWitness(commitTo(bare, encoded, empty)), lockTime: 0x2001 },
      ...encoded,
    ),
    'a commitment without a reserved value': sealed(withWitness(coinbase), ...encoded),
    'a commitment to the witnesses in another order': sealed(
      commitTo(bare, encoded.toReversed()),
      ...encoded,
    ),
    'a right commitment before a wrong one': sealed(withOutput(coinbase, otherCommitment), ...encoded),
    'witnesses without a commitment': sealed(bare, ...encoded),
    'witnesses with a commitment outside the coinbase': sealed(
      bare,
      ...encoded,
      encode(withOutput(transactionOf('other'), commitmentScript(encoded, reserved))),
    ),
    'a witness of the coinbase alone without a commitment': sealed(withWitness(bare, reserved)),
    'all witnesses cut off': sealed(withWitness(coinbase), ...plain),
    'all witnesses but that of the coinbase cut off': sealed(coinbase, ...plain),
    'the witness form without a witness': sealed(commitTo(bare, [flagged]), flagged),
    'no transactions': seal([]),
    'no coinbase': seal(plain),
    'two coinbases': sealed(bare, encode(coinbaseOf('second'))),
    'one more than the largest weight': blockOfWeight(4_000_001),
  }
  for (const [id, payload] of Object.entries(cases)) {
    test(id, () => {
      assert.equal(quickVerdictOf(regtest, payload), 'accept')
      assert.equal(verdictOf(regtest, payload), 'reject')
    })
  }

  test('the block that they were made from is right', () => {
    assert.equal(verdictOf(regtest, good), 'accept')
  })
})

describe('transactions repeated under the same Merkle root (CVE-2012-2459)', () => {
  // By number of transactions: which are appended, by index, so that the root stays what it was.
  const cases = [
    { transactions: 3, appended: [2] },
    { transactions: 5, appended: [4] },
    { transactions: 5, appended: [4, 4, 4] },
    { transactions: 6, appended: [4, 5] },
    { transactions: 7, appended: [6] },
    { transactions: 9, appended: [8, 8, 8, 8, 8, 8, 8] },
    { transactions: 10, appended: [8, 9] },
    { transactions: 12, appended: [8, 9, 10, 11] },
  ]
  for (const { transactions, appended } of cases) {
    for (const witness of [false, true]) {
      const id = `${transactions} -> ${transactions + appended.length}${witness ? ' with witnesses' : ''}`
      test(id, () => {
        const { coinbase: first, others } = transactionsOf({ transactions, witness })
        const rest = others.map(each => encode(each))
        const good = sealed(witness ? commitTo(first, rest) : first, ...rest)
        const repeated = [...rest, ...appended.flatMap(i => rest[i - 1] ?? [])]
        const bad = sealed(witness ? commitTo(first, rest) : first, ...repeated)
        assert.deepEqual(bad.subarray(0, 80), good.subarray(0, 80), 'the case is wrong: the root changed')
        assert.equal(bad[80], transactions + appended.length)
        assert.equal(verdictOf(regtest, good), 'accept')
        assert.equal(verdictOf(regtest, bad), 'reject')
      })
    }
  }
})

test('the quick verdict reads the whole block where it sees it', () => {
  const payload = regtestBlock({ transactions: 4 })
  const quick = (bytes: Uint8Array) =>
    regtest.quickVerify({
      id: messageId('t', bytes),
      sizeBytes: bytes.length,
      header: regtest.header(bytes),
      payload: bytes,
    })
  const spoilt = regtest.corrupt(payload, 1)
  assert.equal(quick(payload), 'accept')
  assert.equal(verdictOf(regtest, payload), 'accept')
  assert.equal(quickVerdictOf(regtest, spoilt), 'accept', 'its header is fine')
  assert.equal(quick(spoilt), 'reject')
  assert.equal(verdictOf(regtest, spoilt), 'reject')
})
