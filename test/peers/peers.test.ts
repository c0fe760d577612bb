import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DROP_REASONS } from '../../src/core/drops.ts'
import { FloodgateError } from '../../src/core/errors.ts'
import { WANTED_MAX } from '../../src/peers/connector.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { Setup } from './peers-setup.ts'

const P = '/ip4/192.0.2.1/tcp/1/p2p/P'
const Q = '/ip4/192.0.2.2/tcp/1/p2p/Q'
/** An address that does not say whose it is. */
const X = '/ip4/192.0.2.3/tcp/1'

describe('peers that are wanted', () => {
  it('are dialled at the start, and again after a failure, with a word in the log', async () => {
    const s = await Setup.open({ peers: [P] })
    await s.start()
    assert.deepEqual(s.dialled, [P])
    await s.miss()
    assert.deepEqual(s.log.lines, [
      {
        level: 'info',
        message: 'could not connect, will try again',
        fields: { address: P, reason: 'connection refused' },
      },
    ])
    await s.pass(900)
    assert.deepEqual(s.dialled, [P])
    await s.pass(100)
    assert.deepEqual(s.dialled, [P, P])
    await s.welcome('P')
    await s.pass(100_000)
    assert.deepEqual(s.dialled, [P, P])
    const counted = ['failed', 'ok'].map(result =>
      s.counted(`floodgate_dials_total{purpose=kept,result=${result},source=manual}`),
    )
    assert.deepEqual(counted, [1, 1])
  })

  it('are dialled again when the connection is lost', async () => {
    const s = await Setup.open({ peers: [P] })
    await s.start()
    await s.welcome('P')
    s.host.lose('P')
    await s.pass(1_000)
    assert.deepEqual(s.dialled, [P, P])
  })

  it('are dialled again when the connection has closed before the dial was reported', async () => {
    const s = await Setup.open({ peers: [P] })
    await s.start()
    s.host.dials[0]?.resolve('P')
    await s.pass(1_000)
    assert.deepEqual(s.dialled, [P, P])
  })

  it('are not dialled while they are connected from their side', async () => {
    const s = await Setup.open({ peers: [P] })
    await s.admit('P')
    await s.start()
    await s.pass(10_000)
    assert.deepEqual([s.dialled, s.peers.list()[0]?.role], [[], 'manual'])
  })

  it('are found out to be connected already, where the address does not say whose it is', async () => {
    const s = await Setup.open({ peers: [X] })
    await s.admit('P')
    assert.equal(s.peers.list()[0]?.role, 'inbound')
    await s.start()
    await s.collide('P')
    await s.pass(100_000)
    assert.deepEqual([s.dialled, s.peers.list()[0]?.role], [[X], 'manual'])
    s.host.lose('P')
    await s.pass(1_000)
    assert.deepEqual(s.dialled, [X, X])
  })

  it('are bounded, and what is beyond the bound is logged', async () => {
    const addresses = Array.from({ length: WANTED_MAX }, (_, index) => `/ip4/192.0.2.1/tcp/${index + 2}`)
    const s = await Setup.open({ peers: [...addresses, addresses[0] ?? '', P, Q] })
    await s.start()
    assert.equal(s.dialled.length, WANTED_MAX)
    assert.deepEqual(s.log.lines, [
      { level: 'warn', message: 'too many addresses: the last ones are not used', fields: { refused: 2 } },
    ])
  })
})

describe('connections', () => {
  it('are told when the handshake is done, once a peer, and so is their end', async () => {
    const s = await Setup.open()
    await s.start()
    s.host.open('P', 'inbound', '/ip4/192.0.2.9/tcp/5')
    assert.deepEqual(s.told, [])
    s.host.open('P', 'outbound', P)
    await s.greet('P')
    s.host.lose('P')
    s.peers.disconnected('P')
    assert.deepEqual(s.told, ['connected P /ip4/192.0.2.9/tcp/5/p2p/P inbound', 'disconnected P'])
  })

  it('that end before the handshake are not told', async () => {
    const s = await Setup.open()
    await s.start()
    s.host.open('P')
    const mayGossip = s.peers.greeted('P')
    s.host.lose('P')
    assert.equal(await mayGossip, false)
    assert.deepEqual(s.told, [])
  })

  it('without a hello are closed after five seconds, and there is no gossip on them', async () => {
    const s = await Setup.open()
    await s.start()
    s.host.open('P')
    const mayGossip = s.peers.greeted('P')
    await s.pass(4_900)
    assert.deepEqual(s.host.closed, [])
    await s.pass(100)
    assert.deepEqual(s.host.closed, ['P'])
    assert.equal(await mayGossip, false)
    assert.equal(s.counted('floodgate_drops_total{reason=handshake}'), 1)
  })

  it('of plain gossip peers stay with interop, and may gossip', async () => {
    const s = await Setup.open()
    await s.start()
    s.host.open('P')
    const mayGossip = s.peers.greeted('P')
    s.peers.identified('P', ['/meshsub/1.1.0'], 'js-libp2p/3\u001b[31m')
    assert.equal(await mayGossip, true)
    assert.deepEqual(
      s.peers.list().map(({ handshake, agent }) => ({ handshake, agent })),
      [{ handshake: 'plain', agent: 'js-libp2p/3?[31m' }],
    )
    assert.equal(s.told.length, 1)
  })

  it('of plain gossip peers that begin to speak our protocols are told once', async () => {
    const s = await Setup.open()
    await s.start()
    s.host.open('P')
    s.peers.identified('P', ['/meshsub/1.1.0'], '')
    await s.hello('P')
    assert.deepEqual([s.told.length, s.peers.list()[0]?.handshake], [1, 'done'])
  })

  it('of plain gossip peers are closed without interop, also where a person has dialled', async () => {
    const s = await Setup.open({ interop: false })
    await s.start()
    s.host.open('P')
    s.peers.identified('P', ['/meshsub/1.1.0'], 'js-libp2p/3')
    const reached = s.peers.connect(Q, {})
    const refused = assert.rejects(reached, { code: 'DENIED', message: new RegExp(DROP_REASONS.plain) })
    await s.reach('Q')
    s.peers.identified('Q', ['/meshsub/1.1.0'], 'js-libp2p/3')
    await refused
    assert.deepEqual([s.host.closed, s.told], [['P', 'Q'], []])
    assert.equal(s.counted('floodgate_drops_total{reason=plain}'), 2)
  })

  it('are listed and counted by peer', async () => {
    const s = await Setup.open()
    await s.start()
    await s.admit('P', '/ip4/192.0.2.9/tcp/5')
    s.host.open('P', 'outbound', P)
    const reached = s.peers.connect(Q, {})
    await s.welcome('Q')
    await reached
    s.peers.offence('Q', 'rejected', 'tx')
    s.host.measure('Q', 12)
    const shared = { connectedAtMs: 0, group: '4:192.0', handshake: 'done' }
    assert.deepEqual(s.peers.list(), [
      {
        ...shared,
        peer: 'P',
        address: '/ip4/192.0.2.9/tcp/5/p2p/P',
        direction: 'inbound',
        role: 'inbound',
        rttMs: undefined,
        score: 0,
        agent: 'agent of P',
      },
      {
        ...shared,
        peer: 'Q',
        address: Q,
        direction: 'outbound',
        role: 'manual',
        rttMs: 12,
        score: -10,
        agent: 'agent of Q',
      },
    ])
    assert.equal(s.counted('floodgate_peers{direction=inbound}'), 1)
    assert.equal(s.counted('floodgate_peers{direction=outbound}'), 1)
    assert.equal(s.counted('floodgate_peers_by_role{role=manual}'), 1)
  })

  it('are closed on demand, after a goodbye, and then no longer kept', async () => {
    const s = await Setup.open({ peers: [P] })
    await s.start()
    await s.welcome('P')
    const closed = s.peers.disconnect('P')
    await settleMicrotasks()
    assert.deepEqual(s.host.closed, [], 'it is closed before it knows why')
    assert.deepEqual(await s.goodbyesTo('P'), ['asked'])
    s.host.finishClosing()
    await closed
    await s.pass(200_000)
    assert.deepEqual([s.host.closed, s.dialled], [['P'], [P]])
    assert.equal(s.counted('floodgate_drops_total{reason=asked}'), 1)
  })

  it('are closed also when the goodbye cannot be said', async () => {
    const s = await Setup.open()
    await s.start()
    await s.admit('P')
    const closed = s.peers.disconnect('P')
    s.host.requests.at(-1)?.fail(new FloodgateError('TIMEOUT', 'no answer'))
    await settleMicrotasks()
    s.host.finishClosing()
    await closed
    assert.deepEqual(s.told.at(-1), 'disconnected P')
  })

  it('that do not exist can be closed, and are not counted', async () => {
    const s = await Setup.open()
    const closed = s.peers.disconnect('P')
    s.host.finishClosing()
    await closed
    assert.equal(s.counted('floodgate_drops_total{reason=asked}'), 0)
  })
})

describe('a node that finds peers by itself', () => {
  const ONE = '/ip4/44.1.0.1/tcp/9000'
  const OTHER = '/ip4/44.2.0.1/tcp/9000'
  const open = (): Promise<Setup> => Setup.open({ onlyPeers: false, bootstrap: [ONE, OTHER] })

  it('dials those that it is told of, and keeps who shakes hands', async () => {
    const s = await open()
    await s.start()
    await s.pass(1_000)
    assert.deepEqual(s.dialled.toSorted(), [ONE, OTHER])
    s.host.dials[0]?.succeed('P')
    await s.greet('P')
    assert.equal(s.peers.list()[0]?.role, 'outbound')
    assert.equal(s.peers.addresses().find(({ peer }) => peer === 'P')?.isTried, true)
    assert.equal(s.counted('floodgate_outbound{state=established}'), 1)
  })

  it('sends plain peers away that it has dialled, and takes them where a person has', async () => {
    const s = await open()
    await s.start()
    await s.pass(1_000)
    await s.reach('P')
    s.peers.identified('P', ['/meshsub/1.1.0'], '')
    await settleMicrotasks()
    assert.deepEqual(s.host.closed, ['P'])
    const reached = s.peers.connect('/ip4/44.3.0.1/tcp/9000', {})
    await s.reach('Q')
    s.peers.identified('Q', ['/meshsub/1.1.0'], '')
    assert.equal(await reached, 'Q')
  })

  it('forgets the address of another network, and does not dial it again', async () => {
    const s = await open()
    await s.start()
    await s.pass(1_000)
    const [first] = s.dialled
    s.host.dials[0]?.succeed('P')
    await s.greet('P', { network: 'other' })
    await s.settle()
    s.host.dials[1]?.fail(new FloodgateError('DIAL', 'connection refused'))
    await s.pass(120_000)
    assert.equal(s.dialled.filter(address => address === first).length, 1)
    assert.equal(s.peers.addresses().length, 1)
    assert.ok(s.dialled.length > 2, 'the other one was not tried again')
  })

  it('tries where an inbound peer says that it listens, and so learns that it can be reached', async () => {
    const s = await Setup.open({ onlyPeers: false })
    await s.start()
    await s.admit('P', '/ip4/44.1.0.1/tcp/5555', { addresses: ['44.1.0.1:9000'] })
    await s.pass(4_900)
    assert.deepEqual(s.dialled, [])
    await s.pass(1_000)
    assert.deepEqual(s.dialled, [ONE])
    await s.collide('P')
    assert.deepEqual(
      s.peers.addresses().map(({ endpoint, peer, isTried }) => ({ endpoint, peer, isTried })),
      [{ endpoint: '44.1.0.1:9000', peer: 'P', isTried: true }],
    )
    assert.deepEqual(s.host.closed, [])
  })
})

describe('stopping', () => {
  it('gives up the dials that are under way, begins none, and says nothing of it', async () => {
    const s = await Setup.open({ peers: [P, Q] })
    await s.admit('Q')
    await s.start()
    const asked = s.peers.connect(X, { keep: true })
    await settleMicrotasks()
    const stopped = s.peers.stop()
    await assert.rejects(asked)
    assert.ok(s.host.dials.every(dial => dial.signal?.aborted))
    assert.deepEqual(await s.goodbyesTo('Q'), ['stopping'])
    await stopped
    s.host.lose('Q')
    await s.pass(200_000)
    assert.deepEqual(s.dialled, [P, X])
    assert.equal(s.clock.timers, 0)
    assert.deepEqual(
      s.log.lines.filter(line => line.level !== 'debug'),
      [],
    )
  })

  it('ends a connect that waits between two dials', async () => {
    const s = await Setup.open()
    await s.start()
    const asked = s.peers.connect(P, {})
    await s.reach('P')
    s.host.lose('P')
    await settleMicrotasks()
    await s.peers.stop()
    await assert.rejects(asked)
    assert.deepEqual([s.dialled.length, s.clock.timers], [2, 0])
  })
})
