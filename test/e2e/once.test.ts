/**
 * A message is handled once for as long as it counts as seen, however often it comes and from wherever. gossipsub
 * remembers for a shorter time than we do, or a longer one, and throws at who publishes twice.
 */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { messageHex, type Node } from '../../src/index.ts'
import { FLOODGATE_GOSSIP, startGossipPeer } from './support/bare.ts'
import {
  acceptingLine,
  addressOf,
  gather,
  propagateText,
  QUICK_GOSSIP,
  startNodes,
  TOPIC,
  textOf,
} from './support/nodes.ts'
import { until } from './support/until.ts'

test('the same payload propagated by two nodes is delivered once', { timeout: 20_000 }, async t => {
  const { nodes, inboxes } = await acceptingLine(t, 3)
  const [first, middle, last] = nodes as [Node, Node, Node]
  const [one, other] = await Promise.all([propagateText(first, 'same'), propagateText(last, 'same')])
  assert.equal(messageHex(one.id), messageHex(other.id))
  await propagateText(first, 'end')
  await propagateText(last, 'end too')
  await until('both ends are everywhere', () => inboxes.map(inbox => inbox.length).join() === '1,3,1')
  assert.deepEqual(new Set(inboxes[1]?.map(({ text }) => text)), new Set(['same', 'end', 'end too']))

  const again = await propagateText(middle, 'same')
  assert.deepEqual(
    { ...again, id: messageHex(again.id) },
    { id: messageHex(one.id), sent: true, seen: true, recipients: 0 },
  )
})

test('a message that gossipsub has forgotten and gets again is not handled again', {
  timeout: 20_000,
}, async t => {
  const [node] = (await startNodes(t, 1, { gossip: QUICK_GOSSIP })) as [Node]
  const asked: string[] = []
  gather(node, message => asked.push(textOf(message)) > 0)
  const peer = await startGossipPeer(t, { ...FLOODGATE_GOSSIP, heartbeatInterval: 200 })
  const { gossip } = peer.services
  await peer.dial(multiaddr(addressOf(node)))
  await until('the peer knows whom to send to', () => gossip.getSubscribers(TOPIC).length === 1)
  const publish = (text: string) => gossip.publish(TOPIC, Buffer.from(text))
  const copies = () => node.topicStats(TOPIC)?.copies ?? 0

  await publish('again')
  await until('it is handled', () => asked.length === 1)
  await assert.rejects(publish('again'), /Duplicate/, 'the peer itself has not forgotten it yet')

  // gossipsub's memory of ids goes by the calendar, ours by the monotonic clock.
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 180_000 })
  t.after(() => mock.timers.reset())
  await until('the peer has forgotten it', () =>
    publish('again').then(
      () => true,
      () => false,
    ),
  )
  await until('the second copy is there', () => copies() === 2)
  await publish('end')
  await until('the end is handled', () => asked.includes('end'))
  assert.deepEqual(asked, ['again', 'end'])

  const again = await propagateText(node, 'again')
  assert.equal(again.seen, true)
})

test('propagate of a message that only gossipsub remembers says seen, and does not throw', {
  timeout: 20_000,
}, async t => {
  const seenMax = 1_000
  const { nodes } = await acceptingLine(t, 2, { gossip: { seenMax } })
  const [first, last] = nodes as [Node, Node]
  const { id } = await propagateText(first, 'known')
  for (let number = 0; number < 2 * seenMax; number++) await propagateText(first, `other ${number}`)
  await until('all are there', () => last.topicStats(TOPIC)?.accepted === 2 * seenMax + 1)

  const again = await propagateText(first, 'known')
  assert.deepEqual(
    { ...again, id: messageHex(again.id) },
    { id: messageHex(id), sent: true, seen: true, recipients: 0 },
  )
})

test('propagate says whether there is anybody at all', { timeout: 20_000 }, async t => {
  const [alone, other] = (await startNodes(t, 2)) as [Node, Node]
  gather(alone)
  const lonely = await propagateText(alone, 'nobody is connected')
  assert.deepEqual({ sent: lonely.sent, recipients: lonely.recipients }, { sent: false, recipients: 0 })

  await alone.connect(addressOf(other))
  const unheard = await propagateText(alone, 'nobody has subscribed')
  assert.deepEqual({ sent: unheard.sent, recipients: unheard.recipients }, { sent: true, recipients: 0 })

  const inbox = gather(other)
  await until('the other has subscribed', () => alone.topicStats(TOPIC)?.subscribers === 1)
  const heard = await propagateText(alone, 'somebody has')
  assert.deepEqual({ sent: heard.sent, recipients: heard.recipients }, { sent: true, recipients: 1 })
  await until('it is there', () => inbox.length === 1)
})
