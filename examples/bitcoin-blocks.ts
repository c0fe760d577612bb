/**
 * Bitcoin blocks as a Floodgate topic: `floodgate cluster --handler examples/bitcoin-blocks.ts --feed FOLDER`,
 * where each file of the folder is one serialised block.
 *
 * What is checked, and needs nothing but the block: its form (`bitcoin-parse.ts`), its weight, the proof of work,
 * the Merkle root, and the witness commitment. What is not, because it needs the chain: scripts and
 * signatures, amounts, that the outputs spent exist, and that the difficulty is what the chain asks for.
 *
 * The aim is **one header, one payload**: the header's hash binds the Merkle root, which binds all bytes but
 * the witnesses; a coinbase output binds these; the parser leaves one way to write it all down. Nobody can so
 * make a second payload that passes, which would have another message id and travel the network again. Three
 * traps stand in the way:
 * - Transactions repeated at the end can leave the Merkle root as it was (CVE-2012-2459): equal pairs are refused.
 * - Witnesses may be cut off altogether: a block that has a commitment must have the witness of its coinbase.
 *   (Blocks mined before segregated witness was in force may have the one without the other; they are refused.)
 * - A witness may be added where nothing commits to it: refused.
 */
import { createHash, hash } from 'node:crypto'
import type { Handler, HeaderOf, QuickVerify, TopicOptions } from 'floodgate'
import { HEADER_BYTES, parseBlock, type TransactionSpan } from './bitcoin-parse.ts'

/** What a handler module says of one topic. */
export interface BlockTopic extends TopicOptions {
  readonly header: HeaderOf
  readonly quickVerify: QuickVerify
  readonly handler: Handler
  /** A spoilt copy for `cluster --corrupt`. */
  readonly corrupt: (payload: Uint8Array, index: number) => Uint8Array
}

/** How a chain differs from the main network, as far as a lone block shows it. */
export interface ChainParameters {
  /** The easiest target allowed, in the compact form of a header's nBits. */
  readonly powLimitBits: number
}

/** Main and test network. The test chain `regtest` has 0x207fffff, which every second hash meets. */
const MAIN_POW_LIMIT_BITS = 0x1d00ffff

/** BIP 141: every byte counts four times, a witness byte once. */
const MAX_WEIGHT = 4_000_000

const HASH_BYTES = 32

const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer')

const sha256d = (bytes: Uint8Array): Buffer => sha256(sha256(bytes))

/** The number that nBits stands for; 0, which no hash meets, where it is negative. */
function targetOf(bits: number): bigint {
  const exponent = bits >>> 24
  const mantissa = bits & 0x7f_ffff
  return (bits & 0x80_0000) !== 0 ? 0n : BigInt(mantissa) << BigInt(8 * (exponent - 3))
}

function hasWork(header: Uint8Array, powLimit: bigint): boolean {
  if (header.length !== HEADER_BYTES) return false
  const bits = new DataView(header.buffer, header.byteOffset, header.byteLength).getUint32(72, true)
  const target = targetOf(bits)
  // The limit is far below 2^256, so a target that overflows 256 bits is above it.
  return target <= powLimit && BigInt(`0x${sha256d(header).reverse().toString('hex')}`) <= target
}

/**
 * The Merkle root over ids of 32 bytes each, in the buffer that it overwrites. Undefined where two neighbours are
 * equal at any level: an odd one out is paired with itself, so [1, 2, 3] and [1, 2, 3, 3] share a root.
 */
function merkleRoot(ids: Buffer): Buffer | undefined {
  let level = ids
  while (level.length > HASH_BYTES) {
    let written = 0
    for (let at = 0; at < level.length; at += 2 * HASH_BYTES) {
      const left = level.subarray(at, at + HASH_BYTES)
      const right = level.subarray(at + HASH_BYTES, at + 2 * HASH_BYTES)
      if (left.equals(right)) return undefined
      const pair = right.length === 0 ? Buffer.concat([left, left]) : level.subarray(at, at + 2 * HASH_BYTES)
      written += sha256d(pair).copy(ids, written)
    }
    level = ids.subarray(0, written)
  }
  return level
}

/** All ids in one buffer. Witness ids cover a transaction's witness too, and that of the coinbase is zero. */
function idsOf(
  payload: Uint8Array,
  transactions: readonly TransactionSpan[],
  kind: 'plain' | 'witness',
): Buffer {
  const ids = Buffer.alloc(transactions.length * HASH_BYTES)
  for (const [i, { start, bodyStart, bodyEnd, witnessEnd, end }] of transactions.entries()) {
    if (kind === 'witness' && i === 0) continue
    const isWhole = kind === 'witness' || bodyEnd === witnessEnd
    const once = isWhole
      ? sha256(payload.subarray(start, end))
      : createHash('sha256')
          .update(payload.subarray(start, start + 4))
          .update(payload.subarray(bodyStart, bodyEnd))
          .update(payload.subarray(witnessEnd, end))
          .digest()
    ids.set(sha256(once), i * HASH_BYTES)
  }
  return ids
}

/** BIP 141: the coinbase commits to hash(witness root, reserved value); no witness at all needs no commitment. */
function isCommitted(payload: Uint8Array, transactions: readonly TransactionSpan[]): boolean {
  const coinbase = transactions[0]
  if (coinbase === undefined) return false
  const { commitmentAt, bodyEnd, witnessEnd } = coinbase
  if (commitmentAt < 0) return transactions.every(each => each.bodyEnd === each.witnessEnd)
  // The coinbase has one input. Its witness must be one item, which of 34 bytes has 32: the reserved value.
  const hasReserved = witnessEnd - bodyEnd === 34 && payload[bodyEnd] === 1
  const root = merkleRoot(idsOf(payload, transactions, 'witness'))
  if (!hasReserved || root === undefined) return false
  const expected = sha256d(Buffer.concat([root, payload.subarray(bodyEnd + 2, witnessEnd)]))
  return expected.equals(payload.subarray(commitmentAt, commitmentAt + HASH_BYTES))
}

function isValidBlock(payload: Uint8Array, powLimit: bigint): boolean {
  if (!hasWork(headerOf(payload), powLimit)) return false
  const transactions = parseBlock(payload)
  if (transactions === undefined) return false
  const witnessBytes = transactions
    .filter(each => each.bodyEnd < each.witnessEnd)
    .reduce((sum, each) => sum + 2 + each.witnessEnd - each.bodyEnd, 0)
  if (4 * payload.length - 3 * witnessBytes > MAX_WEIGHT) return false
  const root = merkleRoot(idsOf(payload, transactions, 'plain'))
  return root?.equals(payload.subarray(36, 68)) === true && isCommitted(payload, transactions)
}

/** The first 80 bytes, fewer where the payload has not as many. */
function headerOf(payload: Uint8Array): Uint8Array {
  return payload.subarray(0, HEADER_BYTES)
}

/** A large prime: steps of it through the bits of a block strike all over it, and hardly any bit twice. */
const STEP_BITS = 1_000_003

/**
 * A copy with one bit flipped, by `index % 3`: in the header, in what the Merkle root covers, in a witness
 * (where there is none, again in what the Merkle root covers); anywhere in what is no block. Which bit follows
 * from index and payload alone. In the header it is one of the Merkle root: any other flip may meet the proof
 * of work of an easy chain again.
 */
function corrupt(payload: Uint8Array, index: number): Uint8Array {
  const transactions = parseBlock(payload)
  const covered = transactions?.map(each => ({ from: each.bodyStart, to: each.bodyEnd }))
  const witnesses = transactions
    ?.map(each => ({ from: each.bodyEnd, to: each.witnessEnd }))
    .filter(({ from, to }) => from < to)
  const kinds = transactions && [[{ from: 36, to: 68 }], covered, witnesses?.length ? witnesses : covered]
  const spans = kinds?.[index % 3] ?? [{ from: 0, to: payload.length }]

  const copy = new Uint8Array(payload)
  const sizeBits = spans.reduce((sum, { from, to }) => sum + 8 * (to - from), 0)
  let bit = ((index + 1) * STEP_BITS) % sizeBits
  for (const { from, to } of spans) {
    const at = from + (bit >>> 3)
    if (bit >= 0 && at < to) copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7))
    bit -= 8 * (to - from)
  }
  return copy
}

/**
 * The topic's functions for one chain.
 *
 * `quickVerify` decides what is passed on. Where it sees the payload (flood) it reads all of it, about 5 ms a
 * megabyte, so that a spoilt block dies at the first hop; the handler then finds it read already. Where it sees
 * the header alone (a block that travels in pieces) it checks the work, in microseconds, and the handler the
 * rest. It knows no chain: an engine that has one should there also ask that the header is new and extends it.
 */
export function createBlockTopic({ powLimitBits }: ChainParameters): BlockTopic {
  const powLimit = targetOf(powLimitBits)
  /** Payloads that were found valid and are asked for once more. */
  const valid = new WeakSet<Uint8Array>()
  return {
    mode: 'flood',
    maxPayloadBytes: 4_000_000,
    header: headerOf,
    quickVerify({ header, payload }) {
      if (payload === undefined) return hasWork(header, powLimit) ? 'accept' : 'reject'
      if (!isValidBlock(payload, powLimit)) return 'reject'
      valid.add(payload)
      return 'accept'
    },
    handler: ({ payload }) => (valid.has(payload) || isValidBlock(payload, powLimit) ? 'accept' : 'reject'),
    corrupt,
  }
}

export default {
  'bitcoin/block': createBlockTopic({ powLimitBits: MAIN_POW_LIMIT_BITS }),
}
