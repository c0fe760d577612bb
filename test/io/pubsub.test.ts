/**
 * The adapter against a gossipsub made by hand: each of its rules, without time and sockets. That the real library
 * behaves as assumed here is shown by the tests in `test/e2e`.
 */
import assert from 'node:assert/strict'
import { describe, mock, type TestContext, test } from 'node:test'
import { GOSSIP_FRAME_MAX_BYTES } from '../../src/core/limits.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { openFakeGossip, OUTBOUND_BUFFER_BYTES, peerId, VERDICTS } from './fake-gossip.ts'

const TOPIC = 'tx'

const publishing = (opened: ReturnType<typeof openFakeGossip>, text: string) =>
  opened.pubsub.publish(TOPIC, Buffer.from(text))

const texts = ({ router }: ReturnType<typeof openFakeGossip>): string[] => router.published.map(({ text }) => text)

describe('a verdict', () => {
  test('is told to gossip with the sender as text', () => {
    const { pubsub, router } = openFakeGossip(TOPIC)
    for (const verdict of VERDICTS) pubsub.settle(TOPIC, `ticket ${verdict}`, 'sender', verdict)
    assert.deepEqual(router.reports.map(({ ticket, source, verdict }) => [ticket, source, verdict]), [
      ['ticket accept', 'sender', 'accept'],
      ['ticket ignore', 'sender', 'ignore'],
      ['ticket reject', 'sender', 'reject'],
    ])
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

describe('publish', () => {
  for (const toAll of [true, false]) {
    test(`goes to ${toAll ? 'all subscribers' : 'the mesh'}`, async () => {
      const opened = openFakeGossip(TOPIC, { toAll })
      opened.router.join('a', 'b')
      assert.deepEqual(await publishing(opened, 'text'), { recipients: 2, seen: false })
      assert.deepEqual(opened.router.published, [{ topic: TOPIC, text: 'text', flood: toAll }])
    })
  }

  test('of what gossip knows is no error, every other failure is', async () => {
    const opened = openFakeGossip(TOPIC)
    opened.router.failure = new Error('PublishError.Duplicate')
    assert.deepEqual(await publishing(opened, 'text'), { recipients: 0, seen: true })
    opened.router.failure = new Error('PublishError.Uninitialized')
    await assert.rejects(publishing(opened, 'text'), /Uninitialized/)
  })
})

/** Timers that fire when the test says so. */
function holdTimers(t: TestContext): (ms: number) => Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.after(() => mock.timers.reset())
  return async ms => {
    for (let passedMs = 0; passedMs < ms; passedMs += 10) {
      mock.timers.tick(10)
      await settleMicrotasks()
    }
  }
}

const FULL = OUTBOUND_BUFFER_BYTES / 2 + 1

describe('publish waits', () => {
  const cases: { id: string; full: string[]; cut: string[]; waits: boolean }[] = [
    { id: 'nobody is behind', full: [], cut: [], waits: false },
    { id: 'one of three is behind', full: ['a'], cut: [], waits: false },
    { id: 'two of three are behind', full: ['a', 'b'], cut: [], waits: true },
    { id: 'one is behind of the two whose streams stand', full: ['a'], cut: ['c'], waits: false },
    { id: 'the only one is behind whose stream stands', full: ['a'], cut: ['b', 'c'], waits: true },
    { id: 'all streams are cut', full: [], cut: ['a', 'b', 'c'], waits: false },
  ]
  for (const { id, full, cut, waits } of cases) {
    test(`${waits ? 'when' : 'not when'} ${id}`, async t => {
      const pass = holdTimers(t)
      const opened = openFakeGossip(TOPIC)
      const { router, metrics } = opened
      router.join('a', 'b', 'c')
      for (const name of full) router.fill(name, FULL)
      for (const name of cut) router.streamsOutbound.delete(name)
      const result = publishing(opened, 'text')
      await pass(100)
      assert.equal(router.published.length, waits ? 0 : 1)
      assert.equal(metrics.read()['floodgate_publish_waits_total'] ?? 0, waits ? 1 : 0)
      for (const name of full) router.fill(name, 0)
      await pass(10)
      await result
      assert.equal(router.published.length, 1)
    })
  }

  test('also for the receivers of a topic without a subscription', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    const { router, pubsub } = opened
    router.join('a')
    router.fanout.set('other', new Set(['a']))
    router.fill('a', FULL)
    const result = pubsub.publish('other', Buffer.from('text'))
    await pass(100)
    assert.equal(router.published.length, 0)
    router.fill('a', 0)
    await pass(10)
    await result
  })

  test('and messages leave in their order', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    const { router } = opened
    router.join('a')
    router.fill('a', FULL)
    const results = ['1', '2', '3'].map(text => publishing(opened, text))
    await pass(50)
    router.fill('a', 0)
    results.push(publishing(opened, '4'))
    await pass(50)
    await Promise.all(results)
    assert.deepEqual(texts(opened), ['1', '2', '3', '4'])
    await publishing(opened, '5')
    assert.deepEqual(texts(opened).at(-1), '5', 'the line does not end')
  })

  test('but no longer than ten seconds', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    opened.router.join('a')
    opened.router.fill('a', FULL)
    const result = publishing(opened, 'text')
    await pass(9_900)
    assert.equal(opened.router.published.length, 0)
    await pass(200)
    assert.deepEqual(await result, { recipients: 1, seen: false })
  })

  test('for the first subscriber while a connection is young', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    opened.world.isSettling = true
    const result = publishing(opened, 'text')
    await pass(500)
    assert.equal(opened.router.published.length, 0)
    opened.router.join('a')
    assert.deepEqual(await result, { recipients: 1, seen: false })
  })

  test('but not for ever, and not when no connection is young', async t => {
    const pass = holdTimers(t)
    const opened = openFakeGossip(TOPIC)
    assert.deepEqual(await publishing(opened, 'alone'), { recipients: 0, seen: false })
    opened.world.isSettling = true
    const result = publishing(opened, 'unheard')
    await pass(2_000)
    assert.deepEqual(await result, { recipients: 0, seen: false })
    assert.deepEqual(texts(opened), ['alone', 'unheard'])
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
      assert.equal(opened.metrics.read()['floodgate_gossip_revived_total'], 5)
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
    { id: 'a small one after one that does not fit', sizes: [third, third, third, 10], sent: [true, true, false, true] },
    { id: 'the largest message alone', sizes: [GOSSIP_FRAME_MAX_BYTES - 1_024], sent: [true] },
    { id: 'a message that nobody can carry is not held back', sizes: [2 * GOSSIP_FRAME_MAX_BYTES], sent: [true] },
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
    assert.deepEqual(opened.offences.map(line => line.split(' ').slice(0, 2).join(' ')), ['bad malformed', 'bad malformed'])
    assert.deepEqual(opened.router.received.toSorted(), [['bad', 'good'], ['good', 'fine']])
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
