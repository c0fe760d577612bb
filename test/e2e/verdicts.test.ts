/**
 * What becomes of a message by when, and how, the upper layer answers.
 *
 * gossipsub forgets a message after its history, and loses a later verdict without a word: hence the verdict
 * timeout, which ends before that. A handler is our caller's code: whatever it does, the topic goes on.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { HandlerResult, Node, NodeConfig } from '../../src/index.ts'
import {
  type Accepted,
  connectLine,
  gather,
  makeNode,
  propagateText,
  QUICK_GOSSIP,
  startNodes,
  TOPIC,
  textOf,
  untilMeshed,
} from './support/nodes.ts'
import { sumOf } from './support/samples.ts'
import { until } from './support/until.ts'

/** With this history gossip keeps a message for between 11 and 12 heartbeats of 200 ms. */
const gossip = { heartbeatMs: 200, historyLength: 12 }

/** The longest verdict timeout that the configuration allows with it. */
const LONGEST_TIMEOUT_MS = 11 * 200 - 500

const config: NodeConfig = { gossip, topicDefaults: { verdictTimeoutMs: LONGEST_TIMEOUT_MS } }

/** A line of three nodes: what the middle one answers decides what the last one gets. */
async function line(
  t: Parameters<typeof startNodes>[0],
  handler: (text: string) => HandlerResult | Promise<HandlerResult>,
  options: NodeConfig = config,
): Promise<{ first: Node; middle: Node; last: Node; atMiddle: Accepted[]; atLast: Accepted[] }> {
  const nodes = await startNodes(t, 3, options)
  const [first, middle, last] = nodes as [Node, Node, Node]
  gather(first)
  const atMiddle = gather(middle, message => handler(textOf(message)))
  const atLast = gather(last)
  await connectLine(nodes)
  await untilMeshed(nodes)
  return { first, middle, last, atMiddle, atLast }
}

test('a verdict timeout that gossip would not wait for is refused by subscribe', async t => {
  const node = await makeNode(t, config)
  assert.throws(() => node.subscribe(TOPIC, () => 'accept', { verdictTimeoutMs: LONGEST_TIMEOUT_MS + 1 }), {
    code: 'CONFIG',
    message: /verdictTimeoutMs/,
  })
  node.subscribe(TOPIC, () => 'accept', { verdictTimeoutMs: LONGEST_TIMEOUT_MS })
})

test('an accept within the timeout passes the message on, a later one only delivers it', {
  timeout: 30_000,
}, async t => {
  const release = Promise.withResolvers<HandlerResult>()
  const { first, middle, atMiddle, atLast } = await line(t, text => {
    if (text === 'late') return release.promise
    // As long as gossip's default history at this heartbeat, which is shorter than ours.
    if (text === 'slow') return pause(1_100, 'accept')
    return 'accept'
  })

  await propagateText(first, 'late')
  await propagateText(first, 'slow')
  await until('the last node has the slow one', () => atLast.length === 1)
  await until('the other is overdue', () => middle.topicStats(TOPIC)?.overdue === 1)
  release.resolve('accept')
  await until('the middle node has both', () => atMiddle.length === 2)
  await propagateText(first, 'after')
  await until('the last node has what came after', () => atLast.length === 2)

  assert.deepEqual(
    atMiddle.map(({ text, late }) => ({ text, late })),
    [
      { text: 'slow', late: false },
      { text: 'late', late: true },
      { text: 'after', late: false },
    ],
  )
  assert.deepEqual(
    atLast.map(({ text }) => text),
    ['slow', 'after'],
  )
  const { accepted, overdue, late } = middle.topicStats(TOPIC) ?? {}
  assert.deepEqual({ accepted, overdue, late }, { accepted: 3, overdue: 1, late: 1 })
  const metrics = await middle.metrics()
  assert.equal(sumOf(metrics, 'floodgate_verdicts_overdue_total', { topic: TOPIC }), 1)
  assert.equal(sumOf(metrics, 'floodgate_verdicts_late_total', { topic: TOPIC }), 1)
})

test('a reject or an ignore stops the message, and only a reject is blamed', { timeout: 20_000 }, async t => {
  const { first, middle, atMiddle, atLast } = await line(t, text =>
    text === 'bad' ? 'reject' : text !== 'odd' || 'ignore',
  )
  const blamed: string[] = []
  middle.on('offence', (peer, offence) => blamed.push(`${peer} ${offence}`))

  for (const text of ['bad', 'odd', 'good']) await propagateText(first, text)
  await until('the last node has the good one', () => atLast.length === 1)

  assert.deepEqual(
    atLast.map(({ text }) => text),
    ['good'],
  )
  assert.deepEqual(
    atMiddle.map(({ text }) => text),
    ['good'],
  )
  assert.deepEqual(blamed, [`${first.peer} rejected`])
})

test('handlers and listeners that throw harm nobody', { timeout: 20_000 }, async t => {
  const failure = new Error('our caller has a bug')
  const { first, middle, last, atLast } = await line(t, text => {
    if (text === 'throws') throw failure
    if (text === 'fails') return Promise.reject(failure)
    if (text === 'nonsense') return 7 as never
    return 'accept'
  })
  for (const node of [middle, last]) {
    for (const event of ['message', 'verdict', 'offence', 'peer:connect', 'peer:disconnect'] as const) {
      node.on(event, async () => {
        throw failure
      })
      node.on(event, () => {
        throw failure
      })
    }
  }
  const scores = () => middle.peers().map(({ score }) => score)

  for (const text of ['throws', 'fails', 'nonsense', 'good']) await propagateText(first, text)
  await until('the last node has the good one', () => atLast.length === 1)

  assert.deepEqual(
    atLast.map(({ text }) => text),
    ['good'],
  )
  assert.deepEqual(scores(), [0, 0])
  const metrics = await middle.metrics()
  assert.equal(sumOf(metrics, 'floodgate_verdicts_total', { verdict: 'ignore', reason: 'threw' }), 3)

  await last.disconnect(middle.peer)
  await last.connect(middle.addresses()[0] ?? '')
  await untilMeshed([middle, last])
  await propagateText(first, 'again')
  await until('after a reconnect it goes on', () => atLast.length === 2)
})

test('handlers that never return do not stop the topic', { timeout: 30_000 }, async t => {
  const concurrency = 4
  const options = { gossip: QUICK_GOSSIP, topicDefaults: { concurrency, verdictTimeoutMs: 300 } }
  const { first, middle, atMiddle, atLast } = await line(
    t,
    text => (text.startsWith('stuck') ? new Promise(() => {}) : 'accept'),
    options,
  )
  for (let number = 0; number < 2 * concurrency; number++) await propagateText(first, `stuck ${number}`)
  await until('all are overdue', () => middle.topicStats(TOPIC)?.overdue === 2 * concurrency)
  let sent = 0
  await until('a later one is passed on', async () => {
    await propagateText(first, `good ${sent++}`)
    return atLast.length > 0
  })
  assert.ok([...atMiddle, ...atLast].every(({ text }) => text.startsWith('good')))
})
