/**
 * Gossip before the handshake: what waits, how much of it, and what becomes of it.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { EARLY_MAX_BYTES, EarlyGossip } from '../../src/io/gossip-early.ts'
import { FakeLog, settleMicrotasks } from '../fixtures/fakes.ts'
import { peerId } from './fake-gossip.ts'
import { HandStream } from './real-gossip.ts'

interface Greeting {
  readonly peer: string
  answer(isWelcome: boolean): Promise<void>
  fail(error: Error): Promise<void>
}

/** The gate, with peers that are greeted by the test. */
function open() {
  const greetings: Greeting[] = []
  /** What was read of each stream that was let in, in order. */
  const read: string[] = []
  const offenders: string[] = []
  const admitted: Stream[] = []
  const log = new FakeLog()
  const early = new EarlyGossip({
    log,
    greeted: peer => {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>()
      greetings.push({
        peer,
        answer: isWelcome => {
          resolve(isWelcome)
          return settleMicrotasks()
        },
        fail: error => {
          reject(error)
          return settleMicrotasks()
        },
      })
      return promise
    },
    admit: (peer, stream) => {
      admitted.push(stream)
      stream.addEventListener('message', ({ data }) => {
        read.push(`${peer} ${Buffer.from(data.subarray()).toString()}`)
      })
    },
    tooMuch: peer => offenders.push(peer.toString()),
  })
  const hold = (name: string, ...texts: string[]): HandStream => {
    const stream = new HandStream(`from ${name}`, 'inbound')
    early.hold(peerId(name), stream)
    for (const text of texts) stream.onData(Buffer.from(text))
    return stream
  }
  return { early, greetings, read, offenders, admitted, log, hold }
}

/** The greeting that was asked for last. */
function last({ greetings }: ReturnType<typeof open>): Greeting {
  const greeting = greetings.at(-1)
  assert.ok(greeting !== undefined, 'nobody asked whether the peer was greeted')
  return greeting
}

describe('early gossip', () => {
  test('waits, and is read in order once its peer is greeted, before what comes later', async () => {
    const opened = open()
    const stream = opened.hold('a', '1', '2')
    const readMaxBytes = new HandStream('another', 'inbound').maxReadBufferLength
    await settleMicrotasks()
    assert.deepEqual(opened.read, [])
    assert.equal(opened.early.size, 1)

    await last(opened).answer(true)
    stream.onData(Buffer.from('3'))
    assert.deepEqual(opened.read, ['a 12', 'a 3'])
    assert.equal(opened.early.size, 0)
    assert.equal(stream.maxReadBufferLength, readMaxBytes, 'the bound of the stream is as before')
    assert.deepEqual(
      opened.greetings.map(({ peer }) => peer),
      ['a'],
    )
  })

  test('of one peer does not wait for another', async () => {
    const opened = open()
    opened.hold('a', 'of a')
    opened.hold('b', 'of b')
    await last(opened).answer(true)
    assert.deepEqual(opened.read, ['b of b'])
  })

  test('of a peer that is sent away is never read', async () => {
    const opened = open()
    const stream = opened.hold('a', 'text')
    await last(opened).answer(false)
    assert.equal(stream.isReset, true)
    assert.equal(stream.readBufferLength, 0)
    assert.deepEqual([opened.read, opened.offenders, opened.early.size], [[], [], 0])
  })

  test('is not let in by a greeting that fails, and the fault is logged', async () => {
    const opened = open()
    const stream = opened.hold('a', 'text')
    await last(opened).fail(new Error('a bug'))
    assert.equal(stream.isReset, true)
    assert.equal(opened.early.size, 0)
    assert.deepEqual(
      opened.log.lines.map(({ level, fields }) => [level, fields]),
      [['error', { peer: 'a', reason: 'Error: a bug' }]],
    )
  })

  const half = 'x'.repeat(EARLY_MAX_BYTES / 2)
  const floods: { id: string; texts: string[]; isTooMuch: boolean }[] = [
    { id: 'as much as may wait', texts: [half, half], isTooMuch: false },
    { id: 'a byte more', texts: [half, half, 'x'], isTooMuch: true },
    { id: 'far more at once', texts: [half.repeat(4)], isTooMuch: true },
    { id: 'more, and more after that', texts: [half, half, half, half], isTooMuch: true },
  ]
  for (const { id, texts, isTooMuch } of floods) {
    test(`is bounded: ${id} ${isTooMuch ? 'ends the stream, once' : 'waits'}`, async () => {
      const opened = open()
      const stream = opened.hold('a', ...texts)
      assert.equal(stream.isReset, isTooMuch)
      assert.deepEqual(opened.offenders, isTooMuch ? ['a'] : [])
      assert.equal(stream.readBufferLength, isTooMuch ? 0 : EARLY_MAX_BYTES)
      await last(opened).answer(true)
      assert.equal(opened.admitted.length, isTooMuch ? 0 : 1)
      assert.deepEqual(opened.offenders, isTooMuch ? ['a'] : [])
    })
  }

  test('that was there before anybody looked is bounded too', async () => {
    const opened = open()
    const stream = new HandStream('from a', 'inbound')
    stream.onData(Buffer.alloc(EARLY_MAX_BYTES + 1))
    opened.early.hold(peerId('a'), stream)
    assert.equal(stream.isReset, true)
    assert.deepEqual(opened.offenders, ['a'])
    await last(opened).answer(true)
    assert.deepEqual(opened.admitted, [])
  })

  test('is late gossip once it is let in: its bound holds no longer', async () => {
    const opened = open()
    const stream = opened.hold('a')
    await last(opened).answer(true)
    stream.pause()
    stream.onData(Buffer.alloc(2 * EARLY_MAX_BYTES))
    assert.equal(stream.isReset, false)
    stream.onData(Buffer.alloc(stream.maxReadBufferLength))
    assert.equal(stream.isReset, true)
    assert.deepEqual(opened.offenders, [])
  })
})

describe('a stream that waits', () => {
  const ends: Record<string, (stream: HandStream) => void> = {
    'is reset by its peer': stream => stream.onRemoteReset(),
    'goes with its connection': stream => stream.onTransportClosed(),
    'is cut with its connection': stream => stream.onTransportClosed(new Error('a test')),
  }
  for (const [id, end] of Object.entries(ends)) {
    test(`and ${id} is never let in, and blames nobody`, async () => {
      const opened = open()
      end(opened.hold('a', 'text'))
      await last(opened).answer(true)
      assert.deepEqual([opened.admitted, opened.offenders, opened.early.size], [[], [], 0])
    })
  }

  test('is let in although its peer has said all', async () => {
    const opened = open()
    opened.hold('a', 'text').onRemoteCloseWrite()
    await last(opened).answer(true)
    assert.deepEqual(opened.read, ['a text'])
  })

  test('gives way to the next one of its peer, who is greeted once', async () => {
    const opened = open()
    const streams = ['1', '2', '3'].map(text => opened.hold('a', text))
    assert.deepEqual(
      streams.map(({ isReset }) => isReset),
      [true, true, false],
    )
    assert.equal(opened.early.size, 1)
    assert.equal(opened.greetings.length, 1)
    await last(opened).answer(true)
    assert.deepEqual(opened.read, ['a 3'])
  })

  test('and was ended for too much does not keep out the next one', async () => {
    const opened = open()
    opened.hold('a', 'x'.repeat(EARLY_MAX_BYTES + 1))
    opened.hold('a', 'text')
    await last(opened).answer(true)
    assert.deepEqual(opened.read, ['a text'])
    assert.deepEqual(opened.offenders, ['a'])
  })

  test('of a peer that was greeted before is asked for again', async () => {
    const opened = open()
    opened.hold('a', '1')
    await last(opened).answer(true)
    opened.hold('a', '2')
    assert.equal(opened.greetings.length, 2)
    await last(opened).answer(false)
    assert.deepEqual(opened.read, ['a 1'])
  })
})
