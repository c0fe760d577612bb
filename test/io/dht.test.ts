/**
 * Kademlia among real nodes on loopback: who is found, and what it may not do.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Address } from '../../src/core/types.ts'
import { varint } from '../e2e/support/bare.ts'
import { until } from '../e2e/support/until.ts'
import { dialBare, startBarePeer, startHost, type TestHost, type TestHostOptions } from './hosts.ts'

const DHT = { network: 'test', privateAddresses: true }
const PROTOCOL = '/floodgate/test/kad/1.0.0'
const WALK_MS = 5_000

function startNodes(
  t: TestContext,
  count: number,
  options: TestHostOptions = { dht: DHT },
): Promise<TestHost[]> {
  return Promise.all(Array.from({ length: count }, () => startHost(t, options)))
}

/** Connects each node to the next one, and waits until both know what the other speaks. */
async function connectLine(nodes: readonly TestHost[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    const next = nodes[index + 1]
    if (next === undefined) continue
    const told = next.told.identified.length
    await node.host.dial(next.address)
    await until('identified on both sides', () => next.told.identified.length > told)
    await until('identified on both sides', () =>
      node.told.identified.some(({ peer }) => peer === next.host.peer),
    )
  }
}

function walk(node: TestHost | undefined): Promise<Address[]> {
  assert.ok(node?.hints !== undefined)
  return node.hints.walk(WALK_MS)
}

/** Walks until it has found somebody: a table takes in who has just connected a moment later. */
async function walkUntilFound(node: TestHost | undefined, count: number): Promise<Address[]> {
  let found: Address[] = []
  await until(`a walk finds ${count}`, async () => {
    found = await walk(node)
    return found.length >= count
  })
  return found
}

/** A field of a protobuf message whose content is bytes. */
function field(number: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([varint((number << 3) | 2), varint(content.byteLength), content])
}

/** An answer to FIND_NODE as on the wire: a length, the type, and `closerPeers`. */
function closerPeers(peers: readonly { id: Uint8Array; address: Uint8Array }[]): Uint8Array {
  const FIND_NODE = Uint8Array.of((1 << 3) | 0, 4)
  const message = Buffer.concat([
    FIND_NODE,
    ...peers.map(({ id, address }) => field(8, Buffer.concat([field(1, id), field(2, address)]))),
  ])
  return Buffer.concat([varint(message.byteLength), message])
}

/** A peer that answers every question with a hundred peers that nobody knows, in a network of its own. */
async function startLiar(t: TestContext, node: TestHost, index: number): Promise<void> {
  const invented = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => ({
      id: peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toMultihash().bytes,
      address: multiaddr(`/ip4/10.99.${index}.${i}/tcp/9000`).bytes,
    })),
  )
  const liar = await startBarePeer(t)
  await liar.handle(PROTOCOL, stream => {
    stream.addEventListener('message', () => void stream.send(closerPeers(invented)), { once: true })
  })
  await dialBare(liar, node.address)
}

describe('a walk', () => {
  test('finds nodes that it is not connected to, through those that it is', async t => {
    const nodes = await startNodes(t, 4)
    await connectLine(nodes)
    const [first, second, third, last] = nodes
    const found = await walkUntilFound(first, 1)
    const strangers = [third?.address, last?.address]
    assert.ok(found.length > 0 && found.every(address => strangers.includes(address)), found.join())
    assert.ok(!found.includes(second?.address ?? ''), 'it has found a neighbour')
  })

  test('goes from node to node: its dials are asked for as not ours, and are eight at most', async t => {
    const nodes = await startNodes(t, 4)
    await connectLine(nodes)
    const [first, , third, last] = nodes
    // Whether a step leads nearer to a random point is a matter of luck, so it takes some walks to the end of the line.
    const seen = new Set<Address>()
    await until('the end of the line is found', async () => {
      for (const address of await walk(first)) seen.add(address)
      return seen.has(last?.address ?? '')
    })
    assert.ok(first !== undefined)
    const theirs = first.doorman.dialled.filter(({ ours }) => !ours)
    assert.ok(theirs.length > 0 && theirs.length <= 8)
    assert.ok(theirs.every(({ address }) => [third?.address, last?.address].includes(address)))
  })

  test('dials nobody whom the doorman refuses, and finds them all the same', async t => {
    const nodes = await startNodes(t, 4)
    const [first] = nodes
    assert.ok(first !== undefined)
    first.doorman.onDial = (_address, ours) => (ours ? undefined : 'hint')
    await connectLine(nodes)
    await walkUntilFound(first, 1)
    assert.equal(first.host.connections().length, 1)
  })

  test('takes sixteen addresses of one peer, and sixty-four in all', async t => {
    const [node] = await startNodes(t, 1)
    assert.ok(node !== undefined)
    node.doorman.onDial = (_address, ours) => (ours ? undefined : 'hint')
    const liars = await Promise.all(Array.from({ length: 6 }, (_, index) => startLiar(t, node, index)))
    const counts = (found: readonly Address[]): number[] =>
      liars.map((_, index) => found.filter(address => address.startsWith(`/ip4/10.99.${index}.`)).length)
    // Enough of them have to be in the table, and to be asked.
    let found: Address[] = []
    await until('a walk is full', async () => {
      found = await walk(node)
      return found.length >= 64
    })
    assert.equal(found.length, 64)
    assert.deepEqual(counts(found).toSorted(), [0, 0, 16, 16, 16, 16])
  })

  test('with nobody to ask is over at once', async t => {
    const [lonely] = await startNodes(t, 1)
    assert.deepEqual(await walk(lonely), [])
  })

  test('after the stop finds nobody, and throws nothing', async t => {
    const nodes = await startNodes(t, 2)
    await connectLine(nodes)
    const walking = walk(nodes[0])
    await nodes[0]?.host.stop()
    assert.ok(Array.isArray(await walking))
    assert.deepEqual(await walk(nodes[0]), [])
  })

  test('does not mix networks', async t => {
    const [first, hub, second] = await startNodes(t, 3)
    const [near, far] = await startNodes(t, 2, { dht: { ...DHT, network: 'other' } })
    assert.ok(first !== undefined && hub !== undefined && second !== undefined)
    assert.ok(near !== undefined && far !== undefined)
    await connectLine([first, hub, near, far])
    await connectLine([second, hub])
    assert.deepEqual(await walkUntilFound(first, 1), [second.address])
    assert.deepEqual(await walk(near), [])
  })
})

describe('without being asked', () => {
  test('nothing is dialled, redialled or tagged', async t => {
    const nodes = await startNodes(t, 4)
    await connectLine(nodes)
    const [first, second] = nodes
    assert.ok(first !== undefined && second !== undefined)
    await walkUntilFound(first, 1)
    const before = first.doorman.dialled.length
    for (const { peer } of first.host.connections()) await first.host.close(peer)
    await until('all are gone', () => first.host.connections().length === 0)
    assert.deepEqual(await walk(first), [])
    assert.equal(first.doorman.dialled.length, before)
  })

  test('a node without it does not speak it', async t => {
    const [plain] = await startNodes(t, 1, {})
    assert.ok(plain !== undefined && plain.hints === undefined)
    const peer = await startBarePeer(t)
    const connection = await dialBare(peer, plain.address)
    await assert.rejects(connection.newStream(PROTOCOL), { name: 'UnsupportedProtocolError' })
  })
})
