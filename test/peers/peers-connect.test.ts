import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DROP_REASONS } from '../../src/core/drops.ts'
import { WANTED_MAX } from '../../src/peers/connector.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { Setup } from './peers-setup.ts'

const P = '/ip4/192.0.2.1/tcp/1/p2p/P'
/** An address that does not say whose it is. */
const X = '/ip4/192.0.2.3/tcp/1'

describe('connect', () => {
  it('answers with the peer when its handshake is done, and lets it go when it is lost', async () => {
    const s = await Setup.open()
    await s.start()
    let answer = ''
    const reached = s.peers.connect(X, {}).then(peer => {
      answer = peer
    })
    await s.reach('P')
    await s.pass(1_000)
    assert.equal(answer, '')
    await s.greet('P')
    await reached
    assert.equal(answer, 'P')
    s.host.lose('P')
    await s.pass(200_000)
    assert.deepEqual(s.dialled, [X])
  })

  for (const address of [P, X]) {
    it(`with keep dials ${address} once, and again when it is lost`, async () => {
      const s = await Setup.open()
      await s.start()
      const reached = s.peers.connect(address, { keep: true })
      await s.welcome('P')
      await reached
      await s.pass(100_000)
      assert.deepEqual(s.dialled, [address])
      s.host.lose('P')
      await s.pass(1_000)
      assert.deepEqual(s.dialled, [address, address])
    })
  }

  it('waits for a connection that is told of after the dial', async () => {
    const s = await Setup.open()
    await s.start()
    const reached = s.peers.connect(X, { keep: true })
    const announce = s.host.openUnnoticed('P', 'outbound', X)
    await settleMicrotasks()
    s.host.dials[0]?.resolve('P')
    await settleMicrotasks()
    announce()
    await s.greet('P')
    await s.pass(100)
    s.host.dials.at(-1)?.resolve('P')
    assert.equal(await reached, 'P')
    assert.deepEqual(s.told, [`connected P ${X}/p2p/P outbound`])
  })

  it('that fails keeps nothing', async () => {
    const s = await Setup.open()
    await s.start()
    const reached = s.peers.connect(P, { keep: true })
    await Promise.all([assert.rejects(reached, { code: 'DIAL' }), s.miss()])
    await s.pass(200_000)
    assert.deepEqual(s.dialled, [P])
  })

  it('says why a peer is sent away in the handshake, and keeps nothing', async () => {
    const s = await Setup.open()
    await s.start()
    const reached = s.peers.connect(P, { keep: true })
    const refused = assert.rejects(reached, {
      code: 'DENIED',
      message: `no handshake with ${P}: ${DROP_REASONS.network}`,
    })
    await s.welcome('P', { network: 'other' })
    await refused
    await s.settle()
    await s.pass(200_000)
    assert.deepEqual([s.dialled, s.host.closed, s.told], [[P], ['P'], []])
  })

  it('takes a peer that it finds connected already', async () => {
    const s = await Setup.open()
    await s.start()
    await s.admit('P')
    const reached = s.peers.connect(X, {})
    await s.collide('P')
    assert.equal(await reached, 'P')
    assert.equal(s.peers.list()[0]?.role, 'manual')
  })

  it('tries again when the connection ends without a word: two may have dialled each other', async () => {
    const s = await Setup.open()
    await s.start()
    const reached = s.peers.connect(P, {})
    await s.reach('P')
    s.host.lose('P')
    await s.pass(100)
    assert.deepEqual(s.dialled, [P, P])
    // The other one's connection is still in the making, and then there.
    await s.collide('P')
    await s.admit('P')
    await s.pass(300)
    await s.collide('P')
    assert.equal(await reached, 'P')
    assert.equal(s.dialled.length, 3)
    assert.equal(s.told.length, 1)
  })

  it('gives up when the connection always ends without a word', async () => {
    const s = await Setup.open()
    await s.start()
    const refused = assert.rejects(s.peers.connect(P, { keep: true }), {
      code: 'DENIED',
      message: `no handshake with ${P}: it closed the connection`,
    })
    for (const pauseMs of [100, 300, 900, 10_000]) {
      await s.reach('P')
      s.host.lose('P')
      await s.pass(pauseMs)
    }
    await refused
    assert.deepEqual(s.dialled, [P, P, P, P])
  })

  it('ends when its caller gives up', async () => {
    const s = await Setup.open()
    const abort = new AbortController()
    const reached = s.peers.connect(P, { signal: abort.signal })
    abort.abort(new Error('changed my mind'))
    await assert.rejects(reached, /changed my mind/)
  })

  it('with keep is refused when too many are kept', async () => {
    const peers = Array.from({ length: WANTED_MAX }, (_, index) => `/ip4/192.0.2.1/tcp/${index + 2}`)
    const s = await Setup.open({ peers })
    await s.start()
    await assert.rejects(s.peers.connect(P, { keep: true }), { name: 'FloodgateError', code: 'ADDRESS' })
    assert.ok(!s.dialled.includes(P))
  })
})
