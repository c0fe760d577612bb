/**
 * Further copies of a message, with the library itself: it has no event for them, and we hear of them through its
 * score (`#watchCopies`).
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openRealGossip } from './real-gossip.ts'

const TOPIC = 'tx/announce'
const SILENT = 'tx'

const payload = (text: string, topic = TOPIC) => ({ topic, data: Buffer.from(text) })

describe('an echo', () => {
  test('is told for each further copy, while the message waits and after its verdict', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const [a, b, c] = ['a', 'b', 'c'].map((name, at) => gossip.connect(name, `192.0.2.${at + 1}`))
    assert.ok(a && b && c)
    await a.send({ messages: [payload('m')] })
    assert.deepEqual(gossip.echoes, [])
    await b.send({ messages: [payload('m')] })
    assert.deepEqual(gossip.echoes, ['message 0 by b'])
    gossip.pubsub.settle(TOPIC, gossip.tickets[0] ?? '', 'a', 'accept')
    await c.send({ messages: [payload('m')] })
    assert.deepEqual(gossip.echoes, ['message 0 by b', 'message 0 by c'])
    assert.deepEqual(gossip.received, [{ from: 'a', topic: TOPIC, text: 'm' }])
  })

  test('names the message that it is a copy of', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    await gossip.connect('a').send({ messages: [payload('m'), payload('n')] })
    await gossip.connect('b', '192.0.2.2').send({ messages: [payload('n'), payload('o'), payload('m')] })
    assert.deepEqual(gossip.echoes, ['message 1 by b', 'message 0 by b'])
  })

  test('is not told on other topics', async t => {
    const gossip = await openRealGossip(t, [SILENT])
    for (const [name, ip] of [
      ['a', '192.0.2.1'],
      ['b', '192.0.2.2'],
    ] as const)
      await gossip.connect(name, ip).send({ messages: [payload('m', SILENT)] })
    assert.deepEqual(gossip.echoes, [])
    assert.equal(gossip.pubsub.copies(SILENT), 2)
  })

  test('is not told after the topic was left, nor after the end', async t => {
    const gossip = await openRealGossip(t, [TOPIC])
    const a = gossip.connect('a')
    const b = gossip.connect('b', '192.0.2.2')
    await a.send({ messages: [payload('m')] })
    gossip.pubsub.unsubscribe(TOPIC)
    await b.send({ messages: [payload('m')] })
    gossip.pubsub.subscribe(TOPIC, { toAll: false, maxPayloadBytes: 1_000, echoes: true })
    await gossip.pubsub.stop()
    await b.send({ messages: [payload('m')] })
    assert.deepEqual(gossip.echoes, [])
  })
})
