import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peersMetrics, type Readings } from '../../src/peers/peers-metrics.ts'
import type { PeerInfo, Role } from '../../src/peers/view.ts'
import { FakeMetrics, settleMicrotasks } from '../fixtures/fakes.ts'

function peer(direction: 'inbound' | 'outbound', role: Role): PeerInfo {
  return {
    peer: 'P',
    address: '/ip4/60.1.0.1/tcp/1/p2p/P',
    group: '4:60.1',
    direction,
    role,
    connectedAtMs: 0,
    rttMs: undefined,
    score: 0,
    agent: '',
    handshake: 'done',
  }
}

const none = { greeted: 0, refused: 0, failed: 0 }

const FULL: Readings = {
  peers: [
    peer('inbound', 'inbound'),
    peer('inbound', 'inbound'),
    peer('inbound', 'manual'),
    peer('outbound', 'outbound'),
    peer('outbound', 'anchor'),
    peer('outbound', 'feeler'),
    peer('outbound', 'hint'),
  ],
  book: {
    newAddresses: 11,
    triedAddresses: 12,
    newBuckets: [],
    triedBuckets: [],
    bySource: { dns: 0, bootstrap: 0, exchange: 0, hello: 0, dht: 0, manual: 0 },
  },
  bans: 13,
  outbound: {
    established: 14,
    anchors: 15,
    dialling: 16,
    results: { outbound: none, anchor: none, feeler: none, rotation: none },
  },
  ignored: 17,
}

/** Metrics of what is at the moment, and the counters of what happens. */
function setUp(readings: Readings) {
  const metrics = new FakeMetrics()
  const now = { readings }
  const counters = peersMetrics(metrics, () => now.readings)
  return { metrics, counters, now }
}

const EXPECTED = {
  'floodgate_peers{direction=inbound}': 3,
  'floodgate_peers{direction=outbound}': 4,
  'floodgate_peers_by_role{role=manual}': 1,
  'floodgate_peers_by_role{role=outbound}': 1,
  'floodgate_peers_by_role{role=anchor}': 1,
  'floodgate_peers_by_role{role=feeler}': 1,
  'floodgate_peers_by_role{role=inbound}': 2,
  'floodgate_peers_by_role{role=hint}': 1,
  'floodgate_book_addresses{table=new}': 11,
  'floodgate_book_addresses{table=tried}': 12,
  'floodgate_outbound{state=established}': 14,
  'floodgate_outbound{state=anchors}': 15,
  'floodgate_outbound{state=dialling}': 16,
  floodgate_bans: 13,
  floodgate_exchange_ignored_total: 17,
}

describe('the metrics of peers', () => {
  it('are what there is when they are read', async () => {
    const { metrics, now } = setUp({ ...FULL, peers: [], bans: 0 })
    assert.equal(metrics.read()['floodgate_peers{direction=inbound}'], 0)
    now.readings = FULL
    // One reading is for all that is read at once.
    assert.equal(metrics.read()['floodgate_peers{direction=inbound}'], 0)
    await settleMicrotasks()
    assert.deepEqual(metrics.read(), EXPECTED)
  })

  it('of outbound places are 0 where nothing is dialled', () => {
    const { metrics } = setUp({ ...FULL, outbound: undefined })
    assert.deepEqual(metrics.read(), {
      ...EXPECTED,
      'floodgate_outbound{state=established}': 0,
      'floodgate_outbound{state=anchors}': 0,
      'floodgate_outbound{state=dialling}': 0,
    })
  })

  it('of what happens are counted where it does', () => {
    const { metrics, counters } = setUp(FULL)
    counters.dials.inc({ purpose: 'feeler', source: 'dns', result: 'greeted' })
    counters.drops.inc({ reason: 'score' })
    counters.offences.inc({ offence: 'malformed' })
    counters.offences.inc({ offence: 'malformed' })
    assert.deepEqual(metrics.read(), {
      ...EXPECTED,
      'floodgate_dials_total{purpose=feeler,result=greeted,source=dns}': 1,
      'floodgate_drops_total{reason=score}': 1,
      'floodgate_offences_total{offence=malformed}': 2,
    })
  })
})
