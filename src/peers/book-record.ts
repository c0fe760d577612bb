/**
 * The records of the address book in the store: their keys, and their bytes. Numbers are big-endian.
 *
 *   entry: 1 version ‖ 1 tried (0 or 1) ‖ 1 source ‖ 1 attempts ‖ 4 × 8 last heard, attempt, counted, success
 *          ‖ 1 number of buckets, 2 each ‖ text source group ‖ text peer, empty for none ‖ 8 checksum
 *   meta:  1 version ‖ 1 lowest compatible version ‖ 8 saved at ‖ 4 number of entries ‖ 32 key ‖ text network
 *          ‖ 8 checksum
 *
 * - A time is a double, in milliseconds since the epoch. A text is one byte for its length and then ASCII.
 * - The checksum is BLAKE2b-64 over the record's name (the endpoint, `meta`) and all bytes before it. LevelDB has
 *   checksums too, but a library between it and us decides whether they are looked at; and the name is covered so that
 *   a record never passes for another one.
 * - What was read is not trusted: every field has its bounds, and bytes that break one are no record. Times ahead are
 *   let through: the clock may be wrong now and right when they were written (see `ageMs`).
 * - A later version may add fields before the checksum, and says with `lowest compatible version` whether this one may
 *   read what it wrote.
 */
import assert from 'node:assert/strict'
import type { Endpoint } from '../core/endpoint.ts'
import type { BookRecord } from './book-entry.ts'
import { BOOK_KEY_BYTES, blake2b64, isShortText, NEW_BUCKETS } from './book-placement.ts'
import { ENTRIES_MAX, NEW_BUCKETS_PER_ADDRESS } from './book-shelves.ts'
import type { Source } from './view.ts'

/**
 * Every key of the address book starts with this. Not `/peers/`: libp2p keeps its own records there when it is given
 * the same store, and takes all that it finds for peers.
 */
export const BOOK_PREFIX = '/floodgate/book/'
export const META_KEY = `${BOOK_PREFIX}meta`
/** The key of an entry is this and its endpoint. */
export const ENTRY_PREFIX = `${BOOK_PREFIX}a/`

/** What this program writes. */
export const BOOK_VERSION = 1
const LOWEST_COMPATIBLE = 1

export interface BookMeta {
  readonly savedAtMs: number
  readonly entries: number
  /** The key of the placement: 32 bytes. */
  readonly key: Uint8Array
  readonly network: string
}

/** The numbers stand in people's stores: they are never given to another source. */
const SOURCE_CODES: Readonly<Record<Source, number>> = {
  dns: 1,
  bootstrap: 2,
  exchange: 3,
  hello: 4,
  dht: 5,
  manual: 6,
}
const SOURCES = new Map(Object.entries(SOURCE_CODES).map(([source, code]) => [code, source as Source]))

/** The last millisecond of the year 9999. */
const TIME_MAX_MS = 253_402_300_799_999

const CHECKSUM_BYTES = 8
const META_NAME = 'meta'

/** Longer bytes are no record: an entry has 573 at most, and the rest is room for later versions. */
export const RECORD_MAX_BYTES = 1_024

export function encodeRecord(record: BookRecord): Uint8Array {
  const writer = new Writer()
  writer.byte(BOOK_VERSION)
  writer.byte(record.isTried ? 1 : 0)
  writer.byte(SOURCE_CODES[record.source])
  writer.byte(record.attempts)
  writer.time(record.lastHeardMs)
  writer.time(record.lastAttemptMs)
  writer.time(record.lastCountedMs)
  writer.time(record.lastSuccessMs)
  writer.byte(record.newBuckets.length)
  for (const bucket of record.newBuckets) writer.uint16(bucket)
  writer.text(record.sourceGroup)
  writer.text(record.peer ?? '')
  return writer.seal(record.endpoint)
}

/** The entry of an endpoint; undefined for bytes that are none. Never throws. */
export function decodeRecord(endpoint: Endpoint, bytes: Uint8Array): BookRecord | undefined {
  const reader = Reader.of(endpoint, bytes)
  if (reader === undefined) return undefined
  const version = reader.byte(1)
  const isTried = reader.byte(0, 1) === 1
  const source = SOURCES.get(reader.byte())
  const attempts = reader.byte()
  const [lastHeardMs, lastAttemptMs] = [reader.time(), reader.time()]
  const [lastCountedMs, lastSuccessMs] = [reader.time(), reader.time()]
  const newBuckets = Array.from({ length: reader.byte(0, NEW_BUCKETS_PER_ADDRESS) }, () => reader.bucket())
  const sourceGroup = reader.text()
  const peer = reader.text() || undefined
  if (!reader.isGood(version) || source === undefined || !isShortText(sourceGroup)) return undefined
  // Tried is who was reached, and it stands in no bucket of `new`.
  if (isTried !== (newBuckets.length === 0) || (isTried && lastSuccessMs === 0)) return undefined
  if (new Set(newBuckets).size !== newBuckets.length) return undefined
  const times = { lastHeardMs, lastAttemptMs, lastCountedMs, lastSuccessMs }
  return { endpoint, source, sourceGroup, peer, attempts, isTried, newBuckets, ...times }
}

export function encodeMeta(meta: BookMeta): Uint8Array {
  const writer = new Writer()
  writer.byte(BOOK_VERSION)
  writer.byte(LOWEST_COMPATIBLE)
  writer.time(meta.savedAtMs)
  writer.uint32(meta.entries)
  writer.bytes(meta.key)
  writer.text(meta.network)
  return writer.seal(META_NAME)
}

/** The meta record; `future` when only a later version of this program can read it. Never throws. */
export function decodeMeta(bytes: Uint8Array): BookMeta | 'damaged' | 'future' {
  const reader = Reader.of(META_NAME, bytes)
  if (reader === undefined) return 'damaged'
  const version = reader.byte(1)
  if (reader.byte(1, version) > BOOK_VERSION) return 'future'
  const savedAtMs = reader.time()
  const entries = reader.uint32(ENTRIES_MAX)
  const key = reader.bytes(BOOK_KEY_BYTES)
  const network = reader.text()
  return reader.isGood(version) ? { savedAtMs, entries, key, network } : 'damaged'
}

function checksum(name: string, bytes: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + name.length + bytes.byteLength)
  input[0] = name.length
  for (let at = 0; at < name.length; at++) input[1 + at] = name.charCodeAt(at)
  input.set(bytes, 1 + name.length)
  return blake2b64(input)
}

// One buffer serves all writers: a record is written without an await in between.
const buffer = new Uint8Array(RECORD_MAX_BYTES)
const bufferView = new DataView(buffer.buffer)

/** Writes the fields of one record. */
class Writer {
  readonly #bytes = buffer
  readonly #view = bufferView
  #at = 0

  byte(value: number): void {
    this.#bytes[this.#at++] = value
  }

  uint16(value: number): void {
    this.#view.setUint16(this.#at, value)
    this.#at += 2
  }

  uint32(value: number): void {
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  time(value: number): void {
    this.#view.setFloat64(this.#at, value)
    this.#at += 8
  }

  bytes(value: Uint8Array): void {
    this.#bytes.set(value, this.#at)
    this.#at += value.byteLength
  }

  /** Empty, or a short text. */
  text(value: string): void {
    assert.ok(value === '' || isShortText(value))
    this.byte(value.length)
    for (let at = 0; at < value.length; at++) this.byte(value.charCodeAt(at))
  }

  seal(name: string): Uint8Array {
    this.bytes(checksum(name, this.#bytes.subarray(0, this.#at)))
    return this.#bytes.slice(0, this.#at)
  }
}

/** Reads fields one after the other. A field that is not there, or out of its bounds, reads as 0 and spoils the record. */
class Reader {
  readonly #view: DataView
  #at = 0
  #isSpoilt = false

  private constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** A reader of what stands before the checksum; undefined when that is wrong. */
  static of(name: string, bytes: Uint8Array): Reader | undefined {
    const length = bytes.byteLength - CHECKSUM_BYTES
    if (length < 0 || bytes.byteLength > RECORD_MAX_BYTES || name.length > 255) return undefined
    const expected = checksum(name, bytes.subarray(0, length))
    const isWhole = expected.every((byte, at) => byte === bytes[length + at])
    return isWhole ? new Reader(bytes.subarray(0, length)) : undefined
  }

  byte(min = 0, max = 255): number {
    return this.#bounded(this.#has(1) ? this.#view.getUint8(this.#at - 1) : 0, min, max)
  }

  bucket(): number {
    return this.#bounded(this.#has(2) ? this.#view.getUint16(this.#at - 2) : 0, 0, NEW_BUCKETS - 1)
  }

  uint32(max: number): number {
    return this.#bounded(this.#has(4) ? this.#view.getUint32(this.#at - 4) : 0, 0, max)
  }

  time(): number {
    return this.#bounded(this.#has(8) ? this.#view.getFloat64(this.#at - 8) : 0, 0, TIME_MAX_MS)
  }

  bytes(count: number): Uint8Array {
    if (!this.#has(count)) return new Uint8Array(count)
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.#at - count, count).slice()
  }

  /** Empty, or a short text. */
  text(): string {
    const text = String.fromCharCode(...this.bytes(this.byte()))
    if (text === '' || isShortText(text)) return text
    this.#isSpoilt = true
    return ''
  }

  /** No field was spoilt, and nothing is left over, unless a later version wrote it. */
  isGood(version: number): boolean {
    return !this.#isSpoilt && (version > BOOK_VERSION || this.#at === this.#view.byteLength)
  }

  /** Steps over a field, if it is there. */
  #has(count: number): boolean {
    if (this.#at + count > this.#view.byteLength) this.#isSpoilt = true
    else this.#at += count
    return !this.#isSpoilt
  }

  #bounded(value: number, min: number, max: number): number {
    if (value >= min && value <= max) return value
    this.#isSpoilt = true
    return min
  }
}
