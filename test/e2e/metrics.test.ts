/**
 * The metrics of running nodes are text that Prometheus can read, and each node has its own.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node } from '../../src/index.ts'
import { acceptingLine, propagateText, TOPIC } from './support/nodes.ts'
import { parseMetrics, sumOf } from './support/samples.ts'
import { until } from './support/until.ts'

test('the metrics of two nodes parse, cover all parts, and are apart', { timeout: 20_000 }, async t => {
  const { nodes, inboxes } = await acceptingLine(t, 2)
  const [first, last] = nodes as [Node, Node]
  for (let number = 0; number < 10; number++) await propagateText(first, `message ${number}`)
  await until('all are there', () => inboxes[1]?.length === 10)

  const [atFirst, atLast] = await Promise.all([first.metrics(), last.metrics()])
  for (const text of [atFirst, atLast]) {
    const names = [...parseMetrics(text).keys()]
    for (const prefix of ['floodgate_', 'gossipsub_', 'libp2p_']) {
      assert.ok(
        names.some(name => name.startsWith(prefix)),
        `nothing of ${prefix}`,
      )
    }
    // Some names of gossipsub are misspelt.
    const strangers = names.filter(
      name => !/^(floodgate|libp2p|gossipsub|gossisub|gossip)_[a-z0-9_]+$/.test(name),
    )
    assert.deepEqual(strangers, [])
  }

  const topic = { topic: TOPIC }
  assert.equal(sumOf(atFirst, 'floodgate_messages_propagated_total', topic), 10)
  assert.equal(sumOf(atLast, 'floodgate_messages_propagated_total', topic), 0)
  assert.equal(sumOf(atFirst, 'floodgate_messages_received_total', topic), 0)
  assert.equal(sumOf(atLast, 'floodgate_messages_received_total', topic), 10)
  assert.equal(
    sumOf(atLast, 'floodgate_verdicts_total', { ...topic, verdict: 'accept', reason: 'handler' }),
    10,
  )
  assert.equal(sumOf(atFirst, 'floodgate_peers', { direction: 'outbound' }), 1)
  assert.equal(sumOf(atFirst, 'floodgate_peers', { direction: 'inbound' }), 0)
  assert.equal(sumOf(atLast, 'floodgate_peers', { direction: 'inbound' }), 1)
  assert.ok(sumOf(atFirst, 'floodgate_socket_bytes_total', { direction: 'sent' }) > 0)
  assert.equal(sumOf(atFirst, 'gossipsub_cache_size', { cache: 'publishedMessageIds' }), 10)
  assert.equal(sumOf(atLast, 'gossipsub_cache_size', { cache: 'publishedMessageIds' }), 0)
})

test('metrics begin anew when a node starts again', { timeout: 20_000 }, async t => {
  const { nodes } = await acceptingLine(t, 2)
  const [first] = nodes as [Node, Node]
  await propagateText(first, 'message')
  assert.equal(sumOf(await first.metrics(), 'floodgate_messages_propagated_total'), 1)
  await first.stop()
  await first.start()
  assert.equal(sumOf(await first.metrics(), 'floodgate_messages_propagated_total'), 0)
})
