/**
 * Gossip between connected peers heals when one of its streams ends. gossipsub opens no stream again: the connection
 * and the mesh look healthy while nothing arrives, for as long as the connection stands.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import type { Node, NodeConfig } from '../../src/index.ts'
import { FLOODGATE_GOSSIP, type GossipPeer, gatherTexts, startGossipPeer } from './support/bare.ts'
import {
  type Accepted,
  addressOf,
  gather,
  propagateText,
  QUICK_GOSSIP,
  startNodes,
  TOPIC,
} from './support/nodes.ts'
import { sumOf } from './support/samples.ts'
import { until } from './support/until.ts'

interface Pair {
  readonly node: Node
  readonly peer: GossipPeer
  readonly atNode: Accepted[]
  readonly atPeer: string[]
}

/** A node and a plain js-libp2p peer that exchange gossip. */
async function pair(t: TestContext, config: NodeConfig = { gossip: QUICK_GOSSIP }): Promise<Pair> {
  const [node] = (await startNodes(t, 1, config)) as [Node]
  const atNode = gather(node)
  const peer = await startGossipPeer(t, FLOODGATE_GOSSIP)
  const atPeer = gatherTexts(peer, TOPIC)
  await peer.dial(multiaddr(addressOf(node)))
  await untilSpeaking(node, peer)
  return { node, peer, atNode, atPeer }
}

async function untilSpeaking(node: Node, { services: { gossip } }: GossipPeer): Promise<void> {
  await until('both have gossip streams and a mesh', () => {
    const streams = [gossip.streamsInbound.get(node.peer), gossip.streamsOutbound.get(node.peer)]
    const areOpen = streams.every(stream => stream?.rawStream.status === 'open')
    return areOpen && node.topicStats(TOPIC)?.meshPeers === 1 && gossip.getMeshPeers(TOPIC).length === 1
  })
}

async function revivedBy(node: Node): Promise<number> {
  return sumOf(await node.metrics(), 'floodgate_gossip_revived_total')
}

/** Ways in which streams of gossip end while the peers stay connected. */
const FAILURES: { id: string; fail(peer: GossipPeer, node: Node): void | Promise<void> }[] = [
  {
    id: 'the stream from the node, reset by its receiver',
    fail: (peer, node) =>
      peer.services.gossip.streamsInbound.get(node.peer)?.rawStream.abort(new Error('test')),
  },
  {
    id: 'the stream to the node, reset by its sender',
    fail: (peer, node) =>
      peer.services.gossip.streamsOutbound.get(node.peer)?.rawStream.abort(new Error('test')),
  },
  {
    id: 'the connection that carried it, one of two, is closed',
    fail: async (peer, node) => {
      const [first] = peer.getConnections()
      await peer.dial(multiaddr(addressOf(node)), { force: true })
      assert.equal(peer.getConnections().length, 2)
      await first?.close()
    },
  },
]

for (const { id, fail } of FAILURES) {
  test(`gossip flows again, both ways, after ${id}`, { timeout: 30_000 }, async t => {
    const { node, peer, atNode, atPeer } = await pair(t)
    await propagateText(node, 'before')
    await until('the first message is there', () => atPeer.length === 1)

    await fail(peer, node)
    await untilSpeaking(node, peer)
    let last = ''
    await until('the node sends again', async () => {
      last = `to the peer ${last.length}`
      return (await propagateText(node, last)).recipients === 1
    })
    await peer.services.gossip.publish(TOPIC, Buffer.from('to the node'))
    await until('both have what was sent', () => atPeer.includes(last) && atNode.length === 1)

    assert.deepEqual(
      atNode.map(({ text }) => text),
      ['to the node'],
    )
    assert.equal(peer.getConnections().length, 1, 'it was the connection that healed it')
  })
}

test('a peer that stops reading loses its stream, and is served again when it reads', {
  timeout: 30_000,
}, async t => {
  const { node, peer, atPeer } = await pair(t, {
    gossip: { ...QUICK_GOSSIP, outboundBufferBytes: 65_536 },
    topicDefaults: { maxPayloadBytes: 30_000 },
  })
  // A second neighbour, so that the first one alone is not worth waiting for.
  const [other] = (await startNodes(t, 1, { gossip: QUICK_GOSSIP })) as [Node]
  const atOther = gather(other)
  await other.connect(addressOf(node))
  await until('the other is in the mesh', () => node.topicStats(TOPIC)?.meshPeers === 2)

  const stream = peer.services.gossip.streamsInbound.get(node.peer)?.rawStream
  stream?.pause()
  let sent = 0
  for (let recipients = 2; recipients === 2 && sent < 100; sent++) {
    recipients = (await propagateText(node, `${sent}`.padEnd(30_000))).recipients
  }
  await until('the stream is cut', () => stream?.status === 'reset')
  await until('the node has opened gossip again', async () => (await revivedBy(node)) >= 1)
  let last = ''
  await until('the peer is served again', async () => {
    last = `after ${sent++}`
    return (await propagateText(node, last)).recipients === 2
  })
  await until('it has what it was sent', () => atPeer.includes(last))
  await until('the other one, who read, has lost nothing', () => atOther.length === sent)
  assert.equal(node.peers().length, 2)
})
