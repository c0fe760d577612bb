/**
 * Many small messages at once: none is lost, none comes twice, and what does not fit is counted.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Node } from '../../src/index.ts'
import { connectLine, gather, propagateText, startNodes, TOPIC, untilMeshed } from './support/nodes.ts'
import { sumOf } from './support/samples.ts'
import { until } from './support/until.ts'

const MESSAGES = 10_000

/** What this machine does besides must not decide whether a verdict is in time; all other limits are the defaults. */
const patient = { gossip: { historyLength: 60 }, topicDefaults: { verdictTimeoutMs: 50_000 } }

test('a burst of 10,000 messages arrives, each once, over two hops', { timeout: 60_000 }, async t => {
  const nodes = await startNodes(t, 3, patient)
  const [first, ...others] = nodes as [Node, Node, Node]
  gather(first)
  const inboxes = others.map(node => gather(node, () => nextTurn('accept' as const)))
  await connectLine(nodes)
  await untilMeshed(nodes)

  const startedMs = performance.now()
  const texts = Array.from({ length: MESSAGES }, (_, number) => `message ${number}`)
  await Promise.all(texts.map(text => propagateText(first, text)))
  await until('everything is delivered', () => inboxes.every(inbox => inbox.length >= MESSAGES), 40_000)
  t.diagnostic(`${MESSAGES} messages over two hops in ${Math.round(performance.now() - startedMs)} ms`)

  for (const [index, node] of others.entries()) {
    assert.deepEqual(new Set(inboxes[index]?.map(({ text }) => text)), new Set(texts))
    assert.equal(inboxes[index]?.length, MESSAGES, 'some came twice')
    const { received, accepted, ignored, overdue } = node.topicStats(TOPIC) ?? {}
    assert.deepEqual(
      { received, accepted, ignored, overdue },
      { received: MESSAGES, accepted: MESSAGES, ignored: 0, overdue: 0 },
    )
  }
})

test('what does not fit into the queue is dropped, and every message is accounted for', {
  timeout: 60_000,
}, async t => {
  const [sender, receiver] = (await startNodes(t, 2, patient)) as [Node, Node]
  gather(sender)
  const release = Promise.withResolvers<void>()
  const options = { concurrency: 4, queueMaxMessages: 100 }
  const inbox = gather(receiver, () => release.promise.then(() => 'accept' as const), options)
  await connectLine([sender, receiver])
  await untilMeshed([sender, receiver])

  await Promise.all(Array.from({ length: 1_000 }, (_, number) => propagateText(sender, `message ${number}`)))
  await until('all are at the gate', () => receiver.topicStats(TOPIC)?.received === 1_000)
  release.resolve()
  await until('the gate is empty', () => inbox.length === 104)

  const dropped = sumOf(await receiver.metrics(), 'floodgate_verdicts_total', {
    verdict: 'ignore',
    reason: 'overflow',
  })
  assert.equal(inbox.length + dropped, 1_000)
  assert.equal(inbox.at(-1)?.text, 'message 999', 'the newest are kept')
})
