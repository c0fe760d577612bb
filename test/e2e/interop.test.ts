/**
 * Plain js-libp2p gossipsub and Floodgate exchange payloads as they are: with two options on its side where messages
 * are unsigned, and with none where they are signed.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { messageHex, messageId, type Node, type NodeConfig } from '../../src/index.ts'
import { FLOODGATE_GOSSIP, type GossipPeer, gatherTexts, startGossipPeer } from './support/bare.ts'
import {
  type Accepted,
  addressOf,
  connectLine,
  gather,
  propagateText,
  startNodes,
  TOPIC,
  textOf,
  untilMeshed,
} from './support/nodes.ts'
import { until } from './support/until.ts'

interface Network {
  readonly peer: GossipPeer
  readonly gate: Node
  readonly behind: Node
  readonly atPeer: string[]
  readonly atGate: Accepted[]
  readonly atBehind: Accepted[]
}

/** A line: a plain libp2p peer, a node that refuses what begins with `bad`, and a node that takes everything. */
async function network(
  t: TestContext,
  options: Parameters<typeof startGossipPeer>[1],
  config: NodeConfig,
): Promise<Network> {
  const [gate, behind] = (await startNodes(t, 2, config)) as [Node, Node]
  const atGate = gather(gate, message => !textOf(message).startsWith('bad'))
  const atBehind = gather(behind)
  await connectLine([gate, behind])
  await untilMeshed([gate, behind])
  const peer = await startGossipPeer(t, options)
  const atPeer = gatherTexts(peer, TOPIC)
  await peer.dial(multiaddr(addressOf(gate)))
  await until('the peer is in the mesh', () => {
    return gate.topicStats(TOPIC)?.meshPeers === 2 && peer.services.gossip.getMeshPeers(TOPIC).length === 1
  })
  return { peer, gate, behind, atPeer, atGate, atBehind }
}

const CASES: { id: string; options: Parameters<typeof startGossipPeer>[1]; config: NodeConfig }[] = [
  { id: 'unsigned, with our message ids', options: FLOODGATE_GOSSIP, config: {} },
  { id: 'signed, with nothing set', options: {}, config: { gossip: { signing: 'strict' } } },
]

for (const { id, options, config } of CASES) {
  test(`payloads go both ways between a plain gossipsub peer and nodes: ${id}`, {
    timeout: 20_000,
  }, async t => {
    const { peer, gate, behind, atPeer, atGate, atBehind } = await network(t, options, config)
    const publish = (text: string) => peer.services.gossip.publish(TOPIC, Buffer.from(text))

    await publish('one')
    await until('both nodes have it', () => atGate.length === 1 && atBehind.length === 1)
    await propagateText(gate, 'two')
    await until('the peer has it', () => atPeer.length === 1)
    await propagateText(behind, 'three')
    await until('the peer has that of the node behind', () => atPeer.length === 2)
    await publish('bad')
    await publish('four')
    await until('the last one is through', () => atBehind.some(({ text }) => text === 'four'))

    assert.deepEqual(atPeer, ['two', 'three'])
    assert.deepEqual(
      atGate.map(({ text }) => text),
      ['one', 'three', 'four'],
    )
    assert.deepEqual(
      atBehind.map(({ text }) => text),
      ['one', 'two', 'four'],
    )
    assert.equal(gate.topicStats(TOPIC)?.rejected, 1)
    assert.equal(gate.topicStats(TOPIC)?.received, 4, 'some message was taken for two')
  })
}

test('a node and a plain peer give a message the same id', { timeout: 20_000 }, async t => {
  const { peer, gate } = await network(t, FLOODGATE_GOSSIP, {})
  const ids: string[] = []
  peer.services.gossip.addEventListener('gossipsub:message', event => {
    ids.push(messageHex(Buffer.from(event.detail.msgId, 'base64')))
  })
  const payload = Buffer.from('a payload')
  const { id } = await gate.propagate(TOPIC, payload)
  await until('the peer has it', () => ids.length === 1)
  assert.deepEqual(ids, [messageHex(id)])
  assert.equal(messageHex(messageId(TOPIC, payload)), ids[0])
})

const MISMATCHES: { id: string; options: Parameters<typeof startGossipPeer>[1]; config: NodeConfig }[] = [
  {
    id: 'unsigned messages are not taken where they are signed',
    options: FLOODGATE_GOSSIP,
    config: { gossip: { signing: 'strict' } },
  },
  { id: 'signed messages are not taken where they are unsigned', options: {}, config: {} },
]

for (const { id, options, config } of MISMATCHES) {
  test(id, { timeout: 20_000 }, async t => {
    const { peer, gate, behind, atGate } = await network(t, options, config)
    await peer.services.gossip.publish(TOPIC, Buffer.from('foreign'))
    await until('it has come in', () => gate.topicStats(TOPIC)?.copies === 1)
    await propagateText(behind, 'ours')
    await until('ours is there', () => atGate.length === 1)
    assert.deepEqual(
      atGate.map(({ text }) => text),
      ['ours'],
    )
    assert.equal(gate.topicStats(TOPIC)?.received, 1)
  })
}
