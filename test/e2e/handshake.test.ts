/**
 * The handshake over real connections: who is let in, who is sent away and why, and what waits until then.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { endpointOf } from '../../src/core/endpoint.ts'
import {
  createNode,
  DROP_REASONS,
  type DropReason,
  type FloodgateError,
  type Node,
  type NodeConfig,
} from '../../src/index.ts'
import { temporaryIdentity } from '../../src/io/identity.ts'
import { encodeFrame, FLOODGATE_GOSSIP, gatherTexts, startGossipPeer } from './support/bare.ts'
import { addressOf, gather, makeNode, propagateText, startNodes, TOPIC } from './support/nodes.ts'
import { sumOf } from './support/samples.ts'
import { type Speaker, startSpeaker } from './support/speaker.ts'
import { until } from './support/until.ts'

/** More than the five seconds that a handshake may take. */
const LATE_MS = 15_000

async function startNode(t: TestContext, config: NodeConfig = {}): Promise<Node> {
  const [node] = await startNodes(t, 1, config)
  assert.ok(node !== undefined)
  return node
}

async function dropsOf(node: Node, reason: string): Promise<number> {
  return sumOf(await node.metrics(), 'floodgate_drops_total', { reason })
}

/** Offences of the peers of a node, in order. */
function offencesAt(node: Node): string[] {
  const offences: string[] = []
  node.on('offence', (peer, offence) => offences.push(`${peer} ${offence}`))
  return offences
}

function isDenied(reason: DropReason): (error: Error) => boolean {
  return error => {
    assert.equal((error as FloodgateError).code, 'DENIED')
    assert.ok(error.message.endsWith(DROP_REASONS[reason]), error.message)
    return true
  }
}

test('both sides know each other when the handshake is done', { timeout: 20_000 }, async t => {
  const [one, other] = (await startNodes(t, 2)) as [Node, Node]
  const told: string[] = []
  other.on('peer:connect', (peer, address, direction) => told.push(`${peer} ${direction} ${address}`))
  assert.equal(await one.connect(addressOf(other)), other.peer)
  const [peer] = one.peers()
  assert.deepEqual(
    { ...peer },
    { ...peer, peer: other.peer, handshake: 'done', role: 'manual', direction: 'outbound' },
  )
  assert.match(peer?.agent ?? '', /^floodgate\/\d/)
  await until('the other side has heard of it', () => told.length === 1)
  const [back] = other.peers()
  assert.deepEqual({ ...back }, { ...back, peer: one.peer, handshake: 'done', role: 'inbound' })
  assert.deepEqual(told, [`${one.peer} inbound ${back?.address}`])
})

describe('another network', () => {
  test('is refused with its reason, whoever dials, as often as it is tried', { timeout: 30_000 }, async t => {
    const ours = await startNode(t, { network: 'ours' })
    const theirs = await startNode(t, { network: 'theirs' })
    const events: string[] = []
    for (const node of [ours, theirs]) {
      for (const event of ['peer:connect', 'peer:disconnect'] as const)
        node.on(event, () => events.push(event))
    }
    for (let times = 0; times < 3; times++) {
      await assert.rejects(ours.connect(addressOf(theirs)), isDenied('network'))
      await assert.rejects(theirs.connect(addressOf(ours)), isDenied('network'))
    }
    await until('they are apart', () => ours.peers().length + theirs.peers().length === 0)
    assert.deepEqual(events, [], 'the program has heard of a peer of another network')
  })

  test('is remembered: its address leaves the book, and is not dialled again', {
    timeout: 30_000,
  }, async t => {
    const theirs = await startNode(t, { network: 'theirs' })
    const friend = await startNode(t, { network: 'ours' })
    const bootstrap = [addressOf(theirs), addressOf(friend)]
    const ours = await createNode(
      { preset: 'local', network: 'ours', log: { level: 'silent' } },
      { bootstrap },
    )
    t.after(() => ours.stop())
    await ours.start()
    const refused = async (): Promise<number> =>
      sumOf(await ours.metrics(), 'floodgate_dials_total', { result: 'refused' })
    await until('the one is connected, the other refused', async () => {
      return ours.peers().some(({ peer }) => peer === friend.peer) && (await refused()) === 1
    })
    const endpoints = ours.addressBook().map(({ endpoint }) => endpoint)
    assert.deepEqual(endpoints, [endpointOf(addressOf(friend))])
    assert.equal(await dropsOf(ours, 'network'), 1)
  })
})

describe('a plain gossip peer', () => {
  test('stays with interop, and takes part', { timeout: 20_000 }, async t => {
    const node = await startNode(t)
    const atNode = gather(node)
    const peer = await startGossipPeer(t, FLOODGATE_GOSSIP)
    const atPeer = gatherTexts(peer, TOPIC)
    await peer.dial(multiaddr(addressOf(node)))
    await until('it is in the mesh', () => {
      return node.topicStats(TOPIC)?.meshPeers === 1 && peer.services.gossip.getMeshPeers(TOPIC).length === 1
    })
    assert.deepEqual(
      node.peers().map(({ handshake, role }) => ({ handshake, role })),
      [{ handshake: 'plain', role: 'inbound' }],
    )
    await propagateText(node, 'there')
    await peer.services.gossip.publish(TOPIC, Buffer.from('and back'))
    await until('both have what was sent', () => atNode.length === 1 && atPeer.length === 1)
  })

  test('can be dialled by hand with interop', { timeout: 20_000 }, async t => {
    const node = await startNode(t)
    const peer = await startGossipPeer(t, FLOODGATE_GOSSIP)
    assert.equal(await node.connect(String(peer.getMultiaddrs()[0])), peer.peerId.toString())
    assert.equal(node.peers()[0]?.handshake, 'plain')
  })

  test('is sent away without interop, whoever dials', { timeout: 20_000 }, async t => {
    const node = await startNode(t, { interop: false })
    const peer = await startGossipPeer(t, FLOODGATE_GOSSIP)
    await peer.dial(multiaddr(addressOf(node)))
    await until('it is sent away', async () => {
      return (await dropsOf(node, 'plain')) === 1 && peer.getConnections().length === 0
    })
    await assert.rejects(node.connect(String(peer.getMultiaddrs()[0])), isDenied('plain'))
  })

  test('finds a quarter of the inbound places, and no more', { timeout: 30_000 }, async t => {
    const node = await startNode(t, { connections: { inboundMax: 8 } })
    const peers = await Promise.all([1, 2, 3].map(() => startGossipPeer(t, FLOODGATE_GOSSIP)))
    const connected = () => peers.filter(peer => peer.getConnections().length > 0).length
    for (const peer of peers.slice(0, 2)) await peer.dial(multiaddr(addressOf(node)))
    await until(
      'two are in',
      () => node.peers().filter(({ handshake }) => handshake === 'plain').length === 2,
    )
    assert.equal(connected(), 2)
    await peers[2]?.dial(multiaddr(addressOf(node))).catch(() => {})
    await until('one has to go', async () => (await dropsOf(node, 'plain')) === 1 && connected() === 2)
    assert.deepEqual(
      node.peers().map(({ handshake }) => handshake),
      ['plain', 'plain'],
    )
  })
})

describe('whoever claims to speak our hello and does not say it', { concurrency: true }, () => {
  test('is dropped when it has dialled us', { timeout: 30_000 }, async t => {
    const node = await startNode(t)
    const speaker = await startSpeaker(t)
    await speaker.dial(addressOf(node))
    await until('it is there', () => node.peers().length === 1)
    assert.equal(node.peers()[0]?.handshake, 'pending')
    await until('it is dropped', () => !speaker.isConnected && node.peers().length === 0, LATE_MS)
    assert.equal(await dropsOf(node, 'handshake'), 1)
  })

  test('is dropped when we have dialled it, and the caller is told', { timeout: 30_000 }, async t => {
    const node = await startNode(t)
    const speaker = await startSpeaker(t, { isMute: true })
    await assert.rejects(node.connect(speaker.address), isDenied('handshake'))
    await until('it is cut', () => !speaker.isConnected)
  })
})

/** What is sent in place of a hello; whether the peer is dropped at once, or when its time is up. */
const BAD: { id: string; offence: 'handshake' | 'malformed'; frame(speaker: Speaker): Uint8Array }[] = [
  { id: 'bytes that are none', offence: 'handshake', frame: () => Buffer.from('hello') },
  {
    id: 'a nonce of seven bytes',
    offence: 'handshake',
    // Field 6; of two the last one counts.
    frame: speaker => Buffer.concat([speaker.hello(), Uint8Array.of(0x32, 7), Buffer.alloc(7)]),
  },
  {
    id: 'lists that are too long',
    offence: 'handshake',
    frame: speaker => Buffer.concat(Array.from({ length: 9 }, () => speaker.hello())),
  },
  { id: 'a frame that is too long', offence: 'malformed', frame: () => Buffer.alloc(4_097, 0x0a) },
]

describe('a bad hello', { concurrency: true }, () => {
  for (const { id, offence, frame } of BAD) {
    test(`is blamed, and its sender sent away: ${id}`, { timeout: 30_000 }, async t => {
      const node = await startNode(t)
      const offences = offencesAt(node)
      const speaker = await startSpeaker(t)
      await speaker.dial(addressOf(node))
      await speaker.say(frame(speaker)).catch(() => {})
      await until('it is blamed', () => offences.length > 0)
      await until('it is dropped', () => !speaker.isConnected && node.peers().length === 0, LATE_MS)
      assert.deepEqual(offences, [`${speaker.id} ${offence}`])
      assert.equal(await dropsOf(node, 'handshake'), 1)
    })
  }

  test('in versions that we do not speak ends it', { timeout: 20_000 }, async t => {
    const node = await startNode(t)
    const speaker = await startSpeaker(t)
    await speaker.dial(addressOf(node))
    await speaker.say(speaker.hello({ versions: [2, 3] })).catch(() => {})
    await until('it is dropped', async () => !speaker.isConnected && (await dropsOf(node, 'version')) === 1)
  })

  test('that comes twice is blamed, and changes nothing', { timeout: 20_000 }, async t => {
    const node = await startNode(t)
    const offences = offencesAt(node)
    const speaker = await startSpeaker(t)
    await speaker.greet(addressOf(node))
    await speaker.say(speaker.hello({ agent: 'somebody else' }))
    await until('it is blamed', () => offences.length > 0)
    assert.deepEqual(offences, [`${speaker.id} handshake`])
    assert.deepEqual(
      node.peers().map(({ handshake, agent }) => ({ handshake, agent })),
      [{ handshake: 'done', agent: 'speaker' }],
    )
  })
})

describe('this node itself', () => {
  test('is not connected through another address', { timeout: 20_000 }, async t => {
    const node = await startNode(t)
    // As a port forward of its own router would bring it back.
    const port = Number(addressOf(node).split('/')[4])
    const forward = createServer(socket => {
      const inner = connect(port, '127.0.0.1')
      socket.pipe(inner).pipe(socket)
      for (const end of [socket, inner]) end.on('error', () => {})
      t.after(() => inner.destroy())
    }).listen(0, '127.0.0.1')
    t.after(() => forward.close())
    await once(forward, 'listening')
    const outside = `/ip4/127.0.0.1/tcp/${(forward.address() as AddressInfo).port}`
    await assert.rejects(node.connect(outside), isDenied('self'))
    await until('nothing is left of it', () => node.peers().length === 0)
  })

  test('is not connected with a copy of its identity', { timeout: 20_000 }, async t => {
    const identity = await temporaryIdentity()
    const nodes = await Promise.all(
      [1, 2].map(() =>
        createNode({ preset: 'local', onlyPeers: true, log: { level: 'silent' } }, { identity }),
      ),
    )
    for (const node of nodes) t.after(() => node.stop())
    const [one, copy] = nodes as [Node, Node]
    await Promise.all([one.start(), copy.start()])
    const nameless = addressOf(copy).replace(/\/p2p\/.*/, '')
    await assert.rejects(one.connect(nameless), isDenied('self'))
    assert.deepEqual([one.peers(), copy.peers()], [[], []])
  })
})

test('gossip waits for the handshake', { timeout: 20_000 }, async t => {
  const node = await makeNode(t)
  const inbox = gather(node)
  await node.start()
  const speaker = await startSpeaker(t)
  await speaker.libp2p.handle('/meshsub/1.1.0', () => {})
  const connection = await speaker.dial(addressOf(node))
  const gossip = await connection.newStream('/meshsub/1.1.0')
  gossip.send(
    encodeFrame({
      subscriptions: [{ topic: TOPIC, subscribe: true }],
      messages: [{ topic: TOPIC, data: Buffer.from('early') }],
    }),
  )
  // What was sent before on this connection is there when this is answered.
  const ping = await connection.newStream('/ipfs/ping/1.0.0')
  const answered = once(ping, 'message')
  ping.send(Buffer.alloc(32, 1))
  await answered
  assert.deepEqual([inbox, node.topicStats(TOPIC)?.copies, node.topicStats(TOPIC)?.subscribers], [[], 0, 0])

  await speaker.say()
  await until('it gets through', () => inbox.length === 1 && node.topicStats(TOPIC)?.subscribers === 1)
  assert.deepEqual(inbox, [{ text: 'early', from: speaker.id, late: false }])
})
