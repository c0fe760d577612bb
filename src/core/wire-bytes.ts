/**
 * Reading and writing the parts of a protobuf message: numbers, tags, lengths. What they mean is `wire.ts`.
 *
 * Rules:
 * - A reader never throws, whatever the bytes: the first thing that is wrong is kept as its `problem`, and from then on
 *   there is nothing more to read, so that every loop over it ends.
 * - A length is compared with what is left before anything of that length is made.
 * - Numbers have at most 53 bits, which a JavaScript number holds exactly. In a field that is skipped they may have 64.
 *
 * Source: https://protobuf.dev/programming-guides/encoding.
 */
import { isUtf8 } from 'node:buffer'

/** A number of 1 to 10 bytes. */
export const VARINT = 0
/** A length, and so many bytes. */
export const DELIMITED = 2

/** How many fields that it does not know a reader skips in all: a later version adds a few, not thousands. */
export const UNKNOWN_FIELDS_MAX = 1_000

export class WireReader {
  readonly #bytes: Uint8Array
  /** Where the next byte is read. */
  at = 0
  /** Where the message ends that is being read: the whole, or one inside it. */
  end: number
  problem: string | undefined
  /** The problem is that a list has more items than it may. */
  isExcess = false
  #unknown = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.end = bytes.byteLength
  }

  fail(problem: string): void {
    this.problem ??= problem
    this.at = this.end
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) break
      const byte = this.#bytes[this.at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        // Sums above 2^53 may be rounded, but never to something below it.
        if (value > Number.MAX_SAFE_INTEGER) this.fail('a number has more than 53 bits')
        return value
      }
      scale *= 128
    }
    this.fail(this.at >= this.end ? 'ends too soon' : 'a number has more than 10 bytes')
    return 0
  }

  /** The number and wire type of the next field, as `number * 8 + type`. */
  tag(): number {
    const tag = this.varint()
    if (tag < 8 || tag > 0xffff_ffff) this.fail('a field has no valid number')
    return tag
  }

  /** The length of what follows: within the limits, and no more than is left. */
  length(min: number, max: number): number {
    const length = this.varint()
    if (this.problem !== undefined) return 0
    if (length < min || length > max) this.fail(`${length} bytes are not ${min} to ${max}`)
    else if (length > this.end - this.at) this.fail('ends too soon')
    else return length
    return 0
  }

  /** Runs `read` over the next bytes as if there were no others. */
  within<T>(length: number, read: () => T): T {
    const { end } = this
    this.end = this.at + length
    const value = read()
    this.end = end
    if (this.problem !== undefined) this.at = end
    return value
  }

  /** The next bytes as a view, not a copy. */
  view(length: number): Uint8Array {
    const { buffer, byteOffset } = this.#bytes
    const start = byteOffset + this.at
    this.at += length
    return new Uint8Array(buffer, start, length)
  }

  text(length: number): string {
    if (length === 0) return ''
    const { buffer, byteOffset } = this.#bytes
    const bytes = Buffer.from(buffer, byteOffset + this.at, length)
    this.at += length
    // Asked first, since a decoder that throws costs a hundred times as much.
    if (isUtf8(bytes)) return bytes.toString()
    this.fail('is not UTF-8')
    return ''
  }

  /** Passes over a field that is not known. */
  skip(wireType: number): void {
    this.#unknown++
    if (this.#unknown > UNKNOWN_FIELDS_MAX) this.fail(`more than ${UNKNOWN_FIELDS_MAX} unknown fields`)
    else if (wireType === VARINT) this.#skipVarint()
    else if (wireType === DELIMITED) this.#skipBytes(this.length(0, Number.MAX_SAFE_INTEGER))
    else if (wireType === 1) this.#skipBytes(8)
    else if (wireType === 5) this.#skipBytes(4)
    else this.fail(`wire type ${wireType}`)
  }

  #skipBytes(length: number): void {
    if (length > this.end - this.at) this.fail('ends too soon')
    else this.at += length
  }

  #skipVarint(): void {
    for (let count = 0; count < 10 && this.at < this.end; count++) {
      if ((this.#bytes[this.at++] ?? 0) < 0x80) return
    }
    this.fail(this.at >= this.end ? 'ends too soon' : 'a number has more than 10 bytes')
  }
}

const encoder = new TextEncoder()

/** Writes into bytes whose number was computed before. */
export class WireWriter {
  readonly bytes: Uint8Array
  #at = 0

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes)
  }

  get isFull(): boolean {
    return this.#at === this.bytes.byteLength
  }

  varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.#at++] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    this.bytes[this.#at++] = rest
  }

  view(value: Uint8Array): void {
    this.varint(value.byteLength)
    this.bytes.set(value, this.#at)
    this.#at += value.byteLength
  }

  text(value: string, sizeBytes: number): void {
    this.varint(sizeBytes)
    encoder.encodeInto(value, this.bytes.subarray(this.#at))
    this.#at += sizeBytes
  }
}

/** How many bytes a whole number takes, from 0 to 2^53 − 1. */
export function varintBytes(value: number): number {
  let count = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) count++
  return count
}
