import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FloodgateError } from '../../src/core/errors.ts'
import { resolveSeed, SEED_LIMITS } from '../../src/peers/dns-seeds.ts'
import { FakeResolver } from '../fixtures/fake-network.ts'

const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

type Names = ConstructorParameters<typeof FakeResolver>[0]

const late = new FloodgateError('TIMEOUT', 'no answer in time')

describe('a seed', () => {
  const good: { id: string; seed: string; txt?: Names; ips?: Names; endpoints: string[]; asked: string[] }[] =
    [
      {
        id: 'dnsaddr: TXT records with and without a peer id',
        seed: '/dnsaddr/seed.example',
        txt: {
          '_dnsaddr.seed.example': [
            `dnsaddr=/ip4/203.0.113.7/tcp/9000/p2p/${PEER}`,
            'dnsaddr=/ip6/2001:db8::7/tcp/9001',
          ],
        },
        endpoints: ['203.0.113.7:9000', '[2001:db8::7]:9001'],
        asked: ['_dnsaddr.seed.example'],
      },
      {
        id: 'a name with a port: A and AAAA records',
        seed: 'Seed.Example:9000',
        ips: { 'seed.example': ['203.0.113.7', '2001:db8::7'] },
        endpoints: ['203.0.113.7:9000', '[2001:db8::7]:9000'],
        asked: ['seed.example'],
      },
      {
        id: 'dns: the same',
        seed: '/dns/seed.example/tcp/9000',
        ips: { 'seed.example': ['203.0.113.7', '2001:db8::7'] },
        endpoints: ['203.0.113.7:9000', '[2001:db8::7]:9000'],
        asked: ['seed.example'],
      },
      {
        id: 'dns4: A records only',
        seed: `/dns4/seed.example/tcp/9000/p2p/${PEER}`,
        ips: { 'seed.example': ['203.0.113.7', '2001:db8::7'] },
        endpoints: ['203.0.113.7:9000'],
        asked: ['seed.example'],
      },
      {
        id: 'dns6: AAAA records only',
        seed: '/dns6/seed.example/tcp/9000',
        ips: { 'seed.example': ['203.0.113.7', '2001:db8::7'] },
        endpoints: ['[2001:db8::7]:9000'],
        asked: ['seed.example'],
      },
      {
        id: 'records that lead to names',
        seed: '/dnsaddr/seed.example',
        txt: {
          '_dnsaddr.seed.example': ['dnsaddr=/dnsaddr/b.example', 'dnsaddr=/dns4/c.example/tcp/9000'],
          '_dnsaddr.b.example': ['dnsaddr=/ip4/203.0.113.7/tcp/9000'],
        },
        ips: { 'c.example': ['203.0.113.8'] },
        endpoints: ['203.0.113.7:9000', '203.0.113.8:9000'],
        asked: ['_dnsaddr.seed.example', '_dnsaddr.b.example', 'c.example'],
      },
      {
        id: 'the same endpoint twice is one',
        seed: '/dnsaddr/seed.example',
        txt: {
          '_dnsaddr.seed.example': [
            'dnsaddr=/ip4/203.0.113.7/tcp/9000',
            `dnsaddr=/ip4/203.0.113.7/tcp/9000/p2p/${PEER}`,
            'dnsaddr=/ip6/::ffff:203.0.113.7/tcp/9000',
          ],
        },
        endpoints: ['203.0.113.7:9000'],
        asked: ['_dnsaddr.seed.example'],
      },
      {
        id: 'what is not understood is skipped',
        seed: '/dnsaddr/seed.example',
        txt: {
          '_dnsaddr.seed.example': [
            'v=spf1 -all',
            'dnsaddr=',
            'dnsaddr=203.0.113.7:9000',
            'dnsaddr=/ip4/203.0.113.7/udp/9000/quic-v1',
            'dnsaddr=/ip4/999.0.113.7/tcp/9000',
            'dnsaddr=/ip4/203.0.113.7/tcp/0',
            ' dnsaddr=/ip4/203.0.113.7/tcp/9000',
            'dnsaddr=/dnsaddr/../x',
            'dnsaddr=/ip4/203.0.113.9/tcp/9000',
          ],
        },
        endpoints: ['203.0.113.9:9000'],
        asked: ['_dnsaddr.seed.example'],
      },
      {
        id: 'a name that does not exist',
        seed: '/dnsaddr/seed.example',
        endpoints: [],
        asked: ['_dnsaddr.seed.example'],
      },
      {
        id: 'a loop is walked once',
        seed: '/dnsaddr/a.example',
        txt: {
          '_dnsaddr.a.example': ['dnsaddr=/dnsaddr/b.example', 'dnsaddr=/ip4/203.0.113.7/tcp/9000'],
          '_dnsaddr.b.example': ['dnsaddr=/dnsaddr/a.example', 'dnsaddr=/dnsaddr/B.example'],
        },
        endpoints: ['203.0.113.7:9000'],
        asked: ['_dnsaddr.a.example', '_dnsaddr.b.example'],
      },
      {
        id: 'a name further down that does not answer costs its own records only',
        seed: '/dnsaddr/a.example',
        txt: {
          '_dnsaddr.a.example': ['dnsaddr=/dnsaddr/b.example', 'dnsaddr=/dnsaddr/c.example'],
          '_dnsaddr.b.example': late,
          '_dnsaddr.c.example': ['dnsaddr=/ip4/203.0.113.7/tcp/9000'],
        },
        endpoints: ['203.0.113.7:9000'],
        asked: ['_dnsaddr.a.example', '_dnsaddr.b.example', '_dnsaddr.c.example'],
      },
    ]
  for (const { id, seed, txt = {}, ips = {}, endpoints, asked } of good) {
    test(id, async () => {
      const resolver = new FakeResolver(txt, ips)
      assert.deepEqual(await resolveSeed(seed, resolver), endpoints)
      assert.deepEqual(resolver.asked, asked)
    })
  }

  test('that does not answer is an error', async () => {
    const resolver = new FakeResolver({ '_dnsaddr.seed.example': late }, { 'seed.example': late })
    await assert.rejects(resolveSeed('/dnsaddr/seed.example', resolver), late)
    await assert.rejects(resolveSeed('seed.example:9000', resolver), late)
  })

  for (const seed of ['', 'seed.example', '203.0.113.7:9000', '/ip4/203.0.113.7/tcp/9000', 'a b:1']) {
    test(`that is none is CONFIG: ${JSON.stringify(seed)}`, async () => {
      const resolver = new FakeResolver({})
      await assert.rejects(resolveSeed(seed, resolver), { code: 'CONFIG' })
      assert.deepEqual(resolver.asked, [])
    })
  }
})

describe('bounds', () => {
  test('endpoints in all', async () => {
    const records = Array.from({ length: 20 }, (_, i) => `dnsaddr=/ip4/203.0.113.${i}/tcp/9000`)
    const others = Array.from({ length: 20 }, (_, i) => `198.51.100.${i}`)
    const resolver = new FakeResolver(
      { '_dnsaddr.seed.example': [...records, 'dnsaddr=/dns/b.example/tcp/9000'] },
      { 'b.example': others },
    )
    const endpoints = await resolveSeed('/dnsaddr/seed.example', resolver)
    assert.equal(endpoints.length, SEED_LIMITS.endpointsMax)
    assert.deepEqual(endpoints.at(-1), '198.51.100.11:9000')
  })

  test('depth: a chain of names is followed three deep', async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [
        `_dnsaddr.n${i}.example`,
        [`dnsaddr=/ip4/203.0.113.${i}/tcp/9000`, `dnsaddr=/dnsaddr/n${i + 1}.example`],
      ]),
    )
    const resolver = new FakeResolver(chain)
    assert.deepEqual(await resolveSeed('/dnsaddr/n0.example', resolver), [
      '203.0.113.0:9000',
      '203.0.113.1:9000',
      '203.0.113.2:9000',
    ])
    assert.equal(resolver.asked.length, SEED_LIMITS.depthMax)
  })

  test('questions: a tree of names is asked sixteen times', async () => {
    const branches = (name: string) =>
      Array.from({ length: 32 }, (_, i) => `dnsaddr=/dnsaddr/${name}${i}.example`)
    const tree: Record<string, string[]> = { '_dnsaddr.seed.example': branches('a') }
    for (let i = 0; i < 32; i++) tree[`_dnsaddr.a${i}.example`] = branches(`b${i}x`)
    const resolver = new FakeResolver(tree)
    assert.deepEqual(await resolveSeed('/dnsaddr/seed.example', resolver), [])
    assert.equal(resolver.asked.length, SEED_LIMITS.questionsMax)
    assert.equal(new Set(resolver.asked).size, resolver.asked.length)
  })
})
