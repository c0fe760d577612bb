/**
 * Peers over real connections: the kept ones come back, and those that misbehave go.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Node, type NodeConfig, OFFENCES } from '../../src/index.ts'
import {
  type Accepted,
  addressOf,
  gather,
  makeNode,
  propagateText,
  startNodes,
  untilMeshed,
} from './support/nodes.ts'
import { sumOf } from './support/samples.ts'
import { until } from './support/until.ts'

/** Redials soon and often. */
const eager: NodeConfig = { connections: { redialMinMs: 50, redialMaxMs: 200 } }

/** A node that keeps its port when it is started again. */
async function steadyNode(t: TestContext): Promise<Node> {
  const [scout] = (await startNodes(t, 1)) as [Node]
  const port = addressOf(scout).split('/')[4]
  await scout.stop()
  const node = await makeNode(t, { listen: [`/ip4/127.0.0.1/tcp/${port}`] })
  await node.start()
  return node
}

test('a kept peer is dialled again when it comes back, until it is let go', { timeout: 30_000 }, async t => {
  const [node] = (await startNodes(t, 1, eager)) as [Node]
  const kept = await steadyNode(t)
  const other = await steadyNode(t)
  const inbox = gather(kept)
  gather(node)
  const address = addressOf(kept)
  const otherAddress = addressOf(other)
  await node.connect(address, { keep: true })
  await untilMeshed([node])

  const events: string[] = []
  node.on('peer:connect', peer => events.push(`connect ${peer}`))
  node.on('peer:disconnect', peer => events.push(`disconnect ${peer}`))
  await kept.stop()
  await until('it is gone', () => node.peers().length === 0)
  const failures = async () => sumOf(await node.metrics(), 'floodgate_dials_total', { result: 'failed' })
  await until('a dial has failed', async () => (await failures()) >= 1)
  await kept.start()
  await until('it is back', () => events.length === 2)
  assert.deepEqual(events, [`disconnect ${kept.peer}`, `connect ${kept.peer}`])
  await untilMeshed([node, kept])
  await propagateText(node, 'welcome')
  await until('messages flow again', () => inbox.length === 1)

  await node.disconnect(kept.peer)
  await until('it is gone again', () => node.peers().length === 0)
  // Another kept peer is lost at the same time: when that one is back, the first would have been dialled as well.
  await node.connect(otherAddress, { keep: true })
  await other.stop()
  await until('the other is gone', () => node.peers().length === 0)
  const failuresBefore = await failures()
  await until('the other was dialled three times', async () => (await failures()) >= failuresBefore + 3)
  await other.start()
  await until('the other is back', () => node.peers().length === 1)
  assert.deepEqual(
    node.peers().map(({ peer }) => peer),
    [other.peer],
  )
  assert.equal(kept.peers().length, 0)
})

test('a peer of the configuration is dialled until it is there', { timeout: 30_000 }, async t => {
  const later = await steadyNode(t)
  const address = addressOf(later)
  await later.stop()
  const [node] = (await startNodes(t, 1, { ...eager, peers: [address] })) as [Node]
  const failures = async () => sumOf(await node.metrics(), 'floodgate_dials_total', { result: 'failed' })
  await until('a dial has failed', async () => (await failures()) >= 1)
  await later.start()
  await until('it is connected', () => node.peers()[0]?.peer === later.peer)
})

/** So many rejected messages are forgiven, and not one more. */
const FORGIVEN = 3
const strict: NodeConfig = { score: { dropBelow: -(OFFENCES.rejected * FORGIVEN + 1) } }

/** A node that rejects what begins with `bad`, and a peer of it. */
async function judgeAndSender(t: TestContext): Promise<{ judge: Node; sender: Node; inbox: Accepted[] }> {
  const [judge] = (await startNodes(t, 1, strict)) as [Node]
  const [sender] = (await startNodes(t, 1)) as [Node]
  const inbox = gather(judge, ({ payload }) => !Buffer.from(payload).toString().startsWith('bad'))
  gather(sender)
  return { judge, sender, inbox }
}

let badCount = 0

async function sendBad(sender: Node, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) await propagateText(sender, `bad ${badCount++}`)
}

test('a peer whose messages are rejected too often is dropped, and its score waits for it', {
  timeout: 30_000,
}, async t => {
  const { judge, sender, inbox } = await judgeAndSender(t)
  await sender.connect(addressOf(judge))
  await untilMeshed([judge, sender])
  await sendBad(sender, FORGIVEN)
  await propagateText(sender, 'good')
  await until('the good one is there', () => inbox.length === 1)
  assert.equal(judge.peers().length, 1, 'dropped too soon')

  await sendBad(sender, 1)
  await until('it is dropped', () => judge.peers().length === 0 && sender.peers().length === 0)
  assert.equal(sumOf(await judge.metrics(), 'floodgate_drops_total', { reason: 'score' }), 1)

  // It may not even see its connection open.
  await sender.connect(addressOf(judge)).catch(() => {})
  const drops = async (): Promise<number> =>
    sumOf(await judge.metrics(), 'floodgate_drops_total', { reason: 'score' })
  await until('it is dropped at once when it comes back', async () => (await drops()) >= 2)
  await until('they are apart', () => judge.peers().length === 0)
})

test('a peer that a person keeps is scored, but stays', { timeout: 30_000 }, async t => {
  const { judge, sender, inbox } = await judgeAndSender(t)
  await judge.connect(addressOf(sender), { keep: true })
  await untilMeshed([judge, sender])
  let offences = 0
  judge.on('offence', () => offences++)
  await sendBad(sender, 2 * FORGIVEN)
  await until('all are blamed', () => offences === 2 * FORGIVEN)
  await propagateText(sender, 'good')
  await until('the good one is there', () => inbox.length === 1)
  assert.equal(judge.peers().length, 1)
  assert.ok((judge.peers()[0]?.score ?? 0) < -OFFENCES.rejected * FORGIVEN)
  assert.equal(sumOf(await judge.metrics(), 'floodgate_drops_total', { reason: 'score' }), 0)
})

test('nodes that dial each other at the same time are one peer to each other', {
  timeout: 20_000,
}, async t => {
  const [one, other] = (await startNodes(t, 2)) as [Node, Node]
  const inboxes = [one, other].map(node => gather(node))
  await Promise.all([one.connect(addressOf(other)), other.connect(addressOf(one))])
  await untilMeshed([one, other])
  await Promise.all([propagateText(one, 'there'), propagateText(other, 'and back')])
  await until('both have what was sent', () => inboxes.every(inbox => inbox.length === 1))
  assert.deepEqual(
    [one, other].map(node => node.peers().length),
    [1, 1],
  )
  await one.disconnect(other.peer)
  await until('they are apart', () => one.peers().length === 0 && other.peers().length === 0)
})

test('a dial tells what was wrong with it', { timeout: 20_000 }, async t => {
  const [node, other] = (await startNodes(t, 2)) as [Node, Node]
  const address = addressOf(other)
  await assert.rejects(node.connect('nonsense'), { code: 'ADDRESS' })
  await assert.rejects(node.disconnect('nonsense'), { code: 'ADDRESS' })
  await assert.rejects(node.connect(address.replace(other.peer, node.peer)), { code: 'DENIED' })
  await other.stop()
  await assert.rejects(node.connect(address), { code: 'DIAL', message: /ECONNREFUSED/ })
  await assert.rejects(node.connect(address, { signal: AbortSignal.abort() }), { code: 'TIMEOUT' })
})
