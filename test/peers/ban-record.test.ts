import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Random } from '../../src/core/random.ts'
import { decodeBan, encodeBan } from '../../src/peers/ban-record.ts'
import { Bans } from '../../src/peers/bans.ts'
import { blake2b64 } from '../../src/peers/book-placement.ts'
import type { BanInfo } from '../../src/peers/view.ts'
import { PEERS } from './ban-peers.ts'

const BAN: BanInfo = {
  target: '203.0.113.0/24',
  kind: 'cidr',
  sinceMs: 1_800_000_000_000,
  untilMs: 1_800_000_086_400,
  reason: 'floods us with ümläuts 😀',
}

/** A record of any bytes with a checksum that is right. */
function sealed(body: Uint8Array): Uint8Array {
  return Buffer.concat([body, blake2b64(body)])
}

const BODY = encodeBan(BAN).subarray(0, -8)

/** The record of `BAN` with other bytes from there on. */
function patched(at: number, value: number | string): Uint8Array {
  const body = Buffer.from(BODY)
  if (typeof value === 'number') body.writeUInt8(value, at)
  else body.write(value, at)
  return sealed(body)
}

const REASON_AT = 18 + BAN.target.length

const damaged: { id: string; record: Uint8Array }[] = [
  { id: 'nothing', record: new Uint8Array() },
  { id: 'only a checksum', record: sealed(new Uint8Array()) },
  { id: 'another version', record: patched(0, 2) },
  { id: 'one that ends before it begins', record: patched(2, 0xff) },
  { id: 'one that ends after the last date', record: encodeBan({ ...BAN, untilMs: 8.64e15 + 1 }) },
  { id: 'a target that is none', record: patched(18, '303') },
  { id: 'a target in another spelling', record: patched(18, '203.0.113.1/24') },
  { id: 'a target longer than the record', record: patched(17, 255) },
  { id: 'no target', record: patched(17, 0) },
  { id: 'a reason longer than the record', record: patched(REASON_AT, 255) },
  { id: 'a reason shorter than the record', record: patched(REASON_AT + 1, 1) },
  { id: 'a reason that is no UTF-8', record: patched(REASON_AT + 2, 0xff) },
  {
    id: 'a reason with a control character',
    record: patched(REASON_AT + 2, 27),
  },
  { id: 'a byte too many', record: sealed(Buffer.concat([BODY, Buffer.of(0)])) },
  { id: 'a byte too few', record: sealed(BODY.subarray(0, -1)) },
  { id: 'a very long one', record: sealed(new Uint8Array(1_000_000)) },
]

describe('the record of a ban', () => {
  it('comes out as it went in', () => {
    const bans = new Bans()
    const targets = [
      '203.0.113.7',
      '2001:db8::/33',
      '::/0',
      ...Object.values(PEERS).map(({ base58 }) => base58),
    ]
    for (const target of targets) {
      for (const [forMs, reason] of [
        [1, ''],
        [86_400_000, '😀'.repeat(100)],
        [36_525 * 86_400_000, '\uffee'.repeat(200)],
      ] as const) {
        const ban = bans.ban(target, { nowMs: BAN.sinceMs, forMs, reason })
        assert.deepEqual(decodeBan(encodeBan(ban)), ban)
      }
    }
    assert.deepEqual(decodeBan(encodeBan(BAN)), BAN)
  })

  for (const { id, record } of damaged) {
    it(`is not read: ${id}`, () => assert.equal(decodeBan(record), undefined))
  }

  it('is not read with any one bit flipped, nor cut anywhere', () => {
    const record = encodeBan(BAN)
    for (let bit = 0; bit < record.length * 8; bit++) {
      const flipped = Uint8Array.from(record)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.equal(decodeBan(flipped), undefined, `bit ${bit}`)
    }
    for (let length = 0; length < record.length; length++)
      assert.equal(decodeBan(record.subarray(0, length)), undefined)
  })

  it('is read or not, but never throws, when its bytes are any and their checksum is right', () => {
    const random = new Random('ban records')
    let read = 0
    for (let round = 0; round < 10_000; round++) {
      const length = round % 4 === 0 ? random.below(BODY.length + 1) : BODY.length
      const spoilt = Buffer.from(BODY.subarray(0, length))
      for (let byte = random.below(3); byte > 0 && spoilt.length > 0; byte--)
        spoilt[random.below(spoilt.length)] = random.below(256)
      const record = sealed(spoilt)
      const ban = decodeBan(record)
      if (ban === undefined) continue
      read++
      assert.deepEqual(Uint8Array.from(encodeBan(ban)), Uint8Array.from(record))
      assert.equal(new Bans().restore(ban), true)
    }
    assert.ok(read > 0 && read < 10_000, `${read} were read`)
  })
})
