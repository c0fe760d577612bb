import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { blake2b } from 'hash-wasm'
import { Random } from '../../src/core/random.ts'
import { hostOf } from '../../src/peers/book-hosts.ts'
import { blake2b64, isShortText, Placement } from '../../src/peers/book-placement.ts'
import { KEY, placement, TELLER } from './book-setup.ts'

const ENDPOINT = '203.0.113.7:9000'

/** Computed from the formula with Python's `hashlib`. */
const PINNED = [227, 244, 13, 49, 'e4a6a0577479b2b4']

/** The first 32 bits of BLAKE2b-64 over key, kind, number and texts, as the header of the file has it. */
async function hash(kind: number, number: number, ...texts: string[]): Promise<number> {
  const head = Buffer.alloc(5)
  head.writeUInt8(kind)
  head.writeUInt32BE(number, 1)
  const tail = texts.flatMap(text => [Buffer.from([text.length]), Buffer.from(text)])
  const hex = await blake2b(Buffer.concat([KEY, head, ...tail]), 64)
  return Number.parseInt(hex.slice(0, 8), 16)
}

describe('placement', () => {
  it('is the formula of addrman over BLAKE2b', async () => {
    const spread = (await hash(0, 0, '4:203.0', '6:2001:db8')) % 64
    const newBucket = (await hash(1, spread, '6:2001:db8')) % 1024
    assert.equal(placement.newBucket('4:203.0', '6:2001:db8'), newBucket)
    const address = (await hash(2, 0, ENDPOINT)) % 8
    const triedBucket = (await hash(3, address, '4:203.0')) % 256
    assert.equal(placement.triedBucket(ENDPOINT, '4:203.0'), triedBucket)
    assert.equal(placement.place('new', 900, ENDPOINT), (await hash(4, 900, ENDPOINT)) % 64)
    assert.equal(placement.place('tried', 90, ENDPOINT), (await hash(5, 90, ENDPOINT)) % 64)
  })

  it('does not change from one version to the next: saved books depend on it', () => {
    assert.deepEqual(
      [
        placement.newBucket('4:203.0', TELLER),
        placement.triedBucket(ENDPOINT, '4:203.0'),
        placement.place('new', 5, ENDPOINT),
        placement.place('tried', 5, ENDPOINT),
        Buffer.from(blake2b64(new Uint8Array())).toString('hex'),
      ],
      PINNED,
    )
  })

  it('gives one source group 64 buckets of new, and one group 8 of tried', () => {
    const random = new Random('placement')
    const [newBuckets, triedBuckets] = [new Set<number>(), new Set<number>()]
    for (let count = 0; count < 5_000; count++) {
      newBuckets.add(placement.newBucket(`4:${random.below(256)}.${random.below(256)}`, '4:198.51'))
      triedBuckets.add(
        placement.triedBucket(`203.0.${random.below(256)}.${random.below(256)}:9000`, '4:203.0'),
      )
    }
    // Of 64 and 8 draws, a few coincide.
    assert.ok(newBuckets.size <= 64 && newBuckets.size > 50, `${newBuckets.size} buckets of new`)
    assert.ok(triedBuckets.size <= 8 && triedBuckets.size > 4, `${triedBuckets.size} buckets of tried`)
  })

  it('spreads groups over all buckets and addresses over all places', () => {
    const [newBuckets, triedBuckets, places] = [new Set(), new Set(), new Set()]
    for (let count = 0; count < 20_000; count++) {
      const group = `4:${count >> 8}.${count & 255}`
      newBuckets.add(placement.newBucket('4:203.0', group))
      triedBuckets.add(placement.triedBucket(ENDPOINT, group))
      places.add(placement.place('new', 0, `203.0.113.7:${count + 1}`))
    }
    assert.deepEqual([newBuckets.size, triedBuckets.size, places.size], [1024, 256, 64])
  })

  it('is another one with another key, and with another table', () => {
    const other = new Placement(KEY.map(byte => byte ^ 1))
    const endpoints = Array.from({ length: 100 }, (_, index) => `203.0.113.7:${index + 1}`)
    const same = endpoints.filter(
      endpoint => placement.place('new', 1, endpoint) === other.place('new', 1, endpoint),
    )
    const sameTable = endpoints.filter(
      endpoint => placement.place('new', 1, endpoint) === placement.place('tried', 1, endpoint),
    )
    assert.ok(same.length < 20 && sameTable.length < 20)
  })

  it('tells texts apart that would be one when joined', () => {
    const pairs = [
      ['4:1.2', '3'],
      ['4:1.', '23'],
      ['4:1', '.23'],
    ] as const
    assert.equal(new Set(pairs.map(([group, source]) => placement.newBucket(group, source))).size, 3)
  })
})

describe('what can be hashed and stored', () => {
  const cases: [text: string, isShort: boolean][] = [
    ['4:203.0', true],
    ['?:seed.example.org', true],
    ['x'.repeat(255), true],
    ['x'.repeat(256), false],
    ['', false],
    ['a b', false],
    ['ä', false],
    ['a\n', false],
  ]
  for (const [text, isShort] of cases) {
    it(`${JSON.stringify(text.slice(0, 20))} of ${text.length}: ${isShort}`, () => {
      assert.equal(isShortText(text), isShort)
    })
  }
})

describe('hosts', () => {
  const cases: [ip: string, host: string][] = [
    ['203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '8193:3512:1:2'],
    ['2001:db8:1:2::9', '8193:3512:1:2'],
    ['2001:db8::1', '8193:3512:0:0'],
    ['::1', '0:0:0:0'],
  ]
  for (const [ip, host] of cases) it(ip, () => assert.equal(hostOf(ip), host))
})
