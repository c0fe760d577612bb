/**
 * The adapter against a gossipsub made by hand: each of its rules, without time and sockets. That the real library
 * behaves as assumed here is shown by the tests in `test/e2e`.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GOSSIP_FRAME_MAX_BYTES } from '../../src/core/limits.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { openFakeGossip, peerId, VERDICTS } from './fake-gossip.ts'

const TOPIC = 'tx'

describe('a verdict', () => {
  test('is told to gossip with the sender as text', () => {
    const { pubsub, router } = openFakeGossip(TOPIC)
    for (const verdict of VERDICTS) pubsub.settle(TOPIC, `ticket ${verdict}`, 'sender', verdict)
    assert.deepEqual(
      router.reports.map(({ ticket, source, verdict }) => [ticket, source, verdict]),
      [
        ['ticket accept', 'sender', 'accept'],
        ['ticket ignore', 'sender', 'ignore'],
        ['ticket reject', 'sender', 'reject'],
      ],
    )
  })

  for (const failure of [undefined, new Error('a bug')]) {
    test(`passes on to all subscribers where that is wanted, and the mesh is as before${failure ? ', also when it fails' : ''}`, () => {
      const { pubsub, router } = openFakeGossip(TOPIC, { toAll: true })
      router.join('a', 'b', 'c')
      router.mesh.set(TOPIC, new Set(['a']))
      router.failure = failure
      const settle = () => pubsub.settle(TOPIC, 'ticket', 'sender', 'accept')
      if (failure === undefined) settle()
      else assert.throws(settle, failure)
      assert.deepEqual(router.reports[0]?.mesh, ['a', 'b', 'c'])
      assert.deepEqual(router.getMeshPeers(TOPIC), ['a'])
    })
  }

  test('other than accept concerns nobody else', () => {
    const { pubsub, router } = openFakeGossip(TOPIC, { toAll: true })
    router.join('a', 'b')
    router.mesh.set(TOPIC, new Set(['a']))
    pubsub.settle(TOPIC, 'ticket', 'sender', 'reject')
    assert.deepEqual(router.reports[0]?.mesh, ['a'])
  })
})

describe('gossip is opened again', () => {
  /** At which of the next heartbeats the router was told to connect. */
  function beatsOf(opened: ReturnType<typeof openFakeGossip>, count: number): number[] {
    const beats: number[] = []
    for (let beat = 1; beat <= count; beat++) {
      const before = opened.router.connected.length
      opened.router.heartbeat()
      if (opened.router.connected.length > before) beats.push(beat)
    }
    return beats
  }

  const failures: { id: string; fail: (opened: ReturnType<typeof openFakeGossip>) => void }[] = [
    { id: 'the stream to it was cut', fail: ({ router }) => router.streamsOutbound.delete('a') },
    {
      id: 'gossip has removed it',
      fail: ({ router }) => {
        router.streamsOutbound.delete('a')
        router.peers.delete('a')
      },
    },
  ]
  for (const { id, fail } of failures) {
    test(`with a connected peer when ${id}, ever more rarely`, () => {
      const opened = openFakeGossip(TOPIC)
      opened.router.join('a', 'b')
      opened.connections.add('a').add('b')
      opened.router.heartbeat()
      fail(opened)
      assert.deepEqual(beatsOf(opened, 40), [2, 4, 8, 16, 32])
      assert.deepEqual(new Set(opened.router.connected), new Set(['a']))
      assert.equal(opened.metrics.read().floodgate_gossip_revived_total, 5)
      assert.equal(opened.log.lines.filter(({ level }) => level === 'warn').length, 5)

      opened.router.join('a')
      assert.deepEqual(beatsOf(opened, 10), [])
      fail(opened)
      assert.deepEqual(beatsOf(opened, 5), [2, 4], 'it does not begin anew')
    })
  }

  test('with a peer that was removed before the first heartbeat', async () => {
    const opened = openFakeGossip(TOPIC)
    opened.connections.add('a')
    await opened.router.pipePeerReadStream(peerId('a'), framesOf())
    assert.deepEqual(beatsOf(opened, 5), [2, 4])
  })

  test('not with a peer whose connection has closed', () => {
    const opened = openFakeGossip(TOPIC)
    opened.router.join('a')
    opened.connections.add('a')
    opened.router.heartbeat()
    opened.router.peers.delete('a')
    opened.connections.delete('a')
    assert.deepEqual(beatsOf(opened, 10), [])
    // It is forgotten: when it connects again, gossip learns of it by itself.
    opened.connections.add('a')
    assert.deepEqual(beatsOf(opened, 10), [])
  })
})

describe('an answer to IWANT', () => {
  const third = Math.floor(GOSSIP_FRAME_MAX_BYTES / 3)
  const cases: { id: string; sizes: number[]; sent: boolean[] }[] = [
    { id: 'small messages', sizes: [10, 20, 30], sent: [true, true, true] },
    { id: 'more than fits', sizes: [third, third, third], sent: [true, true, false] },
    {
      id: 'a small one after one that does not fit',
      sizes: [third, third, third, 10],
      sent: [true, true, false, true],
    },
    { id: 'the largest message alone', sizes: [GOSSIP_FRAME_MAX_BYTES - 1_024], sent: [true] },
    {
      id: 'a message that nobody can carry is not held back',
      sizes: [2 * GOSSIP_FRAME_MAX_BYTES],
      sent: [true],
    },
  ]
  for (const { id, sizes, sent } of cases) {
    test(`holds what fits into one frame: ${id}`, () => {
      const { router, dropped } = openFakeGossip(TOPIC)
      for (const [index, size] of sizes.entries()) router.cached.set(`${index}`, size)
      const found = sizes.map((_, index) => router.mcache.getWithIWantCount(`${index}`, 'a') !== null)
      assert.deepEqual(found, sent)
      assert.equal(dropped('answer-full'), sent.filter(isSent => !isSent).length)
    })
  }

  test('is measured anew for each peer, and each time', async () => {
    const { router } = openFakeGossip(TOPIC)
    router.cached.set('large', GOSSIP_FRAME_MAX_BYTES - 1_024)
    const ask = (peer: string) => router.mcache.getWithIWantCount('large', peer) !== null
    assert.equal(ask('a'), true)
    assert.equal(ask('a'), false)
    assert.equal(ask('b'), true)
    await settleMicrotasks()
    assert.equal(ask('b'), true)
    assert.equal(router.mcache.getWithIWantCount('unknown', 'b'), null)
  })
})

/** Frames as they come from a stream, and how it ends. */
async function* framesOf(frames: unknown[] = [], end?: Error): AsyncGenerator<Buffer> {
  for (const frame of frames) yield Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame))
  if (end !== undefined) throw end
}

function namedError(name: string): Error {
  return Object.assign(new Error(`a ${name}`), { name })
}

describe('what a peer sends', () => {
  test('is let through where we have subscribed, within the limit', async () => {
    const opened = openFakeGossip(TOPIC, { maxPayloadBytes: 4 })
    const frame = [
      { topic: TOPIC, text: 'fits' },
      { topic: TOPIC, text: 'large' },
      { topic: 'other', text: 'x' },
      { topic: TOPIC, text: '' },
    ]
    await opened.router.pipePeerReadStream(peerId('a'), framesOf([frame]))
    assert.deepEqual(opened.router.received, [['a', 'fits', '']])
    assert.deepEqual(opened.offences, ['a oversized 5 bytes on tx, limit 4'])
    assert.equal(opened.dropped('unsubscribed'), 1)
    assert.equal(opened.dropped('oversized'), 1)
    assert.equal(opened.pubsub.copies(TOPIC), 3)
    assert.equal(opened.pubsub.copies('other'), 0)
  })

  test('and does not decode is blamed on it, and what follows is still read', async () => {
    const opened = openFakeGossip(TOPIC)
    const frames = ['{', [{ topic: TOPIC, text: 'good' }], '}']
    await Promise.all([
      opened.router.pipePeerReadStream(peerId('bad'), framesOf(frames)),
      opened.router.pipePeerReadStream(peerId('good'), framesOf([[{ topic: TOPIC, text: 'fine' }]])),
    ])
    assert.deepEqual(
      opened.offences.map(line => line.split(' ').slice(0, 2).join(' ')),
      ['bad malformed', 'bad malformed'],
    )
    assert.deepEqual(opened.router.received.toSorted(), [
      ['bad', 'good'],
      ['good', 'fine'],
    ])
  })

  const ends: { name: string; isBlamed: boolean }[] = [
    { name: 'InvalidDataLengthError', isBlamed: true },
    { name: 'InvalidDataLengthLengthError', isBlamed: true },
    { name: 'InvalidMessageLengthError', isBlamed: true },
    { name: 'UnexpectedEOFError', isBlamed: false },
    { name: 'StreamResetError', isBlamed: false },
    { name: 'AbortError', isBlamed: false },
  ]
  for (const { name, isBlamed } of ends) {
    test(`and ends with ${name} is ${isBlamed ? 'blamed' : 'not blamed'}, and gossip is told`, async () => {
      const opened = openFakeGossip(TOPIC)
      await opened.router.pipePeerReadStream(peerId('a'), framesOf([], namedError(name)))
      assert.deepEqual(opened.offences, isBlamed ? [`a malformed a ${name}`] : [])
      assert.deepEqual(opened.router.streamErrors, [`a ${name}`])
    })
  }

  test('is counted anew after the topic was left', async () => {
    const opened = openFakeGossip(TOPIC)
    const frames = () => framesOf([[{ topic: TOPIC, text: 'x' }]])
    await opened.router.pipePeerReadStream(peerId('a'), frames())
    opened.pubsub.unsubscribe(TOPIC)
    await opened.router.pipePeerReadStream(peerId('a'), frames())
    assert.equal(opened.pubsub.copies(TOPIC), 0)
    assert.equal(opened.dropped('unsubscribed'), 1)
    opened.pubsub.subscribe(TOPIC, { toAll: false, maxPayloadBytes: 100 })
    await opened.router.pipePeerReadStream(peerId('a'), frames())
    assert.equal(opened.pubsub.copies(TOPIC), 1)
  })
})
