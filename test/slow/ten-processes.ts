/**
 * Where nodes find each other: each source alone makes a network of ten processes, in which everything is delivered.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, type TestContext, test } from 'node:test'
import { endpointOf } from '../../src/core/endpoint.ts'
import type { Node, NodeConfig } from '../../src/index.ts'
import { addressOf, startNodes } from '../e2e/support/nodes.ts'
import { type ConfigOf, deliverAll, Pool, type PooledNode, untilAll } from '../e2e/support/pool.ts'
import { until } from '../e2e/support/until.ts'
import { type DnsName, DnsServer } from '../fixtures/dns-server.ts'

const NODES = 10

/** Nothing finds peers but what is added. */
const NONE = { exchange: false, dht: false, dnsSeeds: [] }

const PORT = 9_000

/** A part of the loopback network in which nobody else is: with some luck, but more than it would take to guess a port. */
function newBlock(): string {
  return `127.${1 + Math.floor(Math.random() * 254)}.${Math.floor(Math.random() * 256)}`
}

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'floodgate-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

describe('a network of ten processes', { concurrency: true }, () => {
  const pool = new Pool(NODES)
  after(() => pool.close())
  let networks = 0

  /** Each test has nodes of its own in the same processes. */
  function newNetwork(): string {
    return `sources-${networks++}`
  }

  async function boot(
    configOf: ConfigOf,
    { network = newNetwork(), count = NODES, processes = pool } = {},
  ): Promise<PooledNode[]> {
    return await processes.startNodes(count, async (index, before) => ({
      network,
      discovery: NONE,
      ...(await configOf(index, before)),
    }))
  }

  async function stop(nodes: readonly PooledNode[]): Promise<void> {
    await Promise.all(nodes.map(node => node.stop()))
  }

  test('finds together by the saved book', { timeout: 240_000 }, async t => {
    const folder = await newFolder(t)
    const network = newNetwork()
    const block = newBlock()
    const base = (index: number): NodeConfig => ({
      dataDir: join(folder, `${index}`),
      listen: [`/ip4/${block}.${index + 1}/tcp/${PORT}`],
    })
    const first = await boot(
      (index, before) => ({ ...base(index), peers: before.slice(-1).map(({ address }) => address) }),
      { network },
    )
    await deliverAll(first)
    await stop(first)
    // Other processes, and no anchors.
    const processes = new Pool(NODES)
    t.after(() => processes.close())
    const second = await boot(index => ({ ...base(index), connections: { anchors: 0 } }), {
      network,
      processes,
    })
    assert.deepEqual(
      second.map(({ address }) => address),
      first.map(({ address }) => address),
    )
    await deliverAll(second)
    await stop(second)
  })

  const SHAPES: { id: string; peersOf(before: readonly PooledNode[]): readonly PooledNode[] }[] = [
    { id: 'a line', peersOf: before => before.slice(-1) },
    { id: 'a star', peersOf: before => before.slice(0, 1) },
  ]
  for (const { id, peersOf } of SHAPES) {
    test(`finds together by the addresses that it is given, and nothing else: ${id}`, {
      timeout: 240_000,
    }, async () => {
      const nodes = await boot((_, before) => ({
        peers: peersOf(before).map(({ address }) => address),
        onlyPeers: true,
      }))
      await deliverAll(nodes)
      const snapshots = await Promise.all(nodes.map(node => node.look()))
      const links = snapshots.reduce((sum, { peers }) => sum + peers.length, 0) / 2
      assert.equal(links, NODES - 1)
      assert.ok(snapshots.every(({ book }) => book.length === 0))
      await stop(nodes)
    })
  }

  /** What is asked for a seed, and what it answers when so many nodes are there. */
  const SEEDS: {
    id: string
    name: string
    seed: string
    answerOf(nodes: readonly PooledNode[]): DnsName
  }[] = [
    {
      id: 'TXT records',
      name: '_dnsaddr.seed.test',
      seed: '/dnsaddr/seed.test',
      answerOf: nodes => ({ txt: nodes.map(({ address }) => `dnsaddr=${address}`) }),
    },
    {
      id: 'A records and a port',
      name: 'seed.test',
      seed: `seed.test:${PORT}`,
      answerOf: nodes => ({ a: nodes.map(({ address }) => endpointOf(address)?.split(':')[0] ?? '') }),
    },
  ]
  for (const { id, name, seed, answerOf } of SEEDS) {
    test(`finds together by a DNS seed beside dead ones: ${id}`, { timeout: 240_000 }, async t => {
      const names: Record<string, DnsName> = {
        'silent.test': { behaviour: 'silent' },
        '_dnsaddr.failing.test': { behaviour: 'servfail' },
      }
      const server = await DnsServer.start(names)
      t.after(() => server.close())
      const block = newBlock()
      const dnsSeeds = ['silent.test:9000', '/dnsaddr/failing.test', seed]
      const nodes = await boot((index, before) => {
        names[name] = answerOf(before)
        return {
          listen: [`/ip4/${block}.${index + 1}/tcp/${PORT}`],
          // The first one would ask before there is an answer, and again only after a while.
          discovery: { ...NONE, dnsServers: [server.address], dnsSeeds: index === 0 ? [] : dnsSeeds },
        }
      })
      await deliverAll(nodes)
      const asked = new Set(server.asked.map(question => question.name))
      assert.deepEqual(asked, new Set(Object.keys(names)))
      const snapshots = await Promise.all(nodes.map(node => node.look()))
      assert.ok(snapshots.slice(1).every(({ book }) => book.some(({ source }) => source === 'dns')))
      await stop(nodes)
    })
  }

  test('finds together by the bootstrap file', { timeout: 240_000 }, async t => {
    const network = newNetwork()
    const bootstrapFile = join(await newFolder(t), 'bootstrap-peers.json')
    const nodes = await boot(
      async (_, before) => {
        const list = before.slice(0, 3).map(({ address }) => address)
        await writeFile(bootstrapFile, JSON.stringify({ [network]: list }))
        return { bootstrapFile }
      },
      { network },
    )
    await deliverAll(nodes)
    await stop(nodes)
  })

  /** Each knows the one before it, and is kept connected to that one. */
  const chain =
    (discovery: NodeConfig['discovery']): ConfigOf =>
    (_, before) => ({ peers: before.slice(-1).map(({ address }) => address), discovery })

  test('finds together by exchange, from a chain', { timeout: 240_000 }, async () => {
    const nodes = await boot(chain({ ...NONE, exchange: true }))
    await untilAll('everyone has found everyone', nodes, snapshots =>
      snapshots.every(({ peers }) => peers.length === NODES - 1),
    )
    await deliverAll(nodes)
    await stop(nodes)
  })

  test('is found by Kademlia walks, from a chain', { timeout: 240_000 }, async () => {
    const nodes = await boot(chain({ ...NONE, dht: true }), { count: 5 })
    const snapshots = await untilAll('everyone has found everyone', nodes, all =>
      all.every(({ peers }) => peers.length === 4),
    )
    assert.ok(snapshots.some(({ book }) => book.some(({ source }) => source === 'dht')))
    await deliverAll(nodes)
    await stop(nodes)
  })
})

test('a start does not wait for a seed, and its answer is used when it comes', {
  timeout: 30_000,
}, async t => {
  const [other] = (await startNodes(t, 1)) as [Node]
  const txt = [`dnsaddr=${addressOf(other)}`]
  const server = await DnsServer.start({ '_dnsaddr.seed.test': { txt, behaviour: 'held' } })
  t.after(() => server.close())
  const discovery = { dnsServers: [server.address], dnsSeeds: ['/dnsaddr/seed.test'] }
  const [node] = (await startNodes(t, 1, { onlyPeers: false, discovery })) as [Node]
  await until('it has asked', () => server.asked.length === 1)
  assert.deepEqual(node.peers(), [])
  server.release()
  await until('it is connected', () => node.peers()[0]?.handshake === 'done')
})
