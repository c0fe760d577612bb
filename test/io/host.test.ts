/**
 * What a host tells of its peers, and what it forgets.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { forgetStrangers } from '../../src/io/peer-records.ts'
import { until } from '../e2e/support/until.ts'
import { dialBare, startBarePeer, startHost } from './hosts.ts'

describe('identified', () => {
  test('tells a peer’s protocols and name, once for each connection', async t => {
    const a = await startHost(t)
    const peer = await startBarePeer(t, 'someone/1.0')
    await peer.handle('/some/protocol/1', () => {})
    const id = peer.peerId.toString()
    for (const times of [1, 2]) {
      const connection = await dialBare(peer, a.address)
      await until('it is told', () => a.told.identified.length === times)
      await connection.close()
      await until('it is gone', () => a.told.disconnected.length === times)
    }
    for (const told of a.told.identified) {
      assert.deepEqual([told.peer, told.agent], [id, 'someone/1.0'])
      assert.ok(told.protocols.includes('/some/protocol/1'))
    }
    assert.equal(a.told.identified.length, 2)
  })

  test('a name is cut, and does nothing to a terminal', async t => {
    const a = await startHost(t)
    const peer = await startBarePeer(t, `\u001b[2J${'x'.repeat(500)}é`)
    await dialBare(peer, a.address)
    await until('it is told', () => a.told.identified.length === 1)
    assert.equal(a.told.identified[0]?.agent, `?[2J${'x'.repeat(60)}`)
  })
})

describe('connected and disconnected', () => {
  test('come in this order, and the connection is listed when they do', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    await b.host.dial(a.address)
    assert.deepEqual(
      b.told.connected.map(({ peer }) => peer),
      [a.host.peer],
    )
    assert.deepEqual(b.host.connections(), b.told.connected)
    await b.host.close(a.host.peer)
    await until('told', () => b.told.disconnected.length === 1)
    assert.deepEqual(b.host.connections(), [])
  })

  test('a dial to a connected peer takes the connection that is there', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    assert.equal(await b.host.dial(a.address), a.host.peer)
    assert.equal(await b.host.dial(a.address), a.host.peer)
    assert.equal(b.told.connected.length, 1)
  })

  test('two dials of one moment are one connection', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    await Promise.all([b.host.dial(a.address), b.host.dial(a.address)])
    assert.equal(b.told.connected.length, 1)
    assert.equal(a.doorman.accepted.length, 1)
  })
})

test('records of peers that are not connected are forgotten', async t => {
  const [peer, neighbour] = [await startBarePeer(t), await startBarePeer(t)]
  await dialBare(peer, String(neighbour.getMultiaddrs()[0]))
  const strangers = await Promise.all(
    Array.from({ length: 50 }, async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))),
  )
  for (const stranger of strangers) {
    await peer.peerStore.merge(stranger, { multiaddrs: [multiaddr('/ip4/192.0.2.1/tcp/9000')] })
  }
  const known = async () => (await peer.peerStore.all()).map(({ id }) => id.toString())
  assert.equal((await known()).length, 51)
  await forgetStrangers(peer)
  assert.deepEqual(await known(), [neighbour.peerId.toString()])
})
