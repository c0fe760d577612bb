/**
 * A peer that sends nonsense, and one that sends nothing, cost little and harm nobody: the node stays up, honest
 * peers go on, and whoever keeps at it is sent away.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { type Node, OFFENCES } from '../../src/index.ts'
import { type HandPeer, startHandPeer, varint } from './support/bare.ts'
import {
  type Accepted,
  addressOf,
  connectLine,
  gather,
  propagateText,
  QUICK_GOSSIP,
  startNodes,
  untilMeshed,
} from './support/nodes.ts'
import { parseMetrics, sumOf } from './support/samples.ts'
import { seededBytes } from './support/seed.ts'
import { until } from './support/until.ts'

const DROP_BELOW = -100

/** An honest node that sends to the node under test. */
async function honestPair(t: TestContext): Promise<{ node: Node; honest: Node; received: Accepted[] }> {
  const [node, honest] = (await startNodes(t, 2, {
    gossip: QUICK_GOSSIP,
    score: { dropBelow: DROP_BELOW },
  })) as [Node, Node]
  const received = gather(node)
  gather(honest)
  await connectLine([honest, node])
  await untilMeshed([honest, node])
  return { node, honest, received }
}

function frameOf(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(bytes.byteLength), bytes])
}

/** Protobuf: field 2 of a gossip frame is a message, and its length is 0. */
const EMPTY_MESSAGE = Uint8Array.of(0x12, 0x00)

interface Garbage {
  readonly id: string
  readonly offence: 'malformed' | 'gossip-limits'
  write(peer: HandPeer): Promise<void> | void
}

const GARBAGE: readonly Garbage[] = [
  {
    id: 'frames that do not decode',
    offence: 'malformed',
    write: peer => peer.write(frameOf(Buffer.from([0x12, 0x7f, 0x01]))),
  },
  {
    id: 'a length over the limit of a frame',
    offence: 'malformed',
    write: async peer => {
      await peer.reopen()
      peer.write(varint(5 * 1_024 * 1_024))
    },
  },
  {
    id: 'a length that does not end',
    offence: 'malformed',
    write: async peer => {
      await peer.reopen()
      peer.write(Buffer.alloc(16, 0xff))
    },
  },
  {
    id: 'a mebibyte of empty messages',
    offence: 'gossip-limits',
    write: peer => peer.write(frameOf(Buffer.alloc(1_048_576, EMPTY_MESSAGE))),
  },
]

for (const { id, offence, write } of GARBAGE) {
  test(`a peer that keeps sending ${id} is dropped, and others go on`, { timeout: 30_000 }, async t => {
    const { node, honest, received } = await honestPair(t)
    const peer = await startHandPeer(t, addressOf(node))
    const offences: string[] = []
    node.on('offence', (from, kind) => offences.push(`${from} ${kind}`))

    let sent = 0
    const enough = Math.floor(-DROP_BELOW / OFFENCES[offence]) + 1
    for (; sent < enough; sent++) {
      await propagateText(honest, `message ${sent}`)
      await write(peer)
      await until('it is noticed', () => offences.length === sent + 1)
      if (sent + 1 < enough) assert.equal(node.peers().length, 2, `dropped after ${sent + 1} offences`)
    }
    await until('it is dropped', () => !peer.isConnected() && node.peers().length === 1)
    await propagateText(honest, 'after')
    await until('all honest messages are there', () => received.length === sent + 1)

    assert.deepEqual(new Set(offences), new Set([`${peer.id} ${offence}`]))
    assert.equal(sumOf(await node.metrics(), 'floodgate_drops_total', { reason: 'score' }), 1)
  })
}

test('random bytes on a gossip stream harm nobody', { timeout: 30_000 }, async t => {
  const { node, honest, received } = await honestPair(t)
  const peer = await startHandPeer(t, addressOf(node))
  const bytes = seededBytes(t)
  for (let round = 0; round < 20 && peer.isConnected(); round++) {
    // The node may close the stream or the connection at any moment.
    const writing = peer.reopen().then(() => peer.write(bytes(10_000)))
    await writing.catch(() => {})
    await propagateText(honest, `message ${round}`)
    await until('the honest message is there', () => received.length === round + 1)
  }
  assert.equal(
    node.peers().some(({ peer: id }) => id === honest.peer),
    true,
  )
})

test('messages on a topic without a subscription are dropped and leave nothing behind', {
  timeout: 20_000,
}, async t => {
  const { node, received, honest } = await honestPair(t)
  const peer = await startHandPeer(t, addressOf(node))
  for (let number = 0; number < 1_000; number++) {
    peer.send({ messages: [{ topic: `nobody/${number}`, data: Buffer.alloc(100, `${number}`) }] })
  }
  const dropped = async () =>
    sumOf(await node.metrics(), 'floodgate_gossip_dropped_total', { reason: 'unsubscribed' })
  await until('all are counted', async () => (await dropped()) === 1_000)
  const sizes = await cacheSizes(node)
  assert.deepEqual(sizes, { mcache: 0, seenCache: 0, fastMsgIdCache: 0, topics: 1 })

  await propagateText(honest, 'after')
  await until('the honest message is there', () => received.length === 1)
  assert.equal(
    node.peers().every(({ score }) => score === 0),
    true,
  )
})

/** How many messages, ids and topics gossipsub holds. */
async function cacheSizes(node: Node): Promise<Record<string, number | undefined>> {
  const { samples = [] } = parseMetrics(await node.metrics()).get('gossipsub_cache_size') ?? {}
  const sizeOf = (cache: string) => samples.find(({ labels }) => labels.cache === cache)?.value
  const names = ['mcache', 'seenCache', 'fastMsgIdCache', 'topics']
  return Object.fromEntries(names.map(name => [name, sizeOf(name)]))
}

/** Opens plain TCP connections to a node. */
async function openSockets(t: TestContext, node: Node, count: number): Promise<Socket[]> {
  const { address, port } = multiaddrTcp(addressOf(node))
  const sockets = Array.from({ length: count }, () => connect(port, address))
  for (const socket of sockets) {
    socket.on('error', () => {})
    t.after(() => socket.destroy())
  }
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  return sockets
}

function multiaddrTcp(address: string): { address: string; port: number } {
  const [, , ip = '', , port] = multiaddr(address).toString().split('/')
  return { address: ip, port: Number(port) }
}

test('sockets that send garbage or nothing are closed, and others go on', { timeout: 30_000 }, async t => {
  const upgradeTimeoutMs = 500
  const [node, honest] = (await startNodes(t, 2, {
    gossip: QUICK_GOSSIP,
    connections: { upgradeTimeoutMs },
  })) as [Node, Node]
  const received = gather(node)
  gather(honest)
  const noisy = await openSockets(t, node, 20)
  const silent = await openSockets(t, node, 20)
  const bytes = seededBytes(t)
  for (const socket of noisy) socket.write(bytes(1_000))

  await connectLine([honest, node])
  await untilMeshed([honest, node])
  await propagateText(honest, 'message')
  await until('the honest message is there', () => received.length === 1)
  await until('the others are closed', () =>
    [...noisy, ...silent].every(socket => socket.destroyed || socket.readyState !== 'open'),
  )
  assert.equal(node.peers().length, 1)
})
