import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peersSummary, peersTable, sortedPeers } from '../../../src/cli/peers/rows.ts'
import { NOW_MS, OTHER_PEER, PEER, peerInfo } from '../../api/support/node.ts'

describe('the table of peers', () => {
  const peers = [
    peerInfo({
      role: 'inbound',
      direction: 'inbound',
      peer: PEER,
      agent: 'x\u001b[31m\u202e\n',
      rttMs: undefined,
    }),
    peerInfo({ agent: 'an agent with a very long name for itself', score: -33.333, rttMs: 0.7 }),
    peerInfo({ address: '/dns4/seed.example/tcp/1', handshake: 'pending', connectedAtMs: NOW_MS + 5 }),
  ]

  it('has a row for each, what is unknown as a dash, what is odd as a number', () => {
    assert.deepEqual(peersTable(peers, NOW_MS, false).split('\n'), [
      'peer       address                     group  dir  why              age      rtt  score  handshake  agent',
      '…kSCVe2Xo  203.0.113.7:9000          4:203.0  out  outbound  1 min 00 s  0.70 ms  -33.3  done       an agent with a very lo…',
      '…kSCVe2Xo  /dns4/seed.example/tcp/1  4:203.0  out  outbound         0 s  12.0 ms      0  pending    floodgate/0.1.0',
      '…EZCqNPzN  203.0.113.7:9000          4:203.0  in   inbound   1 min 00 s        –      0  done       x\\u{1b}[31m\\u{202e}\\u{a}',
    ])
  })

  it('has everything in full when it is wide', () => {
    const [, first = '', , last = ''] = peersTable(peers, NOW_MS, true).split('\n')
    assert.ok(first.startsWith(`${OTHER_PEER}  /ip4/203.0.113.7/tcp/9000/p2p/${OTHER_PEER} `))
    assert.ok(first.endsWith('  an agent with a very long name for itself'))
    assert.ok(last.startsWith(`${PEER}  `))
  })

  it('has those first that we chose, and of these the oldest', () => {
    const roles = ['inbound', 'later', 'hint', 'feeler', 'outbound', 'anchor', 'manual']
    const all = roles.flatMap(role => [2, 1].map(connectedAtMs => ({ ...peerInfo(), role, connectedAtMs })))
    const sorted = ['manual', 'anchor', 'outbound', 'feeler', 'hint', 'inbound', 'later']
    assert.deepEqual(
      sortedPeers(all).map(({ role, connectedAtMs }) => [role, connectedAtMs]),
      sorted.flatMap(role => [1, 2].map(at => [role, at])),
    )
  })

  it('has a sum', () => {
    assert.equal(peersSummary(peers), '3 peers: 2 outbound, 1 inbound')
    assert.equal(peersSummary(peers.slice(0, 1)), '1 peer: 0 outbound, 1 inbound')
  })
})
