import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Peers } from '../../src/peers/peers.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { Setup } from './peers-setup.ts'

const P = '/ip4/192.0.2.1/tcp/1/p2p/P'
/** An address that does not say whose it is. */
const X = '/ip4/192.0.2.3/tcp/1'

describe('offences', () => {
  /** Two offences reach the line of −50, the third is beyond it. */
  const beyond = (peers: Peers, peer: string): void => {
    for (let times = 0; times < 3; times++) peers.offence(peer, 'malformed', 'frame')
  }

  it('are told and counted, and below the line the peer is dropped', async () => {
    const s = await Setup.open()
    await s.start()
    await s.admit('P')
    beyond(s.peers, 'P')
    assert.deepEqual(s.told.slice(1), Array(3).fill('offence P malformed frame'))
    assert.deepEqual(await s.goodbyesTo('P'), ['score'])
    assert.deepEqual(s.host.closed, ['P'])
    assert.equal(s.counted('floodgate_offences_total{offence=malformed}'), 3)
    assert.equal(s.counted('floodgate_drops_total{reason=score}'), 1)
    const warning = s.log.lines.find(line => line.level === 'warn')
    assert.deepEqual(warning?.fields, { peer: 'P', reason: 'score', detail: 'malformed: frame', score: -75 })
    await s.settle()
    assert.deepEqual(s.told.at(-1), 'disconnected P')
  })

  it('that come while the peer is going, or has gone, do not drop it again', async () => {
    const s = await Setup.open()
    await s.start()
    await s.admit('P')
    beyond(s.peers, 'P')
    beyond(s.peers, 'P')
    await s.settle()
    beyond(s.peers, 'P')
    assert.deepEqual(s.host.closed, ['P'])
    assert.equal(s.counted('floodgate_drops_total{reason=score}'), 1)
    assert.equal(s.log.lines.filter(line => line.level === 'warn').length, 1)
  })

  it('are remembered: a peer that comes back is dropped at once, until they are forgiven', async () => {
    const s = await Setup.open({ score: { halfLifeMs: 1_000 } })
    await s.start()
    await s.admit('P')
    beyond(s.peers, 'P')
    await s.settle()
    s.host.open('P')
    await s.settle()
    assert.deepEqual(s.host.closed, ['P', 'P'])
    await s.pass(1_000)
    await s.admit('P')
    await s.settle()
    assert.deepEqual(s.host.closed, ['P', 'P'])
  })

  it('are forgiven with time', async () => {
    const s = await Setup.open({ score: { halfLifeMs: 1_000 } })
    await s.start()
    await s.admit('P')
    for (let times = 0; times < 20; times++) {
      s.peers.offence('P', 'malformed', 'frame')
      await s.pass(1_000)
    }
    assert.deepEqual(s.host.closed, [])
  })

  it('do not drop a peer that the user wants, whoever has dialled', async () => {
    const s = await Setup.open({ peers: [P] })
    await s.start()
    await s.admit('P', '/ip4/192.0.2.9/tcp/5')
    const reached = s.peers.connect(X, {})
    await s.welcome('R')
    await reached
    for (const peer of ['P', 'R']) beyond(s.peers, peer)
    await s.settle()
    assert.deepEqual(s.host.closed, [])
    assert.equal(s.counted('floodgate_offences_total{offence=malformed}'), 6)
  })

  it('drop a peer that the user no longer wants', async () => {
    const s = await Setup.open({ peers: [P] })
    await s.start()
    await s.admit('P')
    beyond(s.peers, 'P')
    const closed = s.peers.disconnect('P')
    await s.settle()
    await closed
    s.host.open('P')
    await s.settle()
    assert.deepEqual(s.host.closed, ['P', 'P'])
  })
})

describe('a ban', () => {
  it('closes whom it means, after a goodbye, whatever else holds for them', async () => {
    const s = await Setup.open({ peers: [P] })
    await s.start()
    await s.welcome('P')
    await s.admit('Q', '/ip4/192.0.2.9/tcp/5')
    await s.admit('R', '/ip4/198.51.100.1/tcp/5')
    const banned = s.peers.ban('192.0.2.0/24', { reason: 'noise' })
    await settleMicrotasks()
    for (const peer of ['P', 'Q']) assert.deepEqual(await s.goodbyesTo(peer), ['banned'])
    await s.settle()
    assert.equal((await banned).reason, 'noise')
    assert.deepEqual(
      s.peers.list().map(({ peer }) => peer),
      ['R'],
    )
    assert.equal(s.counted('floodgate_drops_total{reason=banned}'), 2)
    assert.equal(s.counted('floodgate_bans'), 1)
  })

  it('refuses whom it means at every step, until it is lifted', async () => {
    const s = await Setup.open()
    const arrival = { socket: 1, peer: 'P', address: P, direction: 'outbound' } as const
    const asked = async () => [
      s.peers.doorman.accept(2, '192.0.2.1'),
      s.peers.doorman.dial(P, true),
      await s.peers.doorman.authenticated(arrival),
    ]
    await s.peers.ban('192.0.2.1', {})
    assert.deepEqual(await asked(), ['banned', 'banned', 'banned'])
    assert.equal(await s.peers.unban('192.0.2.1'), true)
    assert.deepEqual(await asked(), [undefined, undefined, undefined])
  })
})
