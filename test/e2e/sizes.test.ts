/**
 * Large messages. gossipsub carries frames below 4 MiB and loses longer ones without an error: also an answer in
 * which it puts together several messages that would each have fit.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { GOSSIP_PAYLOAD_MAX_BYTES, TOPIC_MAX_BYTES } from '../../src/core/limits.ts'
import { messageHex, type Node, type NodeConfig } from '../../src/index.ts'
import { startHandPeer } from './support/bare.ts'
import {
  addressOf,
  connectLine,
  gather,
  propagateText,
  QUICK_GOSSIP,
  startNodes,
  TOPIC,
  untilMeshed,
} from './support/nodes.ts'
import { sumOf } from './support/samples.ts'
import { until } from './support/until.ts'

const largest: NodeConfig = { topicDefaults: { maxPayloadBytes: GOSSIP_PAYLOAD_MAX_BYTES } }

for (const signing of ['none', 'strict'] as const) {
  test(`the largest payload on the longest topic arrives, signing: ${signing}`, {
    timeout: 30_000,
  }, async t => {
    const topic = 'x'.repeat(TOPIC_MAX_BYTES)
    const nodes = await startNodes(t, 3, { ...largest, gossip: { signing } })
    const [first, , last] = nodes as [Node, Node, Node]
    const ids: string[] = []
    for (const node of nodes) node.subscribe(topic, () => 'accept')
    last.on('message', message => ids.push(messageHex(message.id)))
    await connectLine(nodes)
    await untilMeshed(nodes, topic)

    const payload = randomBytes(GOSSIP_PAYLOAD_MAX_BYTES)
    const { id } = await first.propagate(topic, payload)
    await until('it is there', () => ids.length === 1)
    assert.deepEqual(ids, [messageHex(id)])

    await assert.rejects(first.propagate(topic, Buffer.concat([payload, payload.subarray(0, 1)])), {
      code: 'TOO_LARGE',
      message: new RegExp(
        `^${GOSSIP_PAYLOAD_MAX_BYTES + 1} bytes .*maxPayloadBytes ${GOSSIP_PAYLOAD_MAX_BYTES}`,
      ),
    })
  })
}

test('a payload over the limit of its receiver is dropped, counted and blamed', {
  timeout: 20_000,
}, async t => {
  const [sender, receiver, behind] = (await startNodes(t, 3)) as [Node, Node, Node]
  gather(sender)
  const received = gather(receiver, () => 'accept', { maxPayloadBytes: 1_000 })
  const receivedBehind = gather(behind)
  await connectLine([sender, receiver, behind])
  await untilMeshed([sender, receiver, behind])
  const offences: string[] = []
  receiver.on('offence', (peer, offence, detail) => offences.push(`${peer} ${offence} ${detail}`))

  await propagateText(sender, 'x'.repeat(1_001))
  await propagateText(sender, 'y'.repeat(1_000))
  await until('the second one is passed on', () => receivedBehind.length === 1)

  assert.deepEqual(
    received.map(({ text }) => text[0]),
    ['y'],
  )
  assert.deepEqual(
    receivedBehind.map(({ text }) => text[0]),
    ['y'],
  )
  assert.deepEqual(offences, [`${sender.peer} oversized 1001 bytes on ${TOPIC}, limit 1000`])
  assert.equal(
    receiver
      .peers()
      .find(({ peer }) => peer === sender.peer)
      ?.score.toFixed(1),
    '-10.0',
  )
  const metrics = await receiver.metrics()
  assert.equal(sumOf(metrics, 'floodgate_gossip_dropped_total', { reason: 'oversized' }), 1)
  assert.equal(sumOf(metrics, 'floodgate_offences_total', { offence: 'oversized' }), 1)
})

const MESSAGES = 3
const MESSAGE_BYTES = 1_800_000

/** The origin has room in its mesh for one neighbour only: whoever comes second hears of messages by their ids. */
const onlyOneNeighbour: NodeConfig = {
  gossip: { ...QUICK_GOSSIP, degree: 1, degreeLow: 1, degreeHigh: 1 },
  topicDefaults: { maxPayloadBytes: MESSAGE_BYTES },
}

test('messages that fill more than one frame and are asked for at once all arrive', {
  timeout: 30_000,
}, async t => {
  const [origin, neighbour] = (await startNodes(t, 2, onlyOneNeighbour)) as [Node, Node]
  const [outsider] = (await startNodes(t, 1, { ...onlyOneNeighbour, gossip: QUICK_GOSSIP })) as [Node]
  gather(origin)
  gather(neighbour)
  await connectLine([neighbour, origin])
  await untilMeshed([origin, neighbour])
  const received = gather(outsider)
  await outsider.connect(addressOf(origin))
  await until('the outsider is known', () => origin.topicStats(TOPIC)?.subscribers === 2)

  const payloads = Array.from({ length: MESSAGES }, () => randomBytes(MESSAGE_BYTES))
  const results = await Promise.all(payloads.map(payload => origin.propagate(TOPIC, payload)))
  assert.deepEqual(
    results.map(({ recipients }) => recipients),
    [1, 1, 1],
    'the outsider was in the mesh',
  )
  await until('the outsider has all', () => received.length === MESSAGES)

  const answerFull = sumOf(await origin.metrics(), 'floodgate_gossip_dropped_total', {
    reason: 'answer-full',
  })
  assert.ok(answerFull >= 1, 'no answer was too long for one frame: the test tests nothing')
})

test('an answer holds as many messages as fit, and the others when they are asked for again', {
  timeout: 20_000,
}, async t => {
  const config = { topicDefaults: { maxPayloadBytes: MESSAGE_BYTES } }
  const [node, other] = (await startNodes(t, 2, config)) as [Node, Node]
  // What nobody has joined is not kept for anybody.
  for (const each of [node, other]) gather(each)
  await node.connect(addressOf(other))
  await untilMeshed([node, other])
  const payloads = Array.from({ length: MESSAGES }, () => randomBytes(MESSAGE_BYTES))
  const ids = await Promise.all(payloads.map(async payload => (await node.propagate(TOPIC, payload)).id))
  const peer = await startHandPeer(t, addressOf(node))
  const ask = (messageIDs: Uint8Array[]) =>
    peer.send({ control: { ihave: [], iwant: [{ messageIDs }], graft: [], prune: [], idontwant: [] } })
  const answers = () => peer.frames.filter(frame => frame.messages.length > 0).map(frame => frame.messages)

  ask(ids)
  await until('an answer', () => answers().length === 1)
  ask(ids.slice(2))
  await until('the second answer', () => answers().length === 2)

  const sent = answers().map(messages =>
    messages.map(message => payloads.findIndex(p => p.equals(message.data ?? new Uint8Array()))),
  )
  assert.deepEqual(sent, [[0, 1], [2]])
})
