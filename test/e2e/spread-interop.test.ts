/**
 * A bare gossipsub peer between nodes that swarm and ask: it still gets and gives what is flooded.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import type { Node } from '../../src/index.ts'
import { FLOODGATE_GOSSIP, gatherTexts, startGossipPeer } from './support/bare.ts'
import {
  addressOf,
  connectLine,
  gather,
  propagateText,
  startNodes,
  TOPIC,
  untilMeshed,
} from './support/nodes.ts'
import { until } from './support/until.ts'

const BLOCKS = 'test/blocks'

test('a plain gossipsub peer gets and gives flooded messages while its neighbours swarm', {
  timeout: 30_000,
}, async t => {
  const [gate, behind] = (await startNodes(t, 2)) as [Node, Node]
  const atGate = gather(gate)
  const atBehind = gather(behind, () => 'accept', { mode: 'auto' })
  const blocks: number[] = []
  for (const node of [gate, behind]) {
    node.subscribe(BLOCKS, () => 'accept', { mode: 'swarm', quickVerify: () => true })
    node.on('message', ({ topic, payload }) => {
      if (topic === BLOCKS) blocks.push(payload.byteLength)
    })
  }
  await connectLine([gate, behind])
  await untilMeshed([gate, behind])
  await untilMeshed([gate, behind], `${BLOCKS}`)
  const peer = await startGossipPeer(t, FLOODGATE_GOSSIP)
  const atPeer = gatherTexts(peer, TOPIC)
  // It has joined the other topic as well, where nothing is for it.
  const blocksAtPeer = gatherTexts(peer, BLOCKS)
  await peer.dial(multiaddr(addressOf(gate)))
  await until('the peer is in the mesh', () => {
    return gate.topicStats(TOPIC)?.meshPeers === 2 && peer.services.gossip.getMeshPeers(TOPIC).length === 1
  })

  const block = Buffer.alloc(300_000, 1)
  const { recipients } = await behind.propagate(BLOCKS, block)
  assert.ok(recipients > 0)
  await peer.services.gossip.publish(TOPIC, Buffer.from('one'))
  await propagateText(gate, 'two')
  await propagateText(behind, 'three')
  await until('all have what was flooded', () => {
    return atGate.length === 2 && atBehind.length === 2 && atPeer.length === 2
  })
  await until('the swarm is through', () => blocks.length === 1)

  assert.deepEqual(atPeer.toSorted(), ['three', 'two'])
  assert.deepEqual(atGate.map(({ text }) => text).toSorted(), ['one', 'three'])
  assert.deepEqual(atBehind.map(({ text }) => text).toSorted(), ['one', 'two'])
  assert.deepEqual([blocks, blocksAtPeer], [[block.byteLength], []])
  assert.equal(gate.peers().find(({ handshake }) => handshake === 'plain')?.score, 0)
})
