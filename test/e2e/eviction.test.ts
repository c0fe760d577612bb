/**
 * Inbound places on real connections: when all are taken, one peer goes for a newcomer that deserves its place, and is
 * told why. Peers come from groups of their own, 127.x/16.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Node } from '../../src/index.ts'
import { startNodeAt } from './support/loopback.ts'
import { addressOf } from './support/nodes.ts'
import { sumOf } from './support/samples.ts'
import { type Speaker, startSpeaker } from './support/speaker.ts'
import { until } from './support/until.ts'

const INBOUND_MAX = 4

/** @param peers whom it wants by itself */
function startFull(t: TestContext, peers: string[] = []): Promise<Node> {
  return startNodeAt(t, '127.0.0.1', { peers, connections: { inboundMax: INBOUND_MAX } })
}

/** A peer from group 127.`group`, connected. Of one group each needs another `host`. */
async function comer(t: TestContext, node: Node, group: number, host = 1): Promise<Speaker> {
  const speaker = await startSpeaker(t, { ip: `127.${group}.0.${host}` })
  await speaker.greet(addressOf(node))
  await until('it is in', () =>
    node.peers().some(({ peer, handshake }) => peer === speaker.id && handshake === 'done'),
  )
  return speaker
}

async function dropsOf(node: Node, reason: string): Promise<number> {
  return sumOf(await node.metrics(), 'floodgate_drops_total', { reason })
}

function idsOf(node: Node): Set<string> {
  return new Set(node.peers().map(({ peer }) => peer))
}

test('one peer too many evicts exactly one, which is told, and the newcomer is in', {
  timeout: 30_000,
}, async t => {
  const node = await startFull(t)
  const peers: Speaker[] = []
  for (let group = 1; group <= INBOUND_MAX; group++) peers.push(await comer(t, node, group))
  assert.equal(await dropsOf(node, 'evicted'), 0)

  const newcomer = await comer(t, node, 10)
  await until('one is gone', () => node.peers().length === INBOUND_MAX)
  const gone = peers.filter(peer => !idsOf(node).has(peer.id))
  // The older half is protected by its age, and of the others the youngest goes.
  assert.deepEqual(gone, [peers.at(-1)])
  await until('it has heard why', () => gone[0]?.goodbyes.length === 1 && !gone[0].isConnected)
  assert.deepEqual(gone[0]?.goodbyes, ['evicted'])
  assert.ok(idsOf(node).has(newcomer.id))
  assert.equal(await dropsOf(node, 'evicted'), 1)
  assert.deepEqual(
    [...peers.slice(0, -1), newcomer].map(peer => [peer.isConnected, peer.goodbyes]),
    Array(INBOUND_MAX).fill([true, []]),
  )
})

test('a newcomer from the group that holds the place itself gets none', { timeout: 30_000 }, async t => {
  const node = await startFull(t)
  const peers: Speaker[] = []
  for (let group = 1; group <= INBOUND_MAX; group++) peers.push(await comer(t, node, group))
  const neighbour = await startSpeaker(t, { ip: `127.${INBOUND_MAX}.0.2` })
  await neighbour.dial(addressOf(node))
  await until('it is sent away', async () => !neighbour.isConnected && (await dropsOf(node, 'full')) === 1)
  assert.deepEqual(idsOf(node), new Set(peers.map(({ id }) => id)))
  assert.equal(await dropsOf(node, 'evicted'), 0)
})

/** When a person asks for a peer that dials us. */
const MANUAL: { id: string; start(t: TestContext, manual: Speaker): Promise<Node> }[] = [
  {
    id: 'before it comes',
    start: async (t, manual) => {
      // Nobody listens there, so it is the peer that dials.
      const node = await startFull(t, [`/ip4/127.9.0.1/tcp/1/p2p/${manual.id}`])
      await manual.greet(addressOf(node))
      return node
    },
  },
  {
    id: 'when it is there',
    start: async (t, manual) => {
      const node = await startFull(t)
      await manual.greet(addressOf(node))
      await until('it is in', () => node.peers()[0]?.role === 'inbound')
      await node.connect(manual.address, { keep: true })
      return node
    },
  },
  {
    id: 'when it is there, by an address that does not name it',
    start: async (t, manual) => {
      const node = await startFull(t)
      await manual.greet(addressOf(node))
      await until('it is in', () => node.peers()[0]?.role === 'inbound')
      await node.connect(manual.address.replace(/\/p2p\/.*/, ''), { keep: true })
      return node
    },
  },
]

for (const { id, start } of MANUAL) {
  test(`a peer that a person wants holds no place and is never evicted: asked for ${id}`, {
    timeout: 30_000,
  }, async t => {
    const manual = await startSpeaker(t, { ip: '127.9.0.1' })
    const node = await start(t, manual)
    await until('it is wanted', () => node.peers()[0]?.role === 'manual')
    for (let group = 1; group <= INBOUND_MAX; group++) await comer(t, node, group)
    assert.equal(await dropsOf(node, 'evicted'), 0, 'it takes a place of the others')
    assert.equal(node.peers().length, INBOUND_MAX + 1)

    for (let group = 20; group < 26; group++) await comer(t, node, group)
    await until('as many have gone', () => node.peers().length === INBOUND_MAX + 1)
    assert.equal(await dropsOf(node, 'evicted'), 6)
    assert.equal(node.peers().find(({ peer }) => peer === manual.id)?.role, 'manual')
    assert.deepEqual([manual.isConnected, manual.goodbyes], [true, []])
  })
}
