/**
 * A strict parser for serialised Bitcoin blocks: where everything stands, copied nowhere.
 *
 * Rules:
 * - One block, one form. Whatever can be written in two ways (a CompactSize that is longer than needed, bytes
 *   after the end, the witness form without a witness) is refused in all ways but one. A network that lets two
 *   forms through has two message ids for one block, and anybody may make the second.
 * - Every count and length is checked against the bytes that are left before anything is allocated or skipped,
 *   so a claim of four billion transactions costs nothing.
 * - Bad input is a value: the reader remembers that something was wrong, gives zeros from then on, and the
 *   caller looks once at the end.
 *
 * Sources: the transaction form of BIP 144, and the context-free rules of Bitcoin Core's `CheckTransaction`
 * that concern form: inputs and outputs exist, and only the first transaction is a coinbase.
 */

/** The length of a block header in bytes. */
export const HEADER_BYTES = 80

/** An output script with these first six bytes carries the witness commitment of BIP 141, 32 bytes, after them. */
const COMMITMENT_PREFIX = Uint8Array.of(0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed)
const COMMITMENT_SCRIPT_MIN_BYTES = COMMITMENT_PREFIX.length + 32

/**
 * Where a transaction stands in its block, as offsets into the payload. Its version is the four bytes at `start`,
 * its lock time the four before `end`.
 */
export interface TransactionSpan {
  readonly start: number
  /** Inputs and outputs: `bodyStart` up to `bodyEnd`. The witness form has two marker bytes before them. */
  readonly bodyStart: number
  readonly bodyEnd: number
  /** Witnesses: `bodyEnd` up to `witnessEnd`. Empty in the old form, and never empty in the witness form. */
  readonly witnessEnd: number
  readonly end: number
  /** Where the 32 bytes of the last witness commitment among the outputs start; -1 without one. */
  readonly commitmentAt: number
}

/** Reads on from the start; the first thing that is wrong ends it, and everything after reads as zero. */
class Reader {
  readonly bytes: Uint8Array
  #at = 0
  #failed = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get at(): number {
    return this.#at
  }

  get failed(): boolean {
    return this.#failed
  }

  fail(): void {
    this.#failed = true
    this.#at = this.bytes.length
  }

  /** Steps over `sizeBytes` and gives where they started. */
  skip(sizeBytes: number): number {
    const start = this.#at
    if (sizeBytes > this.bytes.length - start) this.fail()
    else this.#at += sizeBytes
    return start
  }

  /** An unsigned number of one to four bytes, little-endian. */
  number(sizeBytes: 1 | 2 | 4): number {
    const start = this.skip(sizeBytes)
    if (this.#failed) return 0
    let value = 0
    for (let i = sizeBytes - 1; i >= 0; i--) value = value * 256 + (this.bytes[start + i] ?? 0)
    return value
  }

  /** A CompactSize: how many bytes, or things of at least a byte, follow. One that can't be true fails. */
  count(): number {
    const first = this.number(1)
    // With prefix 0xff it is either not canonical or more than 4 GiB, which no payload holds.
    if (first === 0xff) this.fail()
    const value = first === 0xfd ? this.number(2) : first === 0xfe ? this.number(4) : first
    const canonical = first < 0xfd || value >= (first === 0xfd ? 0xfd : 0x1_0000)
    if (!canonical || value > this.bytes.length - this.#at) this.fail()
    return this.#failed ? 0 : value
  }
}

/** The coinbase's input spends nothing: hash 0 and index 0xffffffff. */
function isNullOutpoint(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 36; i++) if (bytes[at + i] !== (i < 32 ? 0 : 0xff)) return false
  return true
}

/** None at all is refused elsewhere: it reads as the marker, and after the marker it has no witness. */
function readInputs(reader: Reader, count: number, isFirst: boolean): void {
  for (let i = 0; i < count && !reader.failed; i++) {
    const outpointAt = reader.skip(36)
    reader.skip(reader.count())
    reader.skip(4)
    if (isNullOutpoint(reader.bytes, outpointAt) !== isFirst) reader.fail()
  }
  if (isFirst && count !== 1) reader.fail()
}

function readOutputs(reader: Reader): number {
  const count = reader.count()
  let commitmentAt = -1
  for (let i = 0; i < count && !reader.failed; i++) {
    reader.skip(8)
    const sizeBytes = reader.count()
    const scriptAt = reader.skip(sizeBytes)
    if (sizeBytes < COMMITMENT_SCRIPT_MIN_BYTES) continue
    if (COMMITMENT_PREFIX.every((byte, k) => reader.bytes[scriptAt + k] === byte)) {
      commitmentAt = scriptAt + COMMITMENT_PREFIX.length
    }
  }
  if (count === 0) reader.fail()
  return commitmentAt
}

function readWitnesses(reader: Reader, inputs: number): void {
  let items = 0
  for (let i = 0; i < inputs && !reader.failed; i++) {
    const count = reader.count()
    for (let k = 0; k < count && !reader.failed; k++) reader.skip(reader.count())
    items += count
  }
  if (items === 0) reader.fail()
}

function readTransaction(reader: Reader, isFirst: boolean): TransactionSpan {
  const start = reader.skip(4)
  let bodyStart = reader.at
  let inputs = reader.count()
  // No inputs is no transaction, so BIP 144 took that byte as the marker of the witness form.
  const hasWitness = inputs === 0
  if (hasWitness) {
    if (reader.number(1) !== 1) reader.fail()
    bodyStart = reader.at
    inputs = reader.count()
  }
  readInputs(reader, inputs, isFirst)
  const commitmentAt = readOutputs(reader)
  const bodyEnd = reader.at
  if (hasWitness) readWitnesses(reader, inputs)
  const witnessEnd = reader.skip(4)
  return { start, bodyStart, bodyEnd, witnessEnd, end: reader.at, commitmentAt }
}

/** Every transaction of a block, the coinbase first, or undefined where the payload is not one whole block. */
export function parseBlock(payload: Uint8Array): readonly TransactionSpan[] | undefined {
  const reader = new Reader(payload)
  reader.skip(HEADER_BYTES)
  const count = reader.count()
  const transactions: TransactionSpan[] = []
  for (let i = 0; i < count && !reader.failed; i++) transactions.push(readTransaction(reader, i === 0))
  if (count === 0 || reader.at !== payload.length) reader.fail()
  return reader.failed ? undefined : transactions
}
