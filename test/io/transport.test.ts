import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { getDefaultHighWaterMark } from 'node:stream'
import { afterEach, describe, mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { MultiaddrConnection } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import fc from 'fast-check'
import { corkConnection, corkedTcp, type Traffic } from '../../src/io/transport.ts'
import { FOREVER, next, Reader, type TcpPair, tcpPair } from './tcp-pair.ts'

/** What a socket takes before it says that it is full: 64 KiB in Node 22 and 24. */
const SOCKET_FULL_BYTES = getDefaultHighWaterMark(false)

interface Pair extends TcpPair {
  readonly nearTraffic: Traffic
  readonly farTraffic: Traffic
}

const open: TcpPair[] = []

async function connect(): Promise<Pair> {
  const nearTraffic = traffic()
  const farTraffic = traffic()
  const pair = await tcpPair(corkedTcp(nearTraffic), corkedTcp(farTraffic))
  open.push(pair)
  return { ...pair, nearTraffic, farTraffic }
}

function traffic(): Traffic {
  return { sentBytes: 0, receivedBytes: 0 }
}

/** Counts the writes that reach the kernel: `_writev` takes what was corked, `_write` a single buffer. */
function countWrites(socket: Socket): () => number {
  const inside = socket as unknown as Record<'_write' | '_writev', () => void>
  const single = mock.method(inside, '_write')
  const many = mock.method(inside, '_writev')
  return () => single.mock.callCount() + many.mock.callCount()
}

afterEach(async () => {
  for (const pair of open.splice(0)) await pair.close()
})

describe('corked TCP', { timeout: 60_000 }, () => {
  test('what is sent in one tick leaves in one write, in order, after the tick', async () => {
    const { near, far, nearSocket } = await connect()
    const reader = new Reader(far)
    const writes = countWrites(nearSocket)
    const pieces = Array.from({ length: 100 }, () => randomBytes(37))
    for (const piece of pieces) near.send(piece)
    assert.equal(writes(), 0)
    const expected = Buffer.concat(pieces)
    assert.deepEqual(await reader.read(expected.byteLength), expected)
    assert.equal(writes(), 1)
  })

  test('a tick that has ended does not hold back the next one', async () => {
    const { near, far, nearSocket } = await connect()
    const reader = new Reader(far)
    const writes = countWrites(nearSocket)
    for (let i = 1; i <= 5; i++) {
      near.send(Buffer.from('one'))
      near.send(Buffer.from('two'))
      await turn()
      assert.equal(writes(), i)
    }
    assert.equal(String(await reader.read(30)), 'onetwo'.repeat(5))
  })

  test('a full socket is written at once', async () => {
    const { near, far, nearSocket } = await connect()
    const reader = new Reader(far)
    const writes = countWrites(nearSocket)
    const half = randomBytes(SOCKET_FULL_BYTES / 2)
    assert.equal(near.send(half), true)
    assert.equal(writes(), 0)
    assert.equal(near.send(half), false)
    assert.equal(writes(), 1)
    assert.deepEqual(await reader.read(SOCKET_FULL_BYTES), Buffer.concat([half, half]))
  })

  test('a slow reader holds the writer back: bounded memory, everything arrives in order', async () => {
    const { near, far, nearSocket } = await connect()
    const reader = new Reader(far)
    far.addEventListener('message', () => {
      far.pause()
      setImmediate(() => far.resume())
    })
    const pieceBytes = 10_000
    const sent = randomBytes(pieceBytes * 2_000)
    let stops = 0
    for (let at = 0; at < sent.byteLength; at += pieceBytes) {
      const canSendMore = near.send(sent.subarray(at, at + pieceBytes))
      assert(nearSocket.writableLength < SOCKET_FULL_BYTES + pieceBytes)
      assert(near.writeBufferLength < pieceBytes)
      if (canSendMore) continue
      stops += 1
      await next(near, 'drain')
    }
    assert(stops >= sent.byteLength / (SOCKET_FULL_BYTES + pieceBytes) - 1)
    assert((await reader.read(sent.byteLength)).equals(sent))
    await turn()
  })

  test('a writer that ignores a full socket loses nothing, and the socket still holds little', async () => {
    const { near, far, nearSocket } = await connect()
    const reader = new Reader(far)
    far.pause()
    const pieceBytes = 10_000
    const sent = randomBytes(pieceBytes * 2_000)
    for (let at = 0; at < sent.byteLength; at += pieceBytes) near.send(sent.subarray(at, at + pieceBytes))
    assert(nearSocket.writableLength < SOCKET_FULL_BYTES + pieceBytes)
    far.resume()
    assert((await reader.read(sent.byteLength)).equals(sent))
  })

  test('closing first writes what was corked', async () => {
    const { near, far } = await connect()
    const reader = new Reader(far)
    const closed = next(far, 'close')
    near.send(Buffer.from('the last '))
    near.send(Buffer.from('words'))
    await near.close({ signal: FOREVER })
    await closed
    assert.equal(String(await reader.read(14)), 'the last words')
  })

  test('aborting throws it away, and the cork that comes off later does no harm', async () => {
    const { near, far } = await connect()
    const reader = new Reader(far)
    const closed = next(far, 'close')
    near.send(Buffer.from('never seen'))
    near.abort(new Error('on purpose'))
    await closed
    await turn()
    assert.equal(reader.sizeBytes, 0)
  })

  test('both ends count the same bytes', async () => {
    const { near, far, nearTraffic, farTraffic } = await connect()
    const nearReader = new Reader(near)
    const farReader = new Reader(far)
    near.send(randomBytes(1_000_000))
    far.send(randomBytes(777))
    await farReader.read(1_000_000)
    await nearReader.read(777)
    assert.deepEqual(nearTraffic, { sentBytes: 1_000_000, receivedBytes: 777 })
    assert.deepEqual(farTraffic, { sentBytes: 777, receivedBytes: 1_000_000 })
  })

  for (const { id, near: nearTcp, far: farTcp } of [
    { id: 'dialling', near: corkedTcp(traffic()), far: tcp() },
    { id: 'listening', near: tcp(), far: corkedTcp(traffic()) },
  ]) {
    test(`talks to the stock transport, ${id}`, async () => {
      const pair = await tcpPair(nearTcp, farTcp)
      open.push(pair)
      const nearReader = new Reader(pair.near)
      const farReader = new Reader(pair.far)
      pair.near.send(Buffer.from('pi'))
      pair.near.send(Buffer.from('ng'))
      assert.equal(String(await farReader.read(4)), 'ping')
      pair.far.send(Buffer.from('po'))
      pair.far.send(Buffer.from('ng'))
      assert.equal(String(await nearReader.read(4)), 'pong')
    })
  }

  test('any order of sends and ticks on both sides arrives unchanged', async () => {
    const step = fc.record({ fromNear: fc.boolean(), sizeBytes: fc.nat(90_000), isTickOver: fc.boolean() })
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const { near, far, nearTraffic } = await connect()
      const nearReader = new Reader(near)
      const farReader = new Reader(far)
      const fromNear: Buffer[] = []
      const fromFar: Buffer[] = []
      for (const { fromNear: isNear, sizeBytes, isTickOver } of steps) {
        const piece = randomBytes(sizeBytes)
        ;(isNear ? near : far).send(piece)
        ;(isNear ? fromNear : fromFar).push(piece)
        if (isTickOver) await turn()
      }
      const toFar = Buffer.concat(fromNear)
      const toNear = Buffer.concat(fromFar)
      assert((await farReader.read(toFar.byteLength)).equals(toFar))
      assert((await nearReader.read(toNear.byteLength)).equals(toNear))
      assert.deepEqual(nearTraffic, { sentBytes: toFar.byteLength, receivedBytes: toNear.byteLength })
    })
    await fc.assert(property, { numRuns: 30 })
  })

  const strangers = [
    { id: 'no socket', connection: { sendData: () => {} } },
    { id: 'a socket of another kind', connection: { socket: {}, sendData: () => {} } },
    { id: 'no sendData', connection: { socket: new Socket() } },
  ]
  for (const { id, connection } of strangers) {
    test(`a connection with ${id} is refused, so that a change in the library is noticed`, () => {
      assert.throws(() => corkConnection(connection as unknown as MultiaddrConnection, traffic()), {
        name: 'AssertionError',
        message: /@libp2p\/tcp no longer/,
      })
    })
  }
})
