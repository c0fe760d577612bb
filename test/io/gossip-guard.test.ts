/**
 * The guard in front of the real library: what of a peer's gossip reaches it, and what the peer is blamed for.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { delimited, encode, type Frame, openRealGossip, type RealGossip } from './real-gossip.ts'

const TOPIC = 'tx'
const OFFERED = new Uint8Array(20).fill(7)

const subscription = (topic: string) => ({ topic, subscribe: true })
const payload = (text: string, topic = TOPIC) => ({ topic, data: Buffer.from(text) })
const SUBSCRIBE: Frame = { subscriptions: [subscription(TOPIC)] }

const texts = ({ received }: RealGossip): string[] => received.map(({ from, text }) => `${from} ${text}`)
const blamed = ({ offences }: RealGossip): string[] =>
  offences.map(({ peer, offence }) => `${peer} ${offence}`)

describe('messages', () => {
  test('are let through where we have subscribed, within the limit', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const large = 'x'.repeat(1_001)
    const messages = [payload('fits'), payload(large), payload('x', 'other'), payload('')]
    await gossip.connect('a').send({ messages })
    assert.deepEqual(texts(gossip), ['a fits', 'a '])
    assert.deepEqual(gossip.offences, [
      { peer: 'a', offence: 'oversized', detail: '1001 bytes on tx, limit 1000' },
    ])
    assert.equal(gossip.dropped('unsubscribed'), 1)
    assert.equal(gossip.dropped('oversized'), 1)
    assert.equal(gossip.pubsub.copies(TOPIC), 3)
    assert.equal(gossip.pubsub.copies('other'), 0)
  })

  test('are counted anew after the topic was left', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const a = gossip.connect('a')
    await a.send({ messages: [payload('1')] })
    gossip.pubsub.unsubscribe(TOPIC)
    await a.send({ messages: [payload('2')] })
    assert.equal(gossip.pubsub.copies(TOPIC), 0)
    assert.equal(gossip.dropped('unsubscribed'), 1)
    gossip.pubsub.subscribe(TOPIC, { toAll: false, maxPayloadBytes: 100 })
    await a.send({ messages: [payload('3')] })
    assert.equal(gossip.pubsub.copies(TOPIC), 1)
  })
})

/** A prune of our topic whose back-off is any number of 64 bits. */
function prune(backoff: bigint): Uint8Array {
  const digits: number[] = []
  let rest = backoff
  for (; rest >= 0x80n; rest /= 0x80n) digits.push(Number(rest % 0x80n) | 0x80)
  const body = Buffer.concat([
    Uint8Array.of(0x0a, TOPIC.length),
    Buffer.from(TOPIC),
    Uint8Array.of(0x18, ...digits, Number(rest)),
  ])
  return Buffer.concat([Uint8Array.of(0x1a, body.byteLength + 2, 0x22, body.byteLength), body])
}

describe('a frame', () => {
  const ids = (count: number) => Array.from({ length: count }, () => OFFERED)
  const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item)
  const ihave = { topicID: TOPIC, messageIDs: ids(1) }
  const cases: { id: string; frame: Frame | Uint8Array; offence: string }[] = [
    { id: 'that does not decode', frame: Uint8Array.of(0x12, 0x7f, 0x01), offence: 'malformed' },
    // gossipsub's decoder reads numbers up to 2^53 − 1.
    { id: 'with a back-off of 2^53 s', frame: prune(2n ** 53n), offence: 'malformed' },
    { id: 'with a back-off of 2^64 − 1 s', frame: prune(2n ** 64n - 1n), offence: 'malformed' },
    { id: 'with a back-off of 2^53 − 1 s', frame: prune(2n ** 53n - 1n), offence: 'gossip-backoff' },
    { id: 'with a back-off of 2^32 s', frame: prune(2n ** 32n), offence: 'gossip-backoff' },
    { id: 'of 1,025 messages', frame: { messages: many(1_025, payload('x')) }, offence: 'gossip-limits' },
    {
      id: 'of 1,025 subscriptions',
      frame: { subscriptions: many(1_025, subscription(TOPIC)) },
      offence: 'gossip-limits',
    },
    { id: 'of 1,025 offers', frame: { control: { ihave: many(1_025, ihave) } }, offence: 'gossip-limits' },
    {
      id: 'of 5,001 ids in one offer',
      frame: { control: { ihave: [{ topicID: TOPIC, messageIDs: ids(5_001) }] } },
      offence: 'gossip-limits',
    },
    {
      id: 'of 5,001 ids in one request',
      frame: { control: { iwant: [{ messageIDs: ids(5_001) }] } },
      offence: 'gossip-limits',
    },
    {
      id: 'of 513 ids in one refusal',
      frame: { control: { idontwant: [{ messageIDs: ids(513) }] } },
      offence: 'gossip-limits',
    },
    {
      id: 'of 17 peers in one prune',
      frame: { control: { prune: [{ topicID: TOPIC, peers: many(17, { peerID: OFFERED }) }] } },
      offence: 'gossip-limits',
    },
    {
      id: 'of 70,000 ids in fourteen offers',
      frame: { control: { ihave: many(14, { topicID: TOPIC, messageIDs: ids(5_000) }) } },
      offence: 'gossip-limits',
    },
  ]
  for (const { id, frame, offence } of cases) {
    test(`${id} is blamed on its sender, and what follows is read`, async t => {
      const gossip = await openRealGossip(t, [TOPIC])
      const [bad, good] = [gossip.connect('bad'), gossip.connect('good')]
      await Promise.all([
        bad.send(frame, { messages: [payload('after')] }, frame),
        good.send({ messages: [payload('fine')] }),
      ])
      assert.deepEqual(blamed(gossip), many(2, `bad ${offence}`))
      assert.equal(gossip.dropped(offence), 2)
      assert.deepEqual(texts(gossip).toSorted(), ['bad after', 'good fine'])
    })
  }

  test('longer than frames may be ends its stream, and the peer may open another', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const a = gossip.connect('a')
    const stream = a.open()
    await settleMicrotasks()
    stream.onData(Uint8Array.of(0xff, 0xff, 0xff, 0x7f))
    await settleMicrotasks()
    assert.equal(stream.isReset, true, 'nobody would read it')
    assert.deepEqual(blamed(gossip), ['a malformed'])
    a.open()
    await a.send({ messages: [payload('again')] })
    assert.deepEqual(texts(gossip), ['a again'])
  })

  test('of a peer that gossip has removed leaves nothing behind', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const a = gossip.connect('a')
    await a.send(SUBSCRIBE)
    gossip.router.onPeerDisconnected(a.id)
    await a.send(SUBSCRIBE, {
      messages: [payload('late')],
      control: { idontwant: [{ messageIDs: [OFFERED] }] },
    })
    assert.equal(gossip.dropped('gone'), 2)
    assert.deepEqual([gossip.pubsub.subscribers(TOPIC), texts(gossip)], [[], []])
  })
})

describe('a stream that ends', () => {
  test('is no offence, and the peer is removed until it opens another', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const a = gossip.connect('a')
    const stream = a.open()
    await settleMicrotasks()
    stream.onRemoteReset()
    await settleMicrotasks()
    assert.deepEqual([gossip.router.peers.size, gossip.offences], [0, []])
    a.open()
    await a.send(SUBSCRIBE)
    assert.deepEqual(gossip.pubsub.subscribers(TOPIC), ['a'])
  })

  test('after another one was opened does not concern that one', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const a = gossip.connect('a')
    const older = a.open()
    await settleMicrotasks()
    a.open()
    await a.send(SUBSCRIBE)
    older.onRemoteReset()
    await settleMicrotasks()
    await a.send({ messages: [payload('still here')] })
    assert.deepEqual(gossip.pubsub.subscribers(TOPIC), ['a'])
    assert.deepEqual(texts(gossip), ['a still here'])
  })
})

describe('before the handshake', () => {
  test('nothing of a peer reaches gossip, and then all of it, in order', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const { promise, resolve } = Promise.withResolvers<boolean>()
    gossip.greetings.greeted = () => promise
    const a = gossip.connect('a')
    const graft: Frame = { control: { graft: [{ topicID: TOPIC }] } }
    await a.send(SUBSCRIBE, graft, { messages: [payload('1')] }, { messages: [payload('2'), payload('3')] })
    await gossip.beat()
    assert.deepEqual([gossip.pubsub.subscribers(TOPIC), gossip.pubsub.meshPeers(TOPIC)], [[], []])
    assert.deepEqual(texts(gossip), [])
    assert.equal(a.opened.length, 1, 'what we have to say does not wait')

    resolve(true)
    await settleMicrotasks()
    assert.deepEqual(texts(gossip), ['a 1', 'a 2', 'a 3'])
    assert.deepEqual([gossip.pubsub.subscribers(TOPIC), gossip.pubsub.meshPeers(TOPIC)], [['a'], ['a']])
    await a.send({ messages: [payload('4')] })
    assert.deepEqual(texts(gossip).at(-1), 'a 4')
  })

  test('more than 64 KiB is an offence, also of a frame that is not whole', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    gossip.greetings.greeted = () => new Promise(() => {})
    const stream = gossip.connect('a').open()
    const frame = delimited(encode({ messages: [payload('x'.repeat(100_000))] }))
    stream.onData(frame.subarray(0, 65_536))
    assert.deepEqual(blamed(gossip), [])
    stream.onData(frame.subarray(65_536, 65_537))
    assert.deepEqual(blamed(gossip), ['a early-gossip'])
    assert.equal(stream.isReset, true)
  })

  test('a peer that gossip has removed meanwhile is not read, and may open another stream', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const { promise, resolve } = Promise.withResolvers<boolean>()
    gossip.greetings.greeted = () => promise
    const a = gossip.connect('a')
    const stream = a.open()
    gossip.router.onPeerDisconnected(a.id)
    resolve(true)
    await settleMicrotasks()
    assert.equal(stream.isReset, true)
    a.open()
    await a.send(SUBSCRIBE)
    assert.deepEqual(gossip.pubsub.subscribers(TOPIC), ['a'])
  })

  test('a peer that is sent away is not read', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    gossip.greetings.greeted = async () => false
    const a = gossip.connect('a')
    const stream = a.open()
    stream.onData(delimited(encode(SUBSCRIBE)))
    await settleMicrotasks()
    assert.equal(stream.isReset, true)
    assert.deepEqual([gossip.pubsub.subscribers(TOPIC), gossip.offences], [[], []])
  })
})

describe('control messages', () => {
  /** How many ids the library has asked the peer for. */
  const asked = ({ router }: RealGossip, peer: string): number =>
    (router as unknown as { iasked: Map<string, number> }).iasked.get(peer) ?? 0

  test('beyond the measure are cut, and blamed once per heartbeat', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const a = gossip.connect('a')
    let made = 0
    const offer = (count: number): Frame => {
      const messageIDs = Array.from({ length: count }, () => {
        const id = Buffer.alloc(20)
        id.writeUInt32BE(made++)
        return id
      })
      return { control: { ihave: [{ topicID: TOPIC, messageIDs }] } }
    }
    await a.send(...Array.from({ length: 25 }, () => offer(10)))
    assert.deepEqual(blamed(gossip), ['a gossip-ihave'])
    assert.equal(asked(gossip, 'a'), 100, 'the library takes ten frames')
    await gossip.beat()
    await a.send(offer(5_000), offer(5_000), offer(5_000))
    assert.deepEqual(blamed(gossip), ['a gossip-ihave', 'a gossip-ihave'])
    await gossip.beat()
    await a.send(offer(5_000), offer(5_000))
    assert.equal(blamed(gossip).length, 2)
  })

  test('with ids of another length than ours are of no use', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const messageIDs = [new Uint8Array(1_000_000), new Uint8Array(19), OFFERED]
    const lists = { ihave: [{ topicID: TOPIC, messageIDs }], idontwant: [{ messageIDs }] }
    await gossip.connect('a').send({ control: lists })
    assert.equal(gossip.dropped('odd-id'), 4)
    assert.equal(asked(gossip, 'a'), 1)
    assert.deepEqual(gossip.offences, [])
  })
})

describe('topics', () => {
  test('beyond those that are recorded are counted, and blamed once a minute', async t => {
    const gossip = await openRealGossip(t, [TOPIC], { subscriptionBytesPerPeer: 262_144 })
    const a = gossip.connect('a')
    const topics = Array.from({ length: 1_500 }, (_, number) => subscription(`topic ${number}`))
    const frames = [{ subscriptions: topics.slice(0, 750) }, { subscriptions: topics.slice(750) }]
    await a.send(...frames)
    const recorded = 1_500 - gossip.dropped('topic')
    assert.ok(recorded > 200 && recorded < 256, `${recorded} topics are recorded`)
    assert.deepEqual(blamed(gossip), ['a gossip-topics'])
    for (let beat = 0; beat < 59; beat++) await gossip.beat()
    await a.send(...frames)
    assert.equal(blamed(gossip).length, 1)
    await gossip.beat()
    await a.send(...frames)
    assert.deepEqual(blamed(gossip), ['a gossip-topics', 'a gossip-topics'])
  })

  test('that a peer has made up are no series of our metrics', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    await gossip.connect('a').send({ subscriptions: ['made', 'up', TOPIC].map(subscription) })
    const series = (await gossip.text())
      .split('\n')
      .filter(line => /^gossipsub_topic_peer_count\b/.test(line))
    assert.deepEqual(series, ['gossipsub_topic_peer_count{topicStr="tx"} 1'])
  })
})
