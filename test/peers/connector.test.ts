import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  Connector,
  type ConnectorEvent,
  type ConnectorOptions,
  WANTED_MAX,
} from '../../src/peers/connector.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { ConnectorTwin } from './connector-twin.ts'

const OPTIONS: ConnectorOptions = { redialMinMs: 100, redialMaxMs: 1_000 }

/** Two addresses of P, one of Q, one that does not say whose it is. */
const P = '/ip4/192.0.2.1/tcp/1/p2p/P'
const P2 = '/ip4/192.0.2.2/tcp/1/p2p/P'
const Q = '/ip4/192.0.2.3/tcp/1/p2p/Q'
const X = '/ip4/192.0.2.4/tcp/1'

const want = (address: string, peer?: string): ConnectorEvent =>
  peer === undefined ? { type: 'want', address } : { type: 'want', address, peer }
const failed = (address: string): ConnectorEvent => ({ type: 'failed', address })
const dialled = (address: string, peer: string): ConnectorEvent => ({ type: 'dialled', address, peer })
const connected = (peer: string): ConnectorEvent => ({ type: 'connected', peer })
const disconnected = (peer: string): ConnectorEvent => ({ type: 'disconnected', peer })
const forget = (peer: string): ConnectorEvent => ({ type: 'forget', peer })
const tick: ConnectorEvent = { type: 'tick' }

/** At a time, an event, and the addresses that are dialled thereupon. RandomSource is 0.5: pauses are as they are. */
type Step = [atMs: number, event: ConnectorEvent, ...dials: string[]]

const cases: { id: string; steps: Step[] }[] = [
  {
    id: 'dials a wanted address at once, and once',
    steps: [
      [0, want(P), P],
      [0, tick],
      [5_000, tick],
    ],
  },
  {
    id: 'dials again after a failure, with a pause that doubles up to its maximum',
    steps: [
      [0, want(P), P],
      [10, failed(P)],
      [109, tick],
      [110, tick, P],
      [120, failed(P)],
      [319, tick],
      [320, tick, P],
      [330, failed(P)],
      [730, tick, P],
      [740, failed(P)],
      [1_540, tick, P],
      [1_550, failed(P)],
      [2_549, tick],
      [2_550, tick, P],
      [2_560, failed(P)],
      [3_559, tick],
      [3_560, tick, P],
    ],
  },
  {
    id: 'dials again after a loss, and the pause starts small after a connection that stood',
    steps: [
      [0, want(P), P],
      [10, failed(P)],
      [110, tick, P],
      [120, connected('P')],
      [121, dialled(P, 'P')],
      [1_120, disconnected('P')],
      [1_219, tick],
      [1_220, tick, P],
    ],
  },
  {
    id: 'the pause goes on growing when connections close soon',
    steps: [
      [0, want(P), P],
      [0, dialled(P, 'P')],
      [999, disconnected('P')],
      [1_099, tick, P],
      [1_099, dialled(P, 'P')],
      [1_100, disconnected('P')],
      [1_299, tick],
      [1_300, tick, P],
    ],
  },
  {
    id: 'a connection that the peer has opened is as good',
    steps: [
      [0, connected('P')],
      [0, want(P)],
      [10, disconnected('P')],
      [110, tick, P],
    ],
  },
  {
    id: 'a connection that comes while it dials ends the wish; the failed dial does not matter',
    steps: [
      [0, want(P), P],
      [1, connected('P')],
      [2, failed(P)],
      [500, tick],
      [600, disconnected('P')],
      [700, tick, P],
    ],
  },
  {
    id: 'learns who is at an address, and counts the connection whoever opens it next',
    steps: [
      [0, want(X), X],
      [1, dialled(X, 'P')],
      [2_000, disconnected('P')],
      [2_050, connected('P')],
      [3_000, tick],
    ],
  },
  {
    id: 'several addresses of one peer share its connection',
    steps: [
      [0, want(P), P],
      [0, want(P2), P2],
      [1, dialled(P2, 'P')],
      [2, failed(P)],
      [5_000, tick],
    ],
  },
  {
    id: 'wanting twice does not dial twice',
    steps: [
      [0, want(P), P],
      [0, want(P)],
      [0, want(P)],
      [0, want(P)],
      [10, failed(P)],
      [20, want(P)],
      [110, tick, P],
    ],
  },
  {
    id: 'an address at which a peer was reached already is not dialled again',
    steps: [
      [0, connected('P')],
      [0, want(X, 'P')],
      [500, tick],
      [600, disconnected('P')],
      [700, tick, X],
    ],
  },
  {
    id: 'an address at which another peer is reached belongs to that one',
    steps: [
      [0, want(X), X],
      [1, dialled(X, 'P')],
      [5, connected('Q')],
      [5, want(X, 'Q')],
      [6, disconnected('P')],
      [500, tick],
      [500, want(X, 'R'), X],
    ],
  },
  {
    id: 'forgets all addresses of a peer',
    steps: [
      [0, want(P), P],
      [0, want(P2), P2],
      [0, want(Q), Q],
      [1, failed(P)],
      [1, failed(P2)],
      [1, failed(Q)],
      [2, forget('P')],
      [101, tick, Q],
      [5_000, tick],
    ],
  },
  {
    id: 'a dial that ends after its address was forgotten changes nothing',
    steps: [
      [0, want(P), P],
      [1, forget('P')],
      [2, failed(P)],
      [3, dialled(P, 'P')],
      [4, disconnected('P')],
      [5_000, tick],
    ],
  },
]

describe('the connector', () => {
  for (const { id, steps } of cases) {
    it(id, () => {
      const connector = new Connector(OPTIONS, () => 0.5)
      for (const [atMs, event, ...dials] of steps) {
        const actions = connector.handle(event, atMs)
        connector.check()
        assert.deepEqual(
          actions,
          dials.map(address => ({ type: 'dial', address })),
          `at ${atMs}: ${JSON.stringify(event)}`,
        )
      }
    })
  }

  it('spreads its pauses by half of them, so that many nodes do not come back at once', () => {
    for (const [random, pauseMs] of [
      [0, 75],
      [0.5, 100],
      [0.9999, 124.995],
    ] as const) {
      const connector = new Connector(OPTIONS, () => random)
      connector.handle(want(P), 0)
      connector.handle(failed(P), 0)
      assert.deepEqual(connector.handle(tick, pauseMs - 0.01), [])
      assert.equal(connector.handle(tick, pauseMs + 0.01).length, 1)
    }
  })

  it('still dials after thousands of failures', () => {
    const connector = new Connector(OPTIONS, () => 0.5)
    let nowMs = 0
    connector.handle(want(P), nowMs)
    for (let failures = 0; failures < 3_000; failures++) {
      connector.handle(failed(P), nowMs)
      nowMs += OPTIONS.redialMaxMs
      assert.equal(connector.handle(tick, nowMs).length, 1, `after ${failures} failures`)
    }
  })

  it('keeps those whom it was asked to keep, once it knows who they are', () => {
    const connector = new Connector(OPTIONS, () => 0.5)
    connector.handle(want(P), 0)
    connector.handle(want(X), 0)
    assert.deepEqual(
      ['P', 'R'].map(peer => connector.isKept(peer)),
      [true, false],
    )
    connector.handle(dialled(X, 'R'), 1)
    assert.equal(connector.isKept('R'), true)
    connector.handle(forget('R'), 2)
    assert.equal(connector.isKept('R'), false)
  })

  it('holds so many addresses and no more', () => {
    const connector = new Connector(OPTIONS, () => 0.5)
    for (let index = 0; index < WANTED_MAX; index++) connector.handle(want(`/dns4/n${index}/tcp/1`), 0)
    assert.equal(connector.isFull, true)
    assert.deepEqual(connector.handle(want(P), 0), [])
    connector.check()
  })

  it('refuses pauses that make no sense', () => {
    assert.throws(() => new Connector({ redialMinMs: 0, redialMaxMs: 1 }, () => 0), assert.AssertionError)
    assert.throws(() => new Connector({ redialMinMs: 2, redialMaxMs: 1 }, () => 0), assert.AssertionError)
  })
})

describe('the connector beside its twin', () => {
  const PEERS = ['P', 'Q', 'R']
  const peer = fc.constantFrom(...PEERS)
  const address = fc.constantFrom(P, P2, Q, X, '/ip4/192.0.2.5/tcp/1')
  const event: fc.Arbitrary<{ waitMs: number; random: number; event: ConnectorEvent }> = fc.record({
    waitMs: fc.constantFrom(0, 0, 0, 1, 50, 75, 100, 125, 500, 1_000),
    random: fc.constantFrom(0, 0.5, 0.99),
    event: fc.oneof(
      { weight: 2, arbitrary: fc.record({ type: fc.constant('want' as const), address }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('want' as const), address, peer }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('forget' as const), peer }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('dialled' as const), address, peer }) },
      { weight: 4, arbitrary: fc.record({ type: fc.constant('failed' as const), address }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('connected' as const), peer }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('disconnected' as const), peer }) },
      { weight: 3, arbitrary: fc.constant({ type: 'tick' as const }) },
    ),
  })

  it('agrees', () => {
    let dials = 0
    forRandomEvents(event, { runs: 150, most: 200 }, events => {
      // The same for all draws of one event, so that their order does not matter.
      let random = 0
      const connector = new Connector(OPTIONS, () => random)
      const twin = new ConnectorTwin(OPTIONS, () => random, WANTED_MAX)
      let nowMs = 0
      for (const step of events) {
        nowMs += step.waitMs
        random = step.random
        const actions = connector.handle(step.event, nowMs)
        connector.check()
        assert.deepEqual(
          actions.map(action => action.address).toSorted(),
          twin.handle(step.event, nowMs).toSorted(),
          `at ${nowMs}: ${JSON.stringify(step.event)}`,
        )
        for (const other of PEERS) assert.equal(connector.isKept(other), twin.isKept(other))
        assert.equal(connector.isFull, twin.isFull)
        dials += actions.length
      }
    })
    assert.ok(dials > 1_000, `only ${dials} dials`)
  })
})
