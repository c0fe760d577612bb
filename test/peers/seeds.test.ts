import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressOf, type Endpoint } from '../../src/core/endpoint.ts'
import { FloodgateError } from '../../src/core/errors.ts'
import type { RandomSource, Resolver } from '../../src/core/ports.ts'
import { Random } from '../../src/core/random.ts'
import { Seeds, type SeedsOptions } from '../../src/peers/seeds.ts'
import { FakeResolver } from '../fixtures/fake-network.ts'
import { FakeLog, FakeMetrics, settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'

const DNS = '60.1.0.1:9000'
const DHT = '60.2.0.1:9000'
const BOOTSTRAP = '60.3.0.1:9000'

const timeout = new FloodgateError('TIMEOUT', 'no answer')

interface World {
  options?: Partial<SeedsOptions>
  resolver?: Resolver
  /** What a walk finds; `null` for a node without Kademlia. */
  walk?: (() => Promise<string[]>) | null
  readBootstrap?: (list: readonly string[]) => Promise<string[]>
  random?: RandomSource
  /** What the book knows already. */
  known?: Endpoint[]
}

/** Seeds with one DNS seed, one Kademlia peer and one bootstrap peer. `told` says who was asked, and what was learned. */
function setUp(world: World = {}) {
  const told: string[] = []
  const log = new FakeLog()
  const metrics = new FakeMetrics()
  const resolver = world.resolver ?? new FakeResolver({}, { 'seed.example': ['60.1.0.1'] })
  const { walk = async () => [addressOf(DHT, 'P')], readBootstrap = async list => [...list] } = world
  const known = new Set(world.known)
  const seeds = new Seeds(
    { dnsSeeds: ['seed.example:9000'], bootstrap: [addressOf(BOOTSTRAP, 'B')], ...world.options },
    {
      resolver: {
        txt: name => {
          told.push(`ask ${name}`)
          return resolver.txt(name)
        },
        lookup: name => resolver.lookup(name),
        ips: name => {
          told.push(`ask ${name}`)
          return resolver.ips(name)
        },
      },
      walk:
        walk === null
          ? undefined
          : () => {
              told.push('walk')
              return walk()
            },
      readBootstrap: list => {
        told.push(`read ${list.length}`)
        return readBootstrap(list)
      },
      random: world.random ?? (() => 0),
      clock: new VirtualClock(),
      log,
      metrics,
    },
    (endpoints, source, group) => {
      told.push(`${source} of ${group}: ${endpoints.join(', ')}`)
      return endpoints.filter(endpoint => !known.has(endpoint) && known.add(endpoint)).length
    },
  )
  /** What is told by the next question. */
  const seek = async (): Promise<string[]> => {
    told.length = 0
    await seeds.seek()
    return [...told]
  }
  return { seeds, seek, told, log, metrics, known }
}

const ASKS_DNS = ['ask seed.example', `dns of seed:seed.example:9000: ${DNS}`]
const WALKS = ['walk', `dht of dht: ${DHT}`]
const READS = ['read 1', `bootstrap of bootstrap: ${BOOTSTRAP}`]

describe('a source gives way to the next', () => {
  const cases: { id: string; world: World; told: string[]; results: Record<string, number> }[] = [
    { id: 'not when it gives something new', world: {}, told: ASKS_DNS, results: { 'dns new': 1 } },
    {
      id: 'when it gives nothing new',
      world: { known: [DNS] },
      told: [...ASKS_DNS, ...WALKS],
      results: { 'dns nothing': 1, 'dht new': 1 },
    },
    {
      id: 'when there is none: no seeds',
      world: { options: { dnsSeeds: [] } },
      told: WALKS,
      results: { 'dht new': 1 },
    },
    {
      id: 'when there is none: no Kademlia',
      world: { known: [DNS], walk: null },
      told: [...ASKS_DNS, ...READS],
      results: { 'dns nothing': 1, 'bootstrap new': 1 },
    },
    {
      id: 'when it fails',
      world: {
        resolver: new FakeResolver({}, { 'seed.example': timeout }),
        walk: () => Promise.reject(timeout),
      },
      told: ['ask seed.example', 'walk', ...READS],
      results: { 'dns failed': 1, 'dht failed': 1, 'bootstrap new': 1 },
    },
    {
      id: 'until all were asked, each once',
      world: { known: [DNS, DHT, BOOTSTRAP] },
      told: [...ASKS_DNS, ...WALKS, ...READS],
      results: { 'dns nothing': 1, 'dht nothing': 1, 'bootstrap nothing': 1 },
    },
    {
      id: 'and where there is none at all, nobody is asked',
      world: { options: { dnsSeeds: [], bootstrap: [] }, walk: null },
      told: [],
      results: {},
    },
  ]
  for (const { id, world, told, results } of cases) {
    it(id, async () => {
      const { seek, metrics } = setUp(world)
      assert.deepEqual(await seek(), told)
      const counted = Object.entries(results).map(([key, count]) => {
        const [source, result] = key.split(' ')
        return [`floodgate_seeds_total{result=${result},source=${source}}`, count]
      })
      assert.deepEqual(metrics.read(), Object.fromEntries(counted))
    })
  }
})

describe('who seeks again', () => {
  it('gets the next source, however much the last one gave, and after the last of all the first', async () => {
    const { seek, known } = setUp()
    const asked: string[][] = []
    for (let turn = 0; turn < 4; turn++) {
      asked.push(await seek())
      known.clear()
    }
    assert.deepEqual(asked, [ASKS_DNS, WALKS, READS, ASKS_DNS])
  })

  it('goes on from there to the end, and round', async () => {
    const { seek } = setUp({ known: [DHT, BOOTSTRAP] })
    assert.deepEqual(await seek(), ASKS_DNS)
    assert.deepEqual(await seek(), [...WALKS, ...READS, ...ASKS_DNS])
  })

  it('while a question is under way is not heard', async () => {
    const { promise, resolve } = Promise.withResolvers<string[]>()
    const { seeds, seek, told } = setUp({ options: { dnsSeeds: [] }, walk: () => promise })
    const first = seek()
    await settleMicrotasks()
    await seeds.seek()
    assert.deepEqual(told, ['walk'])
    resolve([addressOf(DHT)])
    assert.deepEqual(await first, WALKS)
    assert.deepEqual(await seek(), READS)
  })
})

describe('DNS seeds', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(letter => `${letter}.example`)
  const dnsSeeds = names.map(name => `${name}:9000`)

  it('are asked three at a time, by chance, all of them in the course of time', async () => {
    const source = new Random('seeds')
    const { seek } = setUp({
      options: { dnsSeeds, bootstrap: [] },
      walk: null,
      random: () => source.fraction(),
    })
    const counts = new Map(names.map(name => [name, 0]))
    const turns = 700
    for (let turn = 0; turn < turns; turn++) {
      const asked = (await seek()).filter(line => line.startsWith('ask')).map(line => line.slice(4))
      assert.deepEqual([asked.length, new Set(asked).size], [3, 3])
      for (const name of asked) counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    // Each is asked in 3 of 7 turns; 5 standard deviations are 65.
    for (const count of counts.values()) assert.ok(Math.abs(count - 300) < 65, JSON.stringify([...counts]))
  })

  it('are asked at once, not one after the other', async () => {
    const { promise, resolve } = Promise.withResolvers<string[]>()
    const { seek, told } = setUp({
      options: { dnsSeeds: dnsSeeds.slice(0, 2) },
      resolver: { txt: () => promise, ips: () => promise, lookup: async () => [] },
    })
    const sought = seek()
    assert.deepEqual(told, ['ask a.example', 'ask b.example'])
    resolve(['60.1.0.1'])
    assert.deepEqual((await sought).slice(2), [
      `dns of seed:a.example:9000: ${DNS}`,
      `dns of seed:b.example:9000: ${DNS}`,
    ])
  })

  it('that are dead cost a line in the log, and nothing of the others', async () => {
    const { seek, log, metrics } = setUp({
      options: { dnsSeeds: dnsSeeds.slice(0, 3) },
      resolver: new FakeResolver({}, { 'a.example': timeout, 'b.example': ['60.1.0.1'] }),
    })
    const told = await seek()
    assert.deepEqual(told.slice(3).toSorted(), [
      `dns of seed:b.example:9000: ${DNS}`,
      'dns of seed:c.example:9000: ',
    ])
    assert.deepEqual(log.lines, [
      {
        level: 'warn',
        message: 'a seed did not answer',
        fields: { seed: 'a.example:9000', reason: 'no answer' },
      },
    ])
    assert.deepEqual(metrics.read(), {
      'floodgate_seeds_total{result=failed,source=dns}': 1,
      'floodgate_seeds_total{result=new,source=dns}': 1,
      'floodgate_seeds_total{result=nothing,source=dns}': 1,
    })
  })

  it('can be TXT records', async () => {
    const { seek } = setUp({
      options: { dnsSeeds: ['/dnsaddr/seed.example'] },
      resolver: new FakeResolver({ '_dnsaddr.seed.example': [`dnsaddr=${addressOf(DNS)}`] }),
    })
    assert.deepEqual(await seek(), ['ask _dnsaddr.seed.example', `dns of seed:/dnsaddr/seed.example: ${DNS}`])
  })
})

describe('a Kademlia walk', () => {
  it('gives endpoints; other addresses are left out', async () => {
    const walk = async () => ['/dns4/example.org/tcp/1', addressOf(DHT, 'P'), '/ip4/60.2.0.1/udp/1/quic-v1']
    const { seek } = setUp({ options: { dnsSeeds: [] }, walk })
    assert.deepEqual(await seek(), WALKS)
  })

  it('that fails is worth a line to those who look for it', async () => {
    const { seek, log } = setUp({ options: { dnsSeeds: [] }, walk: () => Promise.reject(new Error('alone')) })
    await seek()
    assert.deepEqual(log.lines, [
      { level: 'debug', message: 'a Kademlia walk has failed', fields: { reason: 'alone' } },
    ])
  })
})

describe('the bootstrap list', () => {
  it('may hold names, whose answers count as its own; what is neither is left out', async () => {
    const bootstrap = [
      '/dns4/boot.example/tcp/9000/p2p/B',
      addressOf(BOOTSTRAP, 'B'),
      '/ip4/60.3.0.1/udp/1/quic-v1/p2p/B',
      '/dnsaddr/more.example/p2p/B',
      '/dns4/dead.example/tcp/9000/p2p/B',
    ]
    const { seek, log, known } = setUp({
      options: { dnsSeeds: [], bootstrap },
      walk: null,
      resolver: new FakeResolver(
        { '_dnsaddr.more.example': ['dnsaddr=/ip4/60.3.0.3/tcp/9000'] },
        { 'boot.example': ['60.3.0.2'], 'dead.example': timeout },
      ),
    })
    const told = await seek()
    assert.deepEqual(told.slice(0, 4), [
      'read 5',
      'ask boot.example',
      'ask _dnsaddr.more.example',
      'ask dead.example',
    ])
    assert.ok(told.slice(4).every(line => line.startsWith('bootstrap of bootstrap: ')))
    assert.deepEqual([...known].toSorted(), [BOOTSTRAP, '60.3.0.2:9000', '60.3.0.3:9000'])
    assert.deepEqual(
      log.lines.map(({ fields }) => fields.seed),
      ['/dns4/dead.example/tcp/9000/p2p/B'],
    )
  })

  it('gives what of it can be read', async () => {
    const other = '60.3.0.9:9000'
    const { seek } = setUp({
      options: { dnsSeeds: [] },
      walk: null,
      readBootstrap: async () => [addressOf(other)],
    })
    assert.deepEqual(await seek(), ['read 1', `bootstrap of bootstrap: ${other}`])
  })
})

describe('after a stop', () => {
  it('nobody is asked', async () => {
    const { seeds, seek } = setUp()
    seeds.stop()
    assert.deepEqual(await seek(), [])
  })

  it('nothing is learned any more, and no further source asked', async () => {
    const { promise, resolve } = Promise.withResolvers<string[]>()
    const { seeds, seek, metrics } = setUp({
      resolver: { txt: () => promise, ips: () => promise, lookup: async () => [] },
    })
    const sought = seek()
    seeds.stop()
    resolve(['60.1.0.1'])
    assert.deepEqual(await sought, ['ask seed.example'])
    await settleMicrotasks()
    assert.deepEqual(metrics.read(), {})
  })
})
