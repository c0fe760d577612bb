/**
 * What Kademlia may not do: each right that it does not get, with a hand-made libp2p beneath.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, PeerId, Stream, StreamHandler } from '@libp2p/interface'
import type { KadDHTComponents } from '@libp2p/kad-dht'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { Key } from 'interface-datastore'
import { DhtBounds } from '../../src/io/dht-bounds.ts'
import { until } from '../e2e/support/until.ts'

const newPeer = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))

const [self, near, far] = await Promise.all([newPeer(), newPeer(), newPeer()])

interface FakeConnection {
  readonly peer: PeerId
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
}

/** libp2p with some connections, and what peers claim as their addresses. */
function setUp({
  connections = [],
  claims = [],
  privateAddresses = true,
}: {
  connections?: FakeConnection[]
  claims?: string[]
  privateAddresses?: boolean
}) {
  const dialled: string[][] = []
  const handlers: StreamHandler[] = []
  const streams: Stream[] = []
  const open = connections.map(({ peer, address, direction }) => ({
    remotePeer: peer,
    remoteAddr: multiaddr(address),
    direction,
    status: 'open',
    newStream: async () => {
      const [ours, theirs] = await streamPair()
      streams.push(theirs)
      return ours
    },
  }))
  const real = {
    peerId: self,
    connectionManager: {
      getConnections: (peer: PeerId) => open.filter(({ remotePeer }) => remotePeer.equals(peer)),
      openConnection: async (addresses: unknown[]) => {
        dialled.push(addresses.map(String))
        return { newStream: async () => (await streamPair())[0] }
      },
    },
    peerStore: {
      get: async (id: PeerId) => ({ id, addresses: claims.map(claim => ({ multiaddr: multiaddr(claim) })) }),
      merge: () => assert.fail('a record was written'),
    },
    datastore: { put: () => assert.fail('something was stored') },
    registrar: { handle: async (_protocol: string, handler: StreamHandler) => void handlers.push(handler) },
  } as unknown as KadDHTComponents
  const bounds = new DhtBounds(real, privateAddresses)
  return { bounds, components: bounds.components, dialled, handlers, streams }
}

const info = (id: PeerId, ...addresses: string[]) => ({
  id,
  multiaddrs: addresses.map(address => multiaddr(address)),
})

describe('addresses', () => {
  const all = [
    '/ip4/203.0.112.7/tcp/9000',
    '/ip4/10.0.0.7/tcp/9000',
    '/ip4/127.0.0.1/tcp/9000',
    '/ip6/2a00::7/tcp/9000',
    '/ip4/0.0.0.0/tcp/9000',
    '/ip4/224.0.0.1/tcp/9000',
    '/ip4/203.0.112.7/tcp/0',
    '/ip4/203.0.112.7/udp/9000/quic-v1',
    '/dns4/node.example/tcp/9000',
    '/dnsaddr/node.example',
  ]
  const rules = [
    { privateAddresses: true, kept: all.slice(0, 4) },
    { privateAddresses: false, kept: [all[0], all[3]] },
  ]
  for (const { privateAddresses, kept } of rules) {
    test(`that count ${privateAddresses ? 'in a private network' : 'on the internet'}`, async () => {
      const { bounds, components } = setUp({ privateAddresses })
      assert.deepEqual(bounds.usable(info(near, ...all)).multiaddrs.map(String), kept)
      for (const address of all) {
        const isDialable = await components.connectionManager.isDialable(multiaddr(address))
        assert.equal(isDialable, kept.includes(address), address)
      }
    })
  }

  test('of one peer are four at most', () => {
    const many = Array.from({ length: 50 }, (_, i) => `/ip4/203.0.112.7/tcp/${i + 1}`)
    assert.equal(setUp({}).bounds.usable(info(near, ...many)).multiaddrs.length, 4)
  })

  test('of strangers: neither of this node nor of a neighbour', () => {
    const { bounds } = setUp({
      connections: [{ peer: near, address: '/ip4/203.0.112.7/tcp/5', direction: 'inbound' }],
    })
    const address = '/ip4/203.0.112.8/tcp/9000'
    assert.deepEqual(bounds.strangers([info(self, address), info(near, address), info(far, address)]), [
      `${address}/p2p/${far}`,
    ])
  })

  test('that are told: where a peer was reached, and what it claims at the IP address where it is', async () => {
    const { components } = setUp({
      connections: [
        { peer: near, address: '/ip4/203.0.112.7/tcp/55555', direction: 'inbound' },
        { peer: far, address: `/ip4/203.0.112.8/tcp/9000/p2p/${far}`, direction: 'outbound' },
      ],
      claims: ['/ip4/203.0.112.7/tcp/9000', '/ip4/203.0.112.8/tcp/9001', '/ip4/198.18.0.1/tcp/9000'],
    })
    const told = async (peer: PeerId) => (await components.peerStore.getInfo(peer)).multiaddrs.map(String)
    assert.deepEqual(await told(near), ['/ip4/203.0.112.7/tcp/9000'])
    assert.deepEqual(await told(far), ['/ip4/203.0.112.8/tcp/9000', '/ip4/203.0.112.8/tcp/9001'])
    await assert.rejects(told(self), { name: 'NotFoundError' })
  })
})

describe('dials', () => {
  const open = ({ components }: ReturnType<typeof setUp>, peer: PeerId) =>
    components.connectionManager.openStream(peer, '/kad')

  test('none without a walk, and none of peers that the walk has not heard of', async () => {
    const built = setUp({})
    built.bounds.note(info(far, '/ip4/203.0.112.8/tcp/9000'))
    await assert.rejects(open(built, far), { name: 'NotFoundError' })
    built.bounds.allow(8)
    await assert.rejects(open(built, far), { name: 'NotFoundError' })
    assert.deepEqual(built.dialled, [])
  })

  test('as many as the walk allows, at usable addresses', async () => {
    const built = setUp({})
    const peers = await Promise.all(Array.from({ length: 3 }, newPeer))
    built.bounds.allow(2)
    for (const peer of peers) built.bounds.note(info(peer, '/dns4/x/tcp/1', '/ip4/203.0.112.8/tcp/9000'))
    const results = await Promise.allSettled(peers.map(peer => open(built, peer)))
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected'],
    )
    assert.deepEqual(built.dialled[0], [`/ip4/203.0.112.8/tcp/9000/p2p/${peers[0]}`])
    built.bounds.allow(0)
    await assert.rejects(open(built, peers[0] ?? far), { name: 'NotFoundError' })
    assert.equal(built.dialled.length, 2)
  })

  test('none to a peer that is connected, and none to ping one', async () => {
    const built = setUp({
      connections: [{ peer: near, address: '/ip4/203.0.112.7/tcp/5', direction: 'inbound' }],
    })
    await open(built, near)
    assert.equal(await built.components.ping.ping(near), 0)
    await assert.rejects(built.components.ping.ping(far), { name: 'NotFoundError' })
    assert.deepEqual(built.dialled, [])
  })
})

describe('streams', () => {
  /** Sends so many bytes, and tells whether the stream is cut. */
  async function isCut(from: Stream, to: Stream, sizeBytes: number): Promise<boolean> {
    let received = 0
    to.addEventListener('message', ({ data }) => {
      received += data.byteLength
    })
    from.send(new Uint8Array(sizeBytes))
    await until('it has arrived, or was cut', () => to.status !== 'open' || received === sizeBytes)
    return to.status !== 'open'
  }

  for (const { sizeBytes, cut } of [
    { sizeBytes: 65_536, cut: false },
    { sizeBytes: 65_537, cut: true },
  ]) {
    test(`an answer of ${sizeBytes} bytes is ${cut ? 'cut' : 'read'}`, async () => {
      const { components, streams } = setUp({
        connections: [{ peer: near, address: '/ip4/203.0.112.7/tcp/5', direction: 'inbound' }],
      })
      const stream = await components.connectionManager.openStream(near, '/kad')
      const [other] = streams
      assert.ok(other !== undefined)
      assert.equal(await isCut(other, stream, sizeBytes), cut)
    })
  }

  for (const { sizeBytes, cut } of [
    { sizeBytes: 4_096, cut: false },
    { sizeBytes: 4_097, cut: true },
  ]) {
    test(`requests of ${sizeBytes} bytes are ${cut ? 'cut' : 'read'}`, async () => {
      const { components, handlers } = setUp({})
      await components.registrar.handle('/kad', () => {})
      const [ours, theirs] = await streamPair()
      await handlers[0]?.(ours, {} as Connection)
      assert.equal(await isCut(theirs, ours, sizeBytes), cut)
    })
  }

  test('of one connection: sixty a minute, and another one has its own', async () => {
    const { components, handlers } = setUp({})
    let handled = 0
    await components.registrar.handle('/kad', () => {
      handled++
    })
    const [greedy, other] = [{}, {}] as Connection[]
    const offer = async (connection: Connection | undefined): Promise<string> => {
      const [ours] = await streamPair()
      assert.ok(connection !== undefined)
      await handlers[0]?.(ours, connection)
      return ours.status
    }
    for (let i = 0; i < 60; i++) assert.equal(await offer(greedy), 'open')
    assert.equal(await offer(greedy), 'aborted')
    assert.equal(await offer(other), 'open')
    assert.equal(handled, 61)
  })
})

test('nothing is stored or written', async () => {
  const { components } = setUp({})
  const key = new Key('/dht/record/x')
  await components.datastore.put(key, Uint8Array.of(1))
  await assert.rejects(async () => components.datastore.get(key), { name: 'NotFoundError' })
  for await (const { key: found } of components.datastore.query({})) assert.fail(`${found} was stored`)
  await components.peerStore.merge(near, { tags: { 'keep-alive-kad-dht': { value: 1 } } })
  assert.deepEqual(await components.peerStore.all(), [])
})
