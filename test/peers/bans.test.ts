import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FloodgateError } from '../../src/core/errors.ts'
import { BAN_DEFAULT_MS, BAN_LONGEST_MS, BANS_MAX, Bans, REASON_MAX_CHARS } from '../../src/peers/bans.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { PEERS } from './ban-peers.ts'
import { BansTwin } from './bans-twin.ts'

const PEER = PEERS.ed25519.base58
const NOW_MS = 1_800_000_000_000

/** What is banned, and whether an address or a peer then is. */
const cases: { id: string; banned: string[]; ip?: string; peer?: string; by: string | undefined }[] = [
  { id: 'nobody without a ban', banned: [], ip: '203.0.113.7', peer: PEER, by: undefined },
  { id: 'an address', banned: ['203.0.113.7'], ip: '203.0.113.7', by: '203.0.113.7' },
  { id: 'not the next address', banned: ['203.0.113.7'], ip: '203.0.113.8', by: undefined },
  { id: 'an address in IPv6', banned: ['203.0.113.7'], ip: '::ffff:203.0.113.7', by: '203.0.113.7' },
  { id: 'the first of a range', banned: ['203.0.113.64/26'], ip: '203.0.113.64', by: '203.0.113.64/26' },
  { id: 'the last of a range', banned: ['203.0.113.64/26'], ip: '203.0.113.127', by: '203.0.113.64/26' },
  { id: 'not the one before a range', banned: ['203.0.113.64/26'], ip: '203.0.113.63', by: undefined },
  { id: 'not the one after a range', banned: ['203.0.113.64/26'], ip: '203.0.113.128', by: undefined },
  { id: 'every IPv4 address', banned: ['0.0.0.0/0'], ip: '255.255.255.255', by: '0.0.0.0/0' },
  { id: 'no IPv6 address by that', banned: ['0.0.0.0/0'], ip: '2001:db8::1', by: undefined },
  { id: 'no IPv4 address by all of IPv6', banned: ['::/0'], ip: '203.0.113.7', by: undefined },
  { id: 'an IPv6 range', banned: ['2001:db8::/47'], ip: '2001:db8:1:ffff::', by: '2001:db8::/47' },
  { id: 'not beyond an IPv6 range', banned: ['2001:db8::/47'], ip: '2001:db8:2::', by: undefined },
  {
    id: 'an IPv6 address with the same bytes as IPv4',
    banned: ['1.2.3.4/32'],
    ip: '102:304::',
    by: undefined,
  },
  {
    id: 'by the narrowest range',
    banned: ['203.0.0.0/8', '203.0.113.0/24', '203.0.0.0/16'],
    ip: '203.0.113.7',
    by: '203.0.113.0/24',
  },
  { id: 'a peer', banned: [PEER], peer: PEER, by: PEER },
  { id: 'a peer by its CID', banned: [PEERS.ed25519.cid], peer: PEER, by: PEER },
  { id: 'not another peer', banned: [PEER], peer: PEERS.rsa.base58, by: undefined },
  { id: 'a peer before its address', banned: ['203.0.113.7', PEER], ip: '203.0.113.7', peer: PEER, by: PEER },
  { id: 'nobody who has no address', banned: ['0.0.0.0/0', '::/0'], ip: '', by: undefined },
  {
    id: 'nobody by a peer id that looks like an address',
    banned: ['1.2.3.4'],
    peer: '1.2.3.4',
    by: undefined,
  },
]

describe('a ban', () => {
  for (const { id, banned, ip, peer, by } of cases) {
    it(`holds for ${id}`, () => {
      const bans = new Bans()
      for (const target of banned) bans.ban(target, { nowMs: NOW_MS })
      bans.check()
      assert.equal(bans.match(ip, peer, NOW_MS)?.target, by)
    })
  }

  it('lasts a day, and tells since when, until when and why', () => {
    const bans = new Bans()
    const ban = bans.ban('203.0.113.7/16', { nowMs: NOW_MS, reason: 'floods us' })
    const expected = {
      target: '203.0.0.0/16',
      kind: 'cidr',
      sinceMs: NOW_MS,
      untilMs: NOW_MS + BAN_DEFAULT_MS,
      reason: 'floods us',
    }
    assert.deepEqual(ban, expected)
    assert.deepEqual(bans.list(NOW_MS), [expected])
    assert.deepEqual(bans.match('203.0.1.1', undefined, NOW_MS), expected)
  })

  it('ends at its time, and is forgotten by a sweep', () => {
    const bans = new Bans()
    const short = bans.ban('203.0.113.7', { nowMs: NOW_MS, forMs: 1_000 })
    bans.ban('203.0.0.0/16', { nowMs: NOW_MS, forMs: 2_000 })
    assert.equal(bans.match('203.0.113.7', undefined, NOW_MS + 999)?.target, '203.0.113.7')
    assert.equal(bans.match('203.0.113.7', undefined, NOW_MS + 1_000)?.target, '203.0.0.0/16')
    assert.deepEqual(
      bans.list(NOW_MS + 1_000).map(({ target }) => target),
      ['203.0.0.0/16'],
    )
    assert.deepEqual(bans.sweep(NOW_MS + 999), [])
    assert.deepEqual(bans.sweep(NOW_MS + 1_000), [short])
    assert.equal(bans.size, 1)
    bans.check()
  })

  it('is replaced when its target is banned again, and goes to the end of the list', () => {
    const bans = new Bans()
    bans.ban('203.0.113.0/24', { nowMs: NOW_MS, forMs: 9_000 })
    bans.ban(PEER, { nowMs: NOW_MS, forMs: 5_000 })
    bans.ban('203.0.113.9/24', { nowMs: NOW_MS + 1, forMs: 1_000, reason: 'again' })
    assert.deepEqual(
      bans.list(NOW_MS).map(({ target, untilMs }) => [target, untilMs - NOW_MS]),
      [
        [PEER, 5_000],
        ['203.0.113.0/24', 1_001],
      ],
    )
    assert.equal(bans.match('203.0.113.7', undefined, NOW_MS)?.reason, 'again')
    assert.equal(bans.match('203.0.113.7', undefined, NOW_MS + 1_001), undefined)
    bans.check()
  })

  it('is taken back by exactly its target, in any spelling', () => {
    const bans = new Bans()
    bans.ban('203.0.113.0/24', { nowMs: NOW_MS })
    bans.ban('2001:db8::1', { nowMs: NOW_MS })
    bans.ban(PEER, { nowMs: NOW_MS })
    assert.equal(bans.unban('203.0.113.7'), false)
    assert.equal(bans.unban('203.0.0.0/16'), false)
    assert.notEqual(bans.match('203.0.113.7', PEER, NOW_MS), undefined)
    assert.equal(bans.unban('203.0.113.255/24'), true)
    assert.equal(bans.unban('203.0.113.0/24'), false)
    assert.equal(bans.unban('2001:DB8:0::1/128'), true)
    assert.equal(bans.unban(PEERS.ed25519.cid), true)
    assert.equal(bans.match('203.0.113.7', PEER, NOW_MS), undefined)
    assert.equal(bans.size, 0)
    bans.check()
  })
})

describe('what is said to bans', () => {
  const refused: { id: string; act: (bans: Bans) => unknown; message: RegExp }[] = [
    {
      id: 'no target',
      act: bans => bans.ban('example.org', { nowMs: NOW_MS }),
      message: /"example\.org" is no IP/,
    },
    { id: 'no target to unban', act: bans => bans.unban('1.2.3'), message: /"1\.2\.3" is no IP/ },
    { id: 'an endless text', act: bans => bans.unban('x'.repeat(1e6)), message: /^"x{100}" is no IP/ },
    { id: 'no time', act: bans => bans.ban('::1', { nowMs: NOW_MS, forMs: 0 }), message: /not 0 ms/ },
    {
      id: 'a time that is none',
      act: bans => bans.ban('::1', { nowMs: NOW_MS, forMs: NaN }),
      message: /NaN/,
    },
    {
      id: 'more than a hundred years',
      act: bans => bans.ban('::1', { nowMs: NOW_MS, forMs: BAN_LONGEST_MS + 1 }),
      message: /100 years/,
    },
    {
      id: 'a long reason',
      act: bans => bans.ban('::1', { nowMs: NOW_MS, reason: 'x'.repeat(REASON_MAX_CHARS + 1) }),
      message: /at most 200 characters/,
    },
    {
      id: 'a reason that moves the cursor',
      act: bans => bans.ban('::1', { nowMs: NOW_MS, reason: '\u001b[2J' }),
      message: /control character/,
    },
    {
      id: 'a reason that is no text',
      act: bans => bans.ban('::1', { nowMs: NOW_MS, reason: '\ud800' }),
      message: /reason/,
    },
  ]
  for (const { id, act, message } of refused) {
    it(`is refused: ${id}`, () => {
      const bans = new Bans()
      assert.throws(
        () => act(bans),
        (error: unknown) =>
          error instanceof FloodgateError && error.code === 'ARGUMENT' && message.test(error.message),
      )
      assert.equal(bans.size, 0)
      bans.check()
    })
  }

  it('is taken at the bounds', () => {
    const bans = new Bans()
    bans.ban('::1', { nowMs: NOW_MS, forMs: 1, reason: 'ä'.repeat(REASON_MAX_CHARS) })
    bans.ban('::2', { nowMs: NOW_MS, forMs: BAN_LONGEST_MS })
    assert.equal(bans.list(NOW_MS).length, 2)
    bans.check()
  })

  it('is refused when there are too many bans, but not for a target that is banned', () => {
    const bans = new Bans()
    const target = (index: number): string => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`
    for (let index = 0; index < BANS_MAX; index++) bans.ban(target(index), { nowMs: NOW_MS })
    assert.throws(() => bans.ban('::1', { nowMs: NOW_MS }), {
      code: 'ARGUMENT',
      message: /50000 bans already/,
    })
    assert.equal(bans.restore({ target: '::1', kind: 'ip', sinceMs: 0, untilMs: 1, reason: '' }), false)
    bans.ban(target(7), { nowMs: NOW_MS, reason: 'again' })
    assert.equal(bans.match(target(7), undefined, NOW_MS)?.reason, 'again')
    assert.equal(bans.unban(target(8)), true)
    bans.ban('::1', { nowMs: NOW_MS })
    assert.equal(bans.size, BANS_MAX)
  })
})

describe('bans beside their twin', () => {
  const octet = fc.constantFrom(0, 1, 128, 255)
  const ipv4 = fc.tuple(octet, octet, octet).map(parts => `10.${parts.join('.')}`)
  const part = fc.constantFrom('0', '1', '8000', 'ffff')
  const ipv6 = fc.tuple(part, part, part).map(([a, b, c]) => `2001:db8:${a}:${b}:0:0:0:${c}`)
  const peer = fc.constantFrom(...Object.values(PEERS).map(({ base58 }) => base58))
  const target = fc.oneof(
    ipv4,
    ipv6,
    peer,
    fc.tuple(ipv4, fc.nat(32)).map(([ip, bits]) => `${ip}/${bits}`),
    fc.tuple(ipv6, fc.nat(128)).map(([ip, bits]) => `${ip}/${bits}`),
  )
  const event = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('ban' as const),
        target,
        forMs: fc.constantFrom(1, 10, 500, 5_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('unban' as const), target }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('sweep' as const) }) },
  )
  const questions = fc.array(
    fc.record({ ip: fc.oneof(ipv4, ipv6), peer: fc.option(peer, { nil: undefined }) }),
    {
      minLength: 5,
      maxLength: 5,
    },
  )
  const timed = fc.record({ waitMs: fc.constantFrom(0, 0, 1, 9, 300), event, questions })

  it('agree', () => {
    forRandomEvents(timed, { runs: 40, most: 100 }, events => {
      const bans = new Bans()
      const twin = new BansTwin()
      let nowMs = NOW_MS
      for (const { waitMs, event, questions } of events) {
        nowMs += waitMs
        switch (event.type) {
          case 'ban': {
            const ban = bans.ban(event.target, { forMs: event.forMs, nowMs })
            assert.deepEqual(twin.ban(ban.target, ban.kind, event.forMs, nowMs), ban)
            break
          }
          case 'unban': {
            // The canonical form is tested in ban-target.test.ts; here it is only asked for.
            const { target } = new Bans().ban(event.target, { nowMs })
            assert.equal(bans.unban(event.target), twin.unban(target))
            break
          }
          case 'sweep':
            assert.deepEqual(bans.sweep(nowMs), twin.sweep(nowMs))
        }
        bans.check()
        assert.equal(bans.size, twin.size)
        assert.deepEqual(bans.list(nowMs), twin.list(nowMs))
        for (const { ip, peer } of questions)
          assert.deepEqual(bans.match(ip, peer, nowMs), twin.match(ip, peer, nowMs))
      }
    })
  })
})
