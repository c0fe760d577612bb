import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FloodgateError } from '../../src/core/errors.ts'
import { WANTED_MAX } from '../../src/peers/connector.ts'
import { Peers } from '../../src/peers/peers.ts'
import { FakeHost, FakeLog, FakeMetrics, settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'

const P = '/ip4/192.0.2.1/tcp/1/p2p/P'
const Q = '/ip4/192.0.2.2/tcp/1/p2p/Q'
/** An address that does not say whose it is. */
const X = '/ip4/192.0.2.3/tcp/1'

const OPTIONS = { redialMinMs: 1_000, redialMaxMs: 60_000, halfLifeMs: 600_000, dropBelow: -50 }

/** Peers on fakes, and what they told. */
function setUp(options: Partial<typeof OPTIONS> = {}) {
  const told: string[] = []
  const clock = new VirtualClock()
  const log = new FakeLog()
  const metrics = new FakeMetrics()
  const host: FakeHost = new FakeHost(() => ({
    connected: connection => peers.onConnected(connection),
    disconnected: peer => peers.onDisconnected(peer),
  }))
  const parts = { host, clock, log, metrics, random: () => 0.5 }
  const peers = new Peers({ ...OPTIONS, ...options }, parts, {
    connected: (peer, address, direction) => told.push(`connected ${peer} ${address} ${direction}`),
    disconnected: peer => told.push(`disconnected ${peer}`),
    offence: (peer, offence, detail) => told.push(`offence ${peer} ${offence} ${detail}`),
  })
  const dialled = () => host.dials.map(dial => dial.address)
  return { peers, host, clock, log, metrics, told, dialled }
}

describe('peers that are wanted', () => {
  it('are dialled at the start, and again after a failure, with a word in the log', async () => {
    const { peers, host, clock, log, metrics, dialled } = setUp()
    peers.start([P], [])
    assert.deepEqual(dialled(), [P])
    host.dials[0]?.fail(new FloodgateError('DIAL', 'connection refused'))
    await settleMicrotasks()
    assert.deepEqual(log.lines, [
      {
        level: 'info',
        message: 'could not connect, will try again',
        fields: { address: P, reason: 'connection refused' },
      },
    ])
    clock.advance(900)
    assert.deepEqual(dialled(), [P])
    clock.advance(100)
    assert.deepEqual(dialled(), [P, P])
    host.dials[1]?.succeed('P')
    await settleMicrotasks()
    clock.advance(100_000)
    assert.deepEqual(dialled(), [P, P])
    const { 'floodgate_dials_total{result=failed}': failed, 'floodgate_dials_total{result=ok}': ok } =
      metrics.read()
    assert.deepEqual([failed, ok], [1, 1])
  })

  it('are dialled again when the connection is lost', async () => {
    const { peers, host, clock, dialled } = setUp()
    peers.start([P], [])
    host.dials[0]?.succeed('P')
    await settleMicrotasks()
    host.lose('P')
    clock.advance(1_000)
    assert.deepEqual(dialled(), [P, P])
  })

  it('are dialled again when the connection has closed before the dial was reported', async () => {
    const { peers, host, clock, dialled } = setUp()
    peers.start([P], [])
    host.dials[0]?.resolve('P')
    await settleMicrotasks()
    clock.advance(1_000)
    assert.deepEqual(dialled(), [P, P])
  })

  it('are not dialled while they are connected from their side', () => {
    const { peers, host, clock, dialled } = setUp()
    host.open('P')
    peers.start([P], [])
    clock.advance(10_000)
    assert.deepEqual(dialled(), [])
  })

  it('by bootstrap alone are dialled only by a node that knows nobody', () => {
    const { peers, host, clock, dialled } = setUp()
    host.open('Z')
    peers.start([], [P, P, Q])
    clock.advance(10_000)
    assert.deepEqual(dialled(), [])
    host.lose('Z')
    assert.deepEqual(dialled(), [P, Q])
  })

  it('are bounded, and what is beyond the bound is logged', () => {
    const { peers, log, dialled } = setUp()
    const addresses = Array.from({ length: WANTED_MAX }, (_, index) => `/dns4/n${index}/tcp/1`)
    peers.start([...addresses, addresses[0] ?? ''], [P, Q])
    assert.equal(dialled().length, WANTED_MAX)
    assert.deepEqual(log.lines, [
      { level: 'warn', message: 'too many addresses: the last ones are not used', fields: { refused: 2 } },
    ])
  })
})

describe('connect', () => {
  it('answers with the peer, and lets it go when it is lost', async () => {
    const { peers, host, clock, dialled } = setUp()
    peers.start([], [])
    const reached = peers.connect(X, {})
    host.dials[0]?.succeed('P')
    assert.equal(await reached, 'P')
    host.lose('P')
    clock.advance(200_000)
    assert.deepEqual(dialled(), [X])
  })

  for (const address of [P, X]) {
    it(`with keep dials ${address} once, and again when it is lost`, async () => {
      const { peers, host, clock, dialled } = setUp()
      peers.start([], [])
      const reached = peers.connect(address, { keep: true })
      host.dials[0]?.succeed('P')
      await reached
      clock.advance(100_000)
      assert.deepEqual(dialled(), [address])
      host.lose('P')
      clock.advance(1_000)
      assert.deepEqual(dialled(), [address, address])
    })
  }

  it('with keep dials again when the connection has closed already', async () => {
    const { peers, host, dialled } = setUp()
    peers.start([], [])
    const reached = peers.connect(X, { keep: true })
    host.dials[0]?.resolve('P')
    await reached
    assert.deepEqual(dialled(), [X, X])
  })

  it('with keep dials once, also when the event of the connection comes after the answer', async () => {
    const { peers, host, clock, told, dialled } = setUp()
    peers.start([], [])
    const reached = peers.connect(X, { keep: true })
    const announce = host.openUnnoticed('P', 'outbound', X)
    host.dials[0]?.resolve('P')
    await reached
    announce()
    clock.advance(100_000)
    assert.deepEqual([dialled(), told], [[X], [`connected P ${X} outbound`]])
  })

  it('that fails keeps nothing', async () => {
    const { peers, host, clock, dialled } = setUp()
    peers.start([], [])
    const reached = peers.connect(P, { keep: true })
    host.dials[0]?.fail(new FloodgateError('DIAL', 'refused'))
    await assert.rejects(reached, { code: 'DIAL' })
    clock.advance(200_000)
    assert.deepEqual(dialled(), [P])
  })

  it('ends when its caller gives up', async () => {
    const { peers } = setUp()
    const abort = new AbortController()
    const reached = peers.connect(P, { signal: abort.signal })
    abort.abort(new Error('changed my mind'))
    await assert.rejects(reached, /changed my mind/)
  })

  it('with keep is refused when too many are kept', async () => {
    const { peers, dialled } = setUp()
    peers.start(
      Array.from({ length: WANTED_MAX }, (_, index) => `/dns4/n${index}/tcp/1`),
      [],
    )
    await assert.rejects(peers.connect(P, { keep: true }), { name: 'FloodgateError', code: 'ADDRESS' })
    assert.ok(!dialled().includes(P))
  })
})

describe('connections', () => {
  it('are told once a peer, with the first address, and so is their end', () => {
    const { peers, host, told } = setUp()
    peers.start([], [])
    host.open('P', 'inbound', '/ip4/192.0.2.9/tcp/5')
    host.open('P', 'outbound', P)
    host.lose('P')
    peers.onDisconnected('P')
    assert.deepEqual(told, ['connected P /ip4/192.0.2.9/tcp/5 inbound', 'disconnected P'])
  })

  it('are listed and counted by peer', () => {
    const { peers, host, metrics } = setUp()
    host.open('P', 'inbound', '/ip4/192.0.2.9/tcp/5')
    host.open('P', 'outbound', P)
    host.open('Q', 'outbound', Q)
    peers.onOffence('Q', 'rejected', 'tx')
    assert.deepEqual(peers.list(), [
      { peer: 'P', address: '/ip4/192.0.2.9/tcp/5', direction: 'inbound', connectedAtMs: 0, score: 0 },
      { peer: 'Q', address: Q, direction: 'outbound', connectedAtMs: 0, score: -10 },
    ])
    const readings = metrics.read()
    assert.equal(readings['floodgate_peers{direction=inbound}'], 1)
    assert.equal(readings['floodgate_peers{direction=outbound}'], 1)
  })

  it('are closed on demand and then no longer kept', async () => {
    const { peers, host, clock, metrics, dialled } = setUp()
    peers.start([P], [])
    host.dials[0]?.succeed('P')
    await settleMicrotasks()
    const closed = peers.disconnect('P')
    host.finishClosing()
    await closed
    clock.advance(200_000)
    assert.deepEqual([host.closed, dialled()], [['P'], [P]])
    assert.equal(metrics.read()['floodgate_drops_total{reason=asked}'], 1)
  })

  it('that do not exist can be closed, and are not counted', async () => {
    const { peers, host, metrics } = setUp()
    const closed = peers.disconnect('P')
    host.finishClosing()
    await closed
    assert.equal(metrics.read()['floodgate_drops_total{reason=asked}'], undefined)
  })
})

describe('offences', () => {
  /** Two offences reach the line of −50, the third is beyond it. */
  const beyond = (peers: Peers, peer: string): void => {
    for (let times = 0; times < 3; times++) peers.onOffence(peer, 'malformed', 'frame')
  }

  it('are told and counted, and below the line the peer is dropped', async () => {
    const { peers, host, log, metrics, told } = setUp()
    host.open('P')
    beyond(peers, 'P')
    assert.deepEqual(told.slice(1), Array(3).fill('offence P malformed frame'))
    assert.deepEqual(host.closed, ['P'])
    const readings = metrics.read()
    assert.equal(readings['floodgate_offences_total{offence=malformed}'], 3)
    assert.equal(readings['floodgate_drops_total{reason=score}'], 1)
    const warning = log.lines.find(line => line.level === 'warn')
    assert.equal(warning?.fields.peer, 'P')
    assert.equal(warning?.fields.score, -75)
    host.finishClosing()
    await settleMicrotasks()
    assert.deepEqual(told.at(-1), 'disconnected P')
  })

  it('that come while the peer is going, or has gone, do not drop it again', async () => {
    const { peers, host, log, metrics } = setUp()
    host.open('P')
    beyond(peers, 'P')
    beyond(peers, 'P')
    host.finishClosing()
    await settleMicrotasks()
    beyond(peers, 'P')
    assert.deepEqual(host.closed, ['P'])
    assert.equal(metrics.read()['floodgate_drops_total{reason=score}'], 1)
    assert.equal(log.lines.filter(line => line.level === 'warn').length, 1)
  })

  it('are remembered: a peer that comes back is dropped at once, until they are forgiven', async () => {
    const { peers, host, clock } = setUp({ halfLifeMs: 1_000 })
    host.open('P')
    beyond(peers, 'P')
    host.finishClosing()
    await settleMicrotasks()
    host.open('P')
    assert.deepEqual(host.closed, ['P', 'P'])
    host.finishClosing()
    await settleMicrotasks()
    clock.advance(1_000)
    host.open('P')
    assert.deepEqual(host.closed, ['P', 'P'])
  })

  it('are forgiven with time', () => {
    const { peers, host, clock } = setUp({ halfLifeMs: 1_000 })
    host.open('P')
    for (let times = 0; times < 20; times++) {
      peers.onOffence('P', 'malformed', 'frame')
      clock.advance(1_000)
    }
    assert.deepEqual(host.closed, [])
  })

  it('do not drop a peer that the user wants, whoever has dialled', async () => {
    const { peers, host, metrics } = setUp()
    peers.start([P, X], [Q])
    host.open('P', 'inbound', '/ip4/192.0.2.9/tcp/5')
    host.dials.find(dial => dial.address === X)?.succeed('R')
    await settleMicrotasks()
    for (const peer of ['P', 'R']) beyond(peers, peer)
    assert.deepEqual(host.closed, [])
    assert.equal(metrics.read()['floodgate_offences_total{offence=malformed}'], 6)
    // A bootstrap peer is nobody's wish.
    host.open('Q')
    beyond(peers, 'Q')
    assert.deepEqual(host.closed, ['Q'])
  })

  it('drop a peer that the user no longer wants', async () => {
    const { peers, host } = setUp()
    peers.start([P], [])
    host.open('P')
    beyond(peers, 'P')
    await Promise.all([peers.disconnect('P'), host.finishClosing()])
    host.open('P')
    assert.deepEqual(host.closed, ['P', 'P'])
  })
})

describe('stopping', () => {
  it('gives up the dials that are under way, begins none, and says nothing of it', async () => {
    const { peers, host, clock, log, dialled } = setUp()
    host.open('Q')
    peers.start([P, Q], ['/dns4/bootstrap/tcp/1'])
    const asked = peers.connect(X, { keep: true })
    peers.stop()
    await assert.rejects(asked)
    assert.ok(host.dials.every(dial => dial.signal?.aborted))
    // Now that it knows nobody, a running node would dial its bootstrap peer.
    host.lose('Q')
    clock.advance(200_000)
    await settleMicrotasks()
    assert.deepEqual(dialled(), [P, X])
    assert.equal(clock.timers, 0)
    assert.deepEqual(
      log.lines.filter(line => line.level !== 'debug'),
      [],
    )
  })
})
