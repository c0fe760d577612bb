import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { BookRecord } from '../../src/peers/book-entry.ts'
import { blake2b64 } from '../../src/peers/book-placement.ts'
import {
  type BookMeta,
  decodeMeta,
  decodeRecord,
  encodeMeta,
  encodeRecord,
  RECORD_MAX_BYTES,
} from '../../src/peers/book-record.ts'
import { KEY, NOW_MS, TELLER } from './book-setup.ts'

const ENDPOINT = '203.0.113.7:9000'

const TRIED: BookRecord = {
  endpoint: ENDPOINT,
  source: 'hello',
  sourceGroup: TELLER,
  peer: '12D3KooWP',
  lastHeardMs: NOW_MS,
  lastAttemptMs: NOW_MS + 0.5,
  lastCountedMs: 1,
  lastSuccessMs: NOW_MS - 1,
  attempts: 255,
  isTried: true,
  newBuckets: [],
}

const NEW: BookRecord = {
  endpoint: '[2001:4860::8888]:1',
  source: 'dns',
  sourceGroup: '?:seed.example.org',
  peer: undefined,
  lastHeardMs: 0,
  lastAttemptMs: 0,
  lastCountedMs: 0,
  lastSuccessMs: 0,
  attempts: 0,
  isTried: false,
  newBuckets: [1023, 0, 1, 2, 3, 4, 5, 6],
}

const META: BookMeta = { savedAtMs: NOW_MS, entries: 81_920, key: KEY, network: 'demo' }

/** Changes bytes and makes the checksum right again: a record that somebody has made up. */
function forged(name: string, bytes: Uint8Array, change: (body: number[]) => void): Uint8Array {
  const body = [...bytes.subarray(0, -8)]
  change(body)
  return sealed(name, body)
}

function sealed(name: string, body: readonly number[]): Uint8Array {
  const checksum = blake2b64(Uint8Array.from([name.length, ...Buffer.from(name), ...body]))
  return Uint8Array.from([...body, ...checksum])
}

const source = fc.constantFrom('dns', 'bootstrap', 'exchange', 'hello', 'dht', 'manual')
const time = fc.double({ min: 0, max: 253_402_300_799_999, noNaN: true })
const text = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map(code => String.fromCharCode(code)),
  maxLength: 255,
})

const anyRecord: fc.Arbitrary<BookRecord> = fc
  .record({
    endpoint: fc.constantFrom(ENDPOINT, NEW.endpoint),
    source: source as fc.Arbitrary<BookRecord['source']>,
    sourceGroup: text.filter(value => value !== ''),
    peer: fc.option(
      text.filter(value => value !== ''),
      { nil: undefined },
    ),
    lastHeardMs: time,
    lastAttemptMs: time,
    lastCountedMs: time,
    lastSuccessMs: time,
    attempts: fc.integer({ min: 0, max: 255 }),
    newBuckets: fc.uniqueArray(fc.integer({ min: 0, max: 1023 }), { maxLength: 8 }),
  })
  .map(record => ({ ...record, isTried: record.newBuckets.length === 0 }))
  .filter(record => !record.isTried || record.lastSuccessMs > 0)

describe('the record of an entry', () => {
  it('gives back what was written', () => {
    for (const record of [TRIED, NEW]) {
      assert.deepEqual(decodeRecord(record.endpoint, encodeRecord(record)), record)
    }
    fc.assert(
      fc.property(anyRecord, record => {
        const bytes = encodeRecord(record)
        assert.ok(bytes.byteLength <= RECORD_MAX_BYTES)
        // A store may hand out a part of something larger.
        const part = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3)
        assert.deepEqual(decodeRecord(record.endpoint, part), record)
      }),
    )
  })

  it('is laid out as the header has it', () => {
    const layout = [
      [1, 0, 1, 0],
      ...new Array(4).fill([0, 0, 0, 0, 0, 0, 0, 0]),
      [8, 3, 255, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6],
      [18, ...Buffer.from('?:seed.example.org')],
      [0],
    ].flat()
    assert.deepEqual(encodeRecord(NEW), sealed(NEW.endpoint, layout))
  })

  it('is none with any one bit turned over, or under another name', () => {
    for (const record of [TRIED, NEW]) {
      const bytes = encodeRecord(record)
      for (let bit = 0; bit < 8 * bytes.byteLength; bit++) {
        const spoilt = bytes.slice()
        spoilt[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        assert.equal(decodeRecord(record.endpoint, spoilt), undefined, `bit ${bit}`)
      }
      assert.equal(decodeRecord('203.0.113.8:9000', bytes), undefined)
      for (let length = 0; length < bytes.byteLength; length++) {
        assert.equal(decodeRecord(record.endpoint, bytes.subarray(0, length)), undefined)
      }
      assert.equal(decodeRecord(record.endpoint, Buffer.concat([bytes, Buffer.alloc(1)])), undefined)
    }
  })

  const NAN = [0x7f, 0xf8, 0, 0, 0, 0, 0, 0]
  const MINUS_ONE = [0xbf, 0xf0, 0, 0, 0, 0, 0, 0]
  const FAR = [0x42, 0xf0, 0, 0, 0, 0, 0, 0]
  const bounds: [id: string, record: BookRecord, change: (body: number[]) => void][] = [
    ['version 0', TRIED, body => body.splice(0, 1, 0)],
    ['a tried that is neither 0 nor 1', TRIED, body => body.splice(1, 1, 2)],
    ['source 0', TRIED, body => body.splice(2, 1, 0)],
    ['source 7', TRIED, body => body.splice(2, 1, 7)],
    ['a time that is no number', TRIED, body => body.splice(4, 8, ...NAN)],
    ['a time before 1970', TRIED, body => body.splice(12, 8, ...MINUS_ONE)],
    ['a time after the year 9999', TRIED, body => body.splice(20, 8, ...FAR)],
    ['tried and never reached', TRIED, body => body.splice(28, 8, ...new Array(8).fill(0))],
    ['tried and in a bucket of new', TRIED, body => body.splice(36, 1, 1, 0, 5)],
    ['neither tried nor in a bucket', TRIED, body => body.splice(1, 1, 0)],
    ['nine buckets', NEW, body => body.splice(36, 1, 9, 0, 99)],
    ['bucket 1024', NEW, body => body.splice(37, 2, 4, 0)],
    ['one bucket twice', NEW, body => body.splice(37, 2, 0, 1)],
    ['no source group', TRIED, body => body.splice(37, 1 + TELLER.length, 0)],
    ['a source group with a blank', TRIED, body => body.splice(38, 1, 32)],
    ['a peer with a letter that is not ASCII', TRIED, body => body.splice(-1, 1, 0xe4)],
    ['a text longer than the record', TRIED, body => body.splice(37, 1, 200)],
    ['something after the last field', TRIED, body => body.push(0)],
    ['more bytes than a record has', TRIED, body => body.push(...new Array(RECORD_MAX_BYTES).fill(0))],
  ]
  for (const [id, record, change] of bounds) {
    it(`is none with ${id}`, () => {
      const bytes = encodeRecord(record)
      assert.ok(
        decodeRecord(
          record.endpoint,
          forged(record.endpoint, bytes, () => {}),
        ) !== undefined,
      )
      assert.equal(decodeRecord(record.endpoint, forged(record.endpoint, bytes, change)), undefined)
    })
  }

  it('may have more fields when a later version wrote it', () => {
    const later = forged(ENDPOINT, encodeRecord(TRIED), body => {
      body[0] = 2
      body.push(1, 2, 3)
    })
    assert.deepEqual(decodeRecord(ENDPOINT, later), TRIED)
  })

  it('is not read from any bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), body => {
        assert.equal(decodeRecord(ENDPOINT, body), undefined)
        // With a right checksum they may be a record, but never an exception.
        const record = decodeRecord(ENDPOINT, sealed(ENDPOINT, [1, ...body]))
        if (record !== undefined) assert.deepEqual(decodeRecord(ENDPOINT, encodeRecord(record)), record)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the meta record', () => {
  it('gives back what was written, in the layout of the header', () => {
    assert.deepEqual(decodeMeta(encodeMeta(META)), META)
    const savedAt = Buffer.alloc(8)
    savedAt.writeDoubleBE(NOW_MS)
    const layout = [1, 1, ...savedAt, 0, 1, 0x40, 0, ...KEY, 4, ...Buffer.from('demo')]
    assert.deepEqual(encodeMeta(META), sealed('meta', layout))
  })

  const cases: [id: string, change: (body: number[]) => void, expected: unknown][] = [
    ['version 0', body => body.splice(0, 1, 0), 'damaged'],
    ['a lowest compatible version of 0', body => body.splice(1, 1, 0), 'damaged'],
    ['a lowest compatible version above its own', body => body.splice(1, 1, 2), 'damaged'],
    ['a later version that this one may read', body => body.splice(0, 1, 9), META],
    [
      'the same, and fields that we do not know',
      body => body.splice(0, body.length, 9, ...body.slice(1), 7),
      META,
    ],
    ['a later version that this one may not read', body => body.splice(0, 2, 9, 2), 'future'],
    ['the same, cut off', body => body.splice(0, body.length, 9, 2), 'future'],
    ['more entries than there are places', body => body.splice(10, 4, 0, 1, 0x40, 1), 'damaged'],
    ['half a key', body => body.splice(30, body.length), 'damaged'],
    ['something after the last field', body => body.push(0), 'damaged'],
    ['nothing', body => body.splice(0, body.length), 'damaged'],
  ]
  for (const [id, change, expected] of cases) {
    it(`with ${id}`, () => assert.deepEqual(decodeMeta(forged('meta', encodeMeta(META), change)), expected))
  }

  it('is damaged with any one bit turned over, and cut anywhere', () => {
    const bytes = encodeMeta(META)
    for (let bit = 0; bit < 8 * bytes.byteLength; bit++) {
      const spoilt = bytes.slice()
      spoilt[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.equal(decodeMeta(spoilt), 'damaged', `bit ${bit}`)
    }
    for (let length = 0; length < bytes.byteLength; length++) {
      assert.equal(decodeMeta(bytes.subarray(0, length)), 'damaged')
    }
  })
})
