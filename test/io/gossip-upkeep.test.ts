/**
 * The upkeep, on the real library: gossip is opened again with peers that are connected, and nothing stays of those
 * that are not.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { type GossipPeer, openRealGossip, type RealGossip } from './real-gossip.ts'

const TOPIC = 'tx'

/** At which of the next heartbeats the library was told to connect, and to whom. */
async function revivals(gossip: RealGossip, beats: number): Promise<{ beats: number[]; peers: Set<string> }> {
  const connect = gossip.router.onPeerConnected
  const found = { beats: [] as number[], peers: new Set<string>() }
  for (let beat = 1; beat <= beats; beat++) {
    // The library is kept from it, so that the silence lasts.
    gossip.router.onPeerConnected = peer => {
      found.beats.push(beat)
      found.peers.add(peer.toString())
    }
    await gossip.beat()
  }
  gossip.router.onPeerConnected = connect
  return found
}

async function joined(gossip: RealGossip, ...names: string[]): Promise<GossipPeer[]> {
  const peers = names.map(name => gossip.connect(name))
  for (const peer of peers) await peer.send({ subscriptions: [{ topic: TOPIC, subscribe: true }] })
  return peers
}

describe('gossip is opened again', () => {
  const failures: { id: string; fail(peer: GossipPeer, gossip: RealGossip): void }[] = [
    { id: 'the stream to it was cut', fail: peer => peer.opened.at(-1)?.onRemoteReset() },
    { id: 'gossip has removed it', fail: (peer, { router }) => router.onPeerDisconnected(peer.id) },
  ]
  for (const { id, fail } of failures) {
    test(`with a connected peer when ${id}, ever more rarely`, async t => {
      const gossip = await openRealGossip(t, [TOPIC])
      const [a] = (await joined(gossip, 'a', 'b')) as [GossipPeer]
      await gossip.beat()
      fail(a, gossip)
      assert.deepEqual(await revivals(gossip, 40), { beats: [2, 4, 8, 16, 32], peers: new Set(['a']) })
      assert.equal(gossip.metric('floodgate_gossip_revived_total'), 5)
      assert.equal(gossip.log.lines.filter(({ level }) => level === 'warn').length, 5)

      for (let beat = 41; beat <= 64; beat++) await gossip.beat()
      assert.ok(gossip.router.streamsOutbound.has('a'), 'it was not opened')
      assert.deepEqual((await revivals(gossip, 10)).beats, [])
      fail(a, gossip)
      assert.deepEqual((await revivals(gossip, 5)).beats, [2, 4], 'it does not begin anew')
    })
  }

  test('with a peer that was removed before the first heartbeat', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const [a] = (await joined(gossip, 'a')) as [GossipPeer]
    gossip.router.onPeerDisconnected(a.id)
    assert.deepEqual((await revivals(gossip, 5)).beats, [2, 4])
  })

  test('with a peer whose stream had closed when it was opened', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const first = gossip.connect('a')
    const { promise, resolve } = Promise.withResolvers<void>()
    first.answer = promise
    first.open()
    await settleMicrotasks()
    first.opened[0]?.onTransportClosed()
    resolve()
    await settleMicrotasks()
    assert.equal(gossip.router.streamsOutbound.size, 0, 'a closed stream is kept')
    // The other of two connections, on which the peer opens gossip.
    const second = gossip.connect('a')
    second.open()
    await settleMicrotasks()
    assert.equal(gossip.router.streamsOutbound.get('a')?.rawStream, second.opened[0])
    assert.equal(second.opened[0]?.status, 'open')
  })

  test('not with a peer whose connection has closed', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const [a] = (await joined(gossip, 'a')) as [GossipPeer]
    await gossip.beat()
    await a.leave()
    assert.deepEqual((await revivals(gossip, 10)).beats, [])
    // It is forgotten: when it connects again, gossip learns of it by itself.
    gossip.connect('a')
    assert.deepEqual((await revivals(gossip, 10)).beats, [])
  })
})

test('a peer that has left without a word of it to gossip is removed', async t => {
  const gossip = await openRealGossip(t, [TOPIC])
  const [a, b] = (await joined(gossip, 'a', 'b')) as [GossipPeer, GossipPeer]
  await a.leave(false)
  await gossip.beat()
  assert.deepEqual([...gossip.router.peers.keys()], ['b'])
  assert.deepEqual(gossip.pubsub.subscribers(TOPIC), ['b'])
  await b.leave(false)
  await gossip.beat()
  assert.equal(gossip.router.peers.size, 0)
})

describe('a peer that does not answer', () => {
  const NEVER = new Promise<void>(() => {})

  test('does not hold up the streams to others', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const silent = gossip.connect('silent')
    silent.answer = NEVER
    for (let count = 0; count < 10; count++) silent.open()
    const [other] = (await joined(gossip, 'other')) as [GossipPeer]
    assert.equal(other.opened.length, 1)
    assert.ok(gossip.router.streamsOutbound.has('other'))
    assert.equal(silent.opened.length, 1, 'one attempt at a time')
  })

  test('is tried once more when it has asked meanwhile, on its latest connection', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const { promise, reject } = Promise.withResolvers<void>()
    const first = gossip.connect('a')
    first.answer = promise
    for (let count = 0; count < 3; count++) first.open()
    const second = gossip.connect('a')
    second.open()
    await settleMicrotasks()
    assert.deepEqual([first.opened.length, second.opened.length], [1, 0])
    reject(new Error('no answer in time'))
    await settleMicrotasks()
    assert.deepEqual([first.opened.length, second.opened.length], [1, 1])
    assert.ok(gossip.router.streamsOutbound.has('a'))
  })
})

test('the addresses of a peer that comes from many are forgotten', async t => {
  const gossip = await openRealGossip(t, [TOPIC], { penaliseSharedIp: true })
  const { score } = gossip.router as unknown as {
    score: { peerIPs: Map<string, Set<string>>; peerStats: Map<string, unknown> }
  }
  for (let number = 1; number <= 50; number++) {
    const peer = gossip.connect('a', `192.0.2.${number}`)
    await peer.send({ subscriptions: [{ topic: TOPIC, subscribe: true }] })
    assert.deepEqual([...score.peerIPs.keys()], [`192.0.2.${number}`])
    await peer.leave()
  }
  assert.equal(score.peerIPs.size, 0)
  await gossip.beat()
  assert.equal(score.peerStats.size, 0)
})
