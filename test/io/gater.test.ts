/**
 * The doorman's questions, over real sockets.
 */
import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { MultiaddrConnection } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { DropReason } from '../../src/core/drops.ts'
import { addressOf, endpointOf, peerOf } from '../../src/core/endpoint.ts'
import { FloodgateError } from '../../src/core/errors.ts'
import { Gater } from '../../src/io/gater.ts'
import { until, within } from '../e2e/support/until.ts'
import { FakeDoorman } from '../fixtures/fake-network.ts'
import {
  type BarePeer,
  dialBare,
  makeHost,
  portOf,
  startBarePeer,
  startHost,
  type TestHost,
} from './hosts.ts'

/** A socket without a word of libp2p, that is being connected. */
function rawSocket(t: TestContext, host: TestHost): Socket {
  const socket = connect(portOf(host.address), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  // What comes is thrown away, or the end would never be seen.
  return socket.resume()
}

function closed(socket: Socket): Promise<void> {
  return within('the socket is closed', 10_000, new Promise(resolve => socket.once('close', () => resolve())))
}

/** The dialler is done with the handshake before the other side has looked at its peer id, and learns of it later. */
async function refusedDial(peer: BarePeer, address: string): Promise<void> {
  await dialBare(peer, address).catch(() => {})
  await until('the dialler is cut', () => peer.getConnections().length === 0)
}

/** The address without its peer id. */
function withoutPeer(address: string): string {
  const endpoint = endpointOf(address)
  assert.ok(endpoint !== undefined)
  return addressOf(endpoint)
}

function isDenied(reason: DropReason, peer: string | undefined) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof FloodgateError)
    assert.equal(error.code, 'DENIED')
    assert.deepEqual(error.cause, { reason, peer })
    return true
  }
}

describe('a connection', () => {
  test('is asked for at each step, and its end is told once, on both sides', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    await b.host.dial(a.address)
    assert.deepEqual(a.doorman.accepted, [{ socket: 1, ip: '127.0.0.1' }])
    assert.deepEqual(b.doorman.dialled, [{ address: a.address, ours: true }])
    assert.deepEqual(b.doorman.arrivals, [
      { socket: 1, peer: a.host.peer, address: a.address, direction: 'outbound' },
    ])
    // The dialler is done with the handshake a little earlier.
    await until('the other side is connected too', () => a.told.connected.length === 1)
    const [arrival] = a.doorman.arrivals
    assert.equal(arrival?.socket, 1)
    assert.equal(arrival?.direction, 'inbound')
    assert.equal(peerOf(arrival?.address ?? ''), b.host.peer)
    assert.equal(a.told.connected[0]?.address, arrival?.address)
    await b.host.close(a.host.peer)
    await until('both have seen the end', () => a.told.disconnected.length + b.told.disconnected.length === 2)
    assert.deepEqual([a.doorman.gone, b.doorman.gone], [[1], [1]])
  })

  test('gets a number of its own each time', async t => {
    const a = await startHost(t)
    const sockets = [1, 2, 3].map(() => rawSocket(t, a))
    await until('all are accepted', () => a.doorman.accepted.length === 3)
    for (const socket of sockets) socket.destroy()
    await until('all are gone', () => a.doorman.gone.length === 3)
    assert.deepEqual(
      a.doorman.accepted.map(({ socket }) => socket),
      [1, 2, 3],
    )
    assert.deepEqual(a.doorman.gone.toSorted(), [1, 2, 3])
  })

  test('is told with its address and without a round trip', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    await b.host.dial(a.address)
    const [info] = b.host.connections()
    assert.deepEqual(info, { ...info, peer: a.host.peer, address: a.address, direction: 'outbound' })
    assert.ok(info !== undefined && 'rttMs' in info && info.rttMs === undefined)
  })
})

describe('refused', () => {
  test('at the door: closed before a byte is read, and not told as gone', async t => {
    const a = await startHost(t)
    a.doorman.onAccept = () => 'ip-limit'
    const socket = rawSocket(t, a)
    await closed(socket)
    assert.deepEqual(a.doorman.accepted, [{ socket: 1, ip: '127.0.0.1' }])
    assert.deepEqual([a.doorman.arrivals, a.doorman.gone, a.told.connected], [[], [], []])
  })

  test('for its peer id, inbound: the dialler is cut, and nothing is connected', async t => {
    const a = await startHost(t)
    a.doorman.onArrival = async () => 'banned'
    const peer = await startBarePeer(t)
    await refusedDial(peer, a.address)
    await until('it is gone', () => a.doorman.gone.length === 1)
    assert.deepEqual([a.told.connected, a.told.disconnected, a.host.connections()], [[], [], []])
  })

  test('for its peer id, outbound: DENIED with the reason', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    b.doorman.onArrival = async () => 'duplicate'
    await assert.rejects(b.host.dial(a.address), isDenied('duplicate', a.host.peer))
    await assert.rejects(b.host.dial(withoutPeer(a.address)), isDenied('duplicate', a.host.peer))
    await until('both are gone', () => b.doorman.gone.length === 2)
    assert.deepEqual(b.told.connected, [])
  })

  test('one of two addresses of a peer, which libp2p dials as one: DENIED for both', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    b.doorman.onArrival = async () => 'duplicate'
    const nobodyThere = a.address.replace('127.0.0.1', '127.0.0.2')
    const dials = await Promise.allSettled([b.host.dial(a.address), b.host.dial(nobodyThere)])
    for (const dial of dials) {
      assert.ok(dial.status === 'rejected')
      isDenied('duplicate', a.host.peer)(dial.reason)
    }
  })

  test('before the dial: DENIED with the reason, and no socket', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    b.doorman.onDial = () => 'banned'
    await assert.rejects(b.host.dial(a.address), isDenied('banned', a.host.peer))
    await assert.rejects(b.host.dial(withoutPeer(a.address)), isDenied('banned', undefined))
    assert.deepEqual([b.doorman.arrivals, a.doorman.accepted], [[], []])
  })

  test('one refusal is not taken for the next dial', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    b.doorman.onDial = () => 'banned'
    await assert.rejects(b.host.dial(a.address), { code: 'DENIED' })
    b.doorman.onDial = () => undefined
    await a.host.stop()
    await assert.rejects(b.host.dial(a.address), { code: 'DIAL' })
  })

  test('this node itself: DENIED, with and without its peer id', async t => {
    const a = await startHost(t)
    await assert.rejects(a.host.dial(a.address), isDenied('self', a.host.peer))
    await assert.rejects(a.host.dial(withoutPeer(a.address)), isDenied('self', a.host.peer))
    await until('its sockets are gone', () => a.doorman.gone.length === a.doorman.accepted.length)
    assert.deepEqual(a.told.connected, [])
  })

  test('another peer than the address says: no connection, and no DENIED', async t => {
    const [a, b, c] = [await startHost(t), await startHost(t), await startHost(t)]
    const wrong = `${withoutPeer(a.address)}/p2p/${b.host.peer}`
    await assert.rejects(c.host.dial(wrong), { code: 'DIAL' })
    assert.deepEqual(c.told.connected, [])
  })

  test('names that lead to addresses are not asked', async t => {
    const a = await startHost(t)
    await assert.rejects(a.host.dial('/dnsaddr/seed.invalid'), { code: 'ADDRESS' })
    assert.deepEqual(a.doorman.dialled, [])
  })
})

describe('a slow doorman', () => {
  test('is waited for no longer than a handshake may take', async t => {
    const a = await startHost(t, { connections: { upgradeTimeoutMs: 300 } })
    a.doorman.onArrival = () => new Promise(() => {})
    const b = await startHost(t)
    await b.host.dial(a.address)
    await until('it is gone', () => a.doorman.gone.length === 1)
    assert.deepEqual(a.told.connected, [])
    await until('on the other side as well', () => b.host.connections().length === 0)
  })

  test('on a dial of ours: DENIED, for want of a handshake', async t => {
    const a = await startHost(t)
    const b = await startHost(t, { connections: { upgradeTimeoutMs: 300 } })
    b.doorman.onArrival = () => new Promise(() => {})
    await assert.rejects(b.host.dial(a.address), isDenied('handshake', a.host.peer))
  })

  test('whose answer comes when the peer has left connects nobody', async t => {
    const a = await startHost(t)
    const answer = Promise.withResolvers<DropReason | undefined>()
    a.doorman.onArrival = () => answer.promise
    const peer = await startBarePeer(t)
    void dialBare(peer, a.address).catch(() => {})
    await until('it has arrived', () => a.doorman.arrivals.length === 1)
    await peer.stop()
    await until('it is gone', () => a.doorman.gone.length === 1)
    answer.resolve(undefined)
    // The next one is let in: whatever came of the first answer has come by then.
    const b = await startHost(t)
    await b.host.dial(a.address)
    await until('the second one is connected', () => a.told.connected.length > 0)
    assert.deepEqual(
      a.told.connected.map(({ peer }) => peer),
      [b.host.peer],
    )
    assert.deepEqual(a.doorman.gone, [1])
  })

  test('does not hold the place of a peer that has left', async t => {
    const a = await startHost(t, { connections: { upgradeTimeoutMs: 60_000, pendingInboundMax: 1 } })
    a.doorman.onArrival = () => new Promise(() => {})
    // As many as libp2p has places for those in their handshakes: four times ours.
    const peers = await Promise.all([1, 2, 3, 4].map(() => startBarePeer(t)))
    for (const peer of peers) void dialBare(peer, a.address).catch(() => {})
    await until('they have arrived', () => a.doorman.arrivals.length === peers.length)
    await Promise.all(peers.map(peer => peer.stop()))
    a.doorman.onArrival = async () => undefined
    const b = await startHost(t)
    await until('another one gets in', async () => {
      await b.host.dial(a.address).catch(() => {})
      return a.told.connected.length === 1
    })
  })

  test('that fails lets nobody in', async t => {
    const a = await startHost(t)
    a.doorman.onArrival = async () => {
      throw new Error('out of order')
    }
    const peer = await startBarePeer(t)
    await refusedDial(peer, a.address)
    await until('it is gone', () => a.doorman.gone.length === 1)
    assert.deepEqual(a.told.connected, [])
  })
})

describe('a socket', () => {
  test('that says nothing is closed when its handshake is due, and told once', async t => {
    const a = await startHost(t, { connections: { upgradeTimeoutMs: 300 } })
    const socket = rawSocket(t, a)
    await closed(socket)
    await until('it is gone', () => a.doorman.gone.length === 1)
    assert.deepEqual([a.doorman.accepted.length, a.doorman.gone], [1, [1]])
  })

  test('that says too much before its peer id is proved is cut at once', async t => {
    const a = await startHost(t, { connections: { upgradeTimeoutMs: 60_000 } })
    const socket = rawSocket(t, a)
    const end = closed(socket)
    // To a reader that takes lengths byte by byte, these are a length without end.
    socket.write(Buffer.alloc(1_048_576, 0x80))
    await end
    await until('it is gone', () => a.doorman.gone.length === 1)
  })

  test('that agrees on an encryption and then says too much is cut at once', async t => {
    const a = await startHost(t, { connections: { upgradeTimeoutMs: 60_000 } })
    const socket = rawSocket(t, a)
    const end = closed(socket)
    // A first message of Noise that never comes to its end.
    socket.write(Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n\xff\xff', 'latin1'))
    socket.write(Buffer.alloc(9_000))
    await end
    await until('it is gone', () => a.doorman.gone.length === 1)
  })

  for (const id of ['named', 'nameless'] as const) {
    test(`that we have dialled, ${id}, and that says too much is cut at once`, async t => {
      const a = await startHost(t, { connections: { dialTimeoutMs: 60_000, upgradeTimeoutMs: 60_000 } })
      let taken = 0
      const server = createServer(socket => {
        socket.on('error', () => {})
        socket.resume()
        taken++
        socket.write(Buffer.alloc(1_048_576, 0x80))
      })
      t.after(() => server.close())
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()))
      const { port } = server.address() as AddressInfo
      const name = id === 'named' ? `/p2p/${(await startHost(t)).host.peer}` : ''
      const dial = a.host.dial(`/ip4/127.0.0.1/tcp/${port}${name}`)
      await assert.rejects(within('the dial has failed', 10_000, dial), { code: 'DIAL' })
      assert.equal(taken, 1)
    })
  }

  test('is cut on demand, in any state', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    await b.host.dial(a.address)
    const silent = rawSocket(t, a)
    await until('both are accepted', () => a.doorman.accepted.length === 2)
    for (const socket of [1, 2, 3]) a.host.cut(socket)
    await closed(silent)
    await until('both are gone', () => a.doorman.gone.length === 2)
    await until('told on both sides', () => a.told.disconnected.length + b.told.disconnected.length === 2)
    a.host.cut(1)
    assert.deepEqual(a.doorman.gone.toSorted(), [1, 2])
  })
})

describe('without a doorman', () => {
  test('a node that is not started refuses everybody', async () => {
    const gater = new Gater(1_000)
    const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    const address = multiaddr('/ip4/192.0.2.1/tcp/9000')
    const connection = { remoteAddr: address, status: 'open' } as MultiaddrConnection
    assert.equal(gater.denyDialMultiaddr(address), true)
    assert.equal(gater.denyInboundConnection(connection), true)
    assert.equal(await gater.denyInboundEncryptedConnection(peer, connection), true)
    assert.equal(await gater.denyOutboundEncryptedConnection(peer, connection), true)
  })

  test('a dial before the start fails, and one after the stop too', async t => {
    const a = await startHost(t)
    const b = await makeHost(t)
    await assert.rejects(b.host.dial(a.address), { name: 'FloodgateError' })
    await b.host.stop()
    await assert.rejects(b.host.dial(a.address), { name: 'FloodgateError' })
    assert.deepEqual(a.doorman.accepted, [])
  })

  test('a node that stops lets nobody in, and still tells who leaves', async t => {
    const a = await startHost(t)
    const b = await startHost(t)
    await b.host.dial(a.address)
    await a.host.stop()
    assert.deepEqual(a.doorman.gone, [1])
    const gater = new Gater(1_000)
    const doorman = new FakeDoorman()
    gater.open(doorman)
    gater.close()
    assert.equal(gater.denyDialMultiaddr(multiaddr('/ip4/192.0.2.1/tcp/9000')), true)
    assert.deepEqual(doorman.dialled, [])
  })
})

test('a connection that has closed in the meantime does not pass', async () => {
  const gater = new Gater(1_000)
  gater.open(new FakeDoorman())
  const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
  const connection = {
    remoteAddr: multiaddr('/ip4/192.0.2.1/tcp/9000'),
    status: 'closed',
  } as MultiaddrConnection
  assert.equal(gater.denyInboundConnection(connection), true)
  assert.equal(await gater.denyInboundEncryptedConnection(peer, connection), true)
  assert.equal(gater.denyInboundUpgradedConnection(peer, connection), true)
  assert.equal(gater.denyOutboundUpgradedConnection(peer, connection), true)
})

describe('whose dial it is', () => {
  const gater = new Gater(1_000)
  const doorman = new FakeDoorman()
  gater.open(doorman)
  const ask = (address: string): boolean => {
    gater.denyDialMultiaddr(multiaddr(address))
    return doorman.dialled.at(-1)?.ours ?? false
  }

  test('ours while it is under way, and nobody else’s address', () => {
    const mine = '/ip4/192.0.2.1/tcp/9000'
    assert.equal(ask(mine), false)
    const [first, second] = [gater.begin(mine), gater.begin(mine)]
    assert.equal(ask(mine), true)
    assert.equal(ask('/ip4/192.0.2.1/tcp/9001'), false)
    gater.end(first)
    assert.equal(ask(mine), true)
    gater.end(second)
    assert.equal(ask(mine), false)
  })
})
