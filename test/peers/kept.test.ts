import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FloodgateError } from '../../src/core/errors.ts'
import type { HostEvents } from '../../src/core/ports.ts'
import { WANTED_MAX } from '../../src/peers/connector.ts'
import { Kept } from '../../src/peers/kept.ts'
import { FakeResolver } from '../fixtures/fake-network.ts'
import { FakeLog, FakeMetrics, settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'
import { StagedHost } from './actor-setup.ts'

const P = '/ip4/60.1.0.1/tcp/1/p2p/P'
/** An address that does not say whose it is. */
const X = '/ip4/60.1.0.2/tcp/1'

/** A name, and where it leads. */
const NAME = '/dns4/n.example/tcp/1'
const NAMED = '/ip4/60.1.0.3/tcp/1'

/** Kept addresses on fakes. Chance is 0.5, so that pauses are as long as they are in the mean. */
function setUp() {
  const clock = new VirtualClock()
  const metrics = new FakeMetrics()
  const log = new FakeLog()
  const abort = new AbortController()
  const found: string[] = []
  const host: StagedHost = new StagedHost(
    () =>
      ({
        connected: ({ peer }) => kept.feed({ type: 'connected', peer }),
        disconnected: peer => kept.feed({ type: 'disconnected', peer }),
      }) as HostEvents,
  )
  const kept = new Kept(
    { redialMinMs: 1_000, redialMaxMs: 60_000 },
    {
      host,
      resolver: new FakeResolver({}, { 'n.example': ['60.1.0.3'] }),
      clock,
      log,
      random: () => 0.5,
      dials: metrics.counter('dials'),
      signal: abort.signal,
      found: peer => found.push(peer),
    },
  )
  const want = (address: string): void => kept.feed({ type: 'want', address })
  const tickAfter = (ms: number): void => {
    clock.advance(ms)
    kept.feed({ type: 'tick' })
  }
  const dialled = () => host.dials.map(({ address }) => address)
  /** How many dials have ended well, and how many in vain. */
  const counts = () => {
    const {
      'dials{purpose=kept,result=ok,source=manual}': ok = 0,
      'dials{purpose=kept,result=failed,source=manual}': failed = 0,
    } = metrics.read()
    return { ok, failed }
  }
  return { kept, host, log, abort, found, want, tickAfter, dialled, counts }
}

const denied = (reason: string, peer?: string): FloodgateError =>
  new FloodgateError('DENIED', `denied: ${reason}`, { cause: { reason, peer } })

describe('a kept address', () => {
  it('is dialled, and its peer told, once it is reached', async () => {
    const { kept, host, found, want, tickAfter, dialled, counts } = setUp()
    want(X)
    assert.deepEqual([dialled(), kept.has('P'), found], [[X], false, []])
    host.dials[0]?.succeed('P')
    await settleMicrotasks()
    tickAfter(100_000)
    assert.deepEqual([dialled(), kept.has('P'), found, counts()], [[X], true, ['P'], { ok: 1, failed: 0 }])
  })

  it('is dialled again when it was lost, with a pause', async () => {
    const { host, want, tickAfter, dialled } = setUp()
    want(X)
    host.dials[0]?.succeed('P')
    await settleMicrotasks()
    host.lose('P')
    tickAfter(999)
    assert.deepEqual(dialled(), [X])
    tickAfter(1)
    assert.deepEqual(dialled(), [X, X])
  })

  it('may hold a name, which is looked up for each dial', async () => {
    const { kept, host, log, want, tickAfter, dialled, counts } = setUp()
    want(NAME)
    await settleMicrotasks()
    assert.deepEqual(dialled(), [NAMED])
    host.dials[0]?.fail(new FloodgateError('DIAL', 'refused'))
    await settleMicrotasks()
    assert.deepEqual(log.lines[0]?.fields, { address: NAME, reason: 'refused' })
    tickAfter(1_000)
    await settleMicrotasks()
    assert.deepEqual(dialled(), [NAMED, NAMED])
    host.dials[1]?.succeed('P')
    await settleMicrotasks()
    assert.deepEqual([kept.has('P'), counts()], [true, { ok: 1, failed: 1 }])
  })

  it('names its peer before it is reached, where it can', () => {
    const { kept, want } = setUp()
    want(P)
    assert.deepEqual([kept.has('P'), kept.has('Q')], [true, false])
  })

  const failures: { id: string; error: FloodgateError; reason: string }[] = [
    { id: 'nobody is there', error: new FloodgateError('DIAL', 'refused'), reason: 'refused' },
    { id: 'it is banned', error: denied('banned', 'P'), reason: 'denied: banned' },
    {
      id: 'its peer is connected, but no longer when we look',
      error: denied('duplicate', 'P'),
      reason: 'it is not connected after all',
    },
  ]
  for (const { id, error, reason } of failures) {
    it(`is tried again, counted and logged when ${id}`, async () => {
      const { host, log, found, want, tickAfter, dialled, counts } = setUp()
      want(X)
      host.dials[0]?.fail(error)
      await settleMicrotasks()
      assert.deepEqual([found, counts()], [[], { ok: 0, failed: 1 }])
      assert.deepEqual(log.lines, [
        { level: 'info', message: 'could not connect, will try again', fields: { address: X, reason } },
      ])
      tickAfter(999)
      assert.deepEqual(dialled(), [X])
      tickAfter(1)
      assert.deepEqual(dialled(), [X, X])
    })
  }

  it('is tried again when its connection has closed before the dial was reported', async () => {
    const { kept, host, found, want, tickAfter, dialled, counts } = setUp()
    want(X)
    host.dials[0]?.resolve('P')
    await settleMicrotasks()
    assert.deepEqual([kept.has('P'), found, counts()], [false, [], { ok: 0, failed: 1 }])
    tickAfter(1_000)
    assert.deepEqual(dialled(), [X, X])
  })

  it("may turn out to be a connected peer's: then it is reached, and dialled again when that one is lost", async () => {
    const { kept, host, found, want, tickAfter, dialled, counts } = setUp()
    host.open('P', 'inbound', '/ip4/60.1.0.2/tcp/777')
    want(X)
    host.dials[0]?.fail(denied('duplicate', 'P'))
    await settleMicrotasks()
    tickAfter(100_000)
    assert.deepEqual([dialled(), kept.has('P'), found, counts()], [[X], true, ['P'], { ok: 1, failed: 0 }])
    host.lose('P')
    tickAfter(1_000)
    assert.deepEqual(dialled(), [X, X])
  })

  it('is not dialled while its peer is connected', () => {
    const { host, want, tickAfter, dialled } = setUp()
    host.open('P')
    want(P)
    tickAfter(100_000)
    assert.deepEqual(dialled(), [])
  })

  it('is no longer kept when its peer is forgotten', async () => {
    const { kept, host, want, tickAfter, dialled } = setUp()
    want(X)
    host.dials[0]?.succeed('P')
    await settleMicrotasks()
    kept.feed({ type: 'forget', peer: 'P' })
    assert.equal(kept.has('P'), false)
    host.lose('P')
    tickAfter(100_000)
    assert.deepEqual(dialled(), [X])
  })
})

it('so many addresses are kept, and no more', () => {
  const { kept, want, dialled } = setUp()
  for (let n = 0; n < WANTED_MAX; n++) {
    assert.equal(kept.isFull, false)
    want(`/dns4/n${n}/tcp/1`)
  }
  assert.equal(kept.isFull, true)
  want(P)
  assert.equal(dialled().includes(P), false)
})

describe('after the end', () => {
  it('dials under way are given up, and nothing is said of them', async () => {
    const { host, log, abort, want, counts } = setUp()
    want(X)
    assert.equal(host.dials[0]?.signal, abort.signal)
    abort.abort(new Error('the end'))
    await settleMicrotasks()
    assert.deepEqual([log.lines, counts()], [[], { ok: 0, failed: 0 }])
  })

  it('no dial begins', () => {
    const { abort, want, tickAfter, dialled } = setUp()
    abort.abort()
    want(X)
    tickAfter(100_000)
    assert.deepEqual(dialled(), [])
  })
})
