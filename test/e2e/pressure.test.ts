/**
 * More than the network takes at once: nothing is lost, nothing is kept, and one topic does not hold up another.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node } from '../../src/index.ts'
import { addressOf, gather, propagateText, startNodes, TOPIC, untilMeshed } from './support/nodes.ts'
import { until } from './support/until.ts'

const MEGABYTE = 1_000_000

/** Payloads that differ, so that each is a message of its own. */
function payloads(count: number, sizeBytes: number): Buffer[] {
  return Array.from({ length: count }, (_, number) => {
    const payload = Buffer.alloc(sizeBytes)
    payload.writeUInt32BE(number)
    return payload
  })
}

test('sixty megabytes propagated in one moment all arrive', { timeout: 60_000 }, async t => {
  const [sender, receiver] = (await startNodes(t, 2)) as [Node, Node]
  const inbox = gather(receiver, () => 'accept', { maxPayloadBytes: MEGABYTE })
  gather(sender, () => 'accept', { maxPayloadBytes: MEGABYTE })
  await sender.connect(addressOf(receiver))
  await untilMeshed([sender, receiver])
  const results = await Promise.all(payloads(60, MEGABYTE).map(payload => sender.propagate(TOPIC, payload)))
  assert.ok(results.every(({ sent, recipients }) => sent && recipients === 1))
  await until('all have arrived', () => inbox.length === 60, 40_000)
  assert.doesNotMatch(await sender.metrics(), /^floodgate_publish_waits_total 0$/m)
  assert.match(await sender.metrics(), /^floodgate_gossip_revived_total 0$/m)
})

test('what nobody had is no secret: it can be propagated again', { timeout: 30_000 }, async t => {
  const [sender, receiver] = (await startNodes(t, 2)) as [Node, Node]
  const inbox = gather(receiver)
  gather(sender)
  const alone = await propagateText(sender, 'hello')
  assert.deepEqual([alone.sent, alone.seen, alone.recipients], [false, false, 0])
  await sender.connect(addressOf(receiver))
  await untilMeshed([sender, receiver])
  const again = await propagateText(sender, 'hello')
  assert.deepEqual([again.sent, again.seen, again.recipients], [true, false, 1])
  await until('it is there', () => inbox.length === 1)
})

test('an argument of the wrong type is refused with a code', { timeout: 30_000 }, async t => {
  const [node] = (await startNodes(t, 1)) as [Node]
  gather(node)
  await assert.rejects(node.propagate(TOPIC, 'text' as never), { code: 'ARGUMENT' })
  await assert.rejects(node.propagate(TOPIC, undefined as never), { code: 'ARGUMENT' })
  assert.throws(() => node.subscribe('other', undefined as never), { code: 'ARGUMENT' })
  assert.throws(() => node.subscribe('other', () => 'accept', { quickVerify: 5 as never }), {
    code: 'ARGUMENT',
  })
})

test('a port in use is said in one line', { timeout: 30_000 }, async t => {
  const [first] = (await startNodes(t, 1)) as [Node]
  const { createNode } = await import('../../src/index.ts')
  const listen = [addressOf(first).replace(/\/p2p\/.*/, '')]
  const second = await createNode({ preset: 'local', listen, log: { level: 'silent' } })
  await assert.rejects(second.start(), {
    code: 'LISTEN',
    message: /^cannot listen on \S+: the port is in use[^\n]*$/,
  })
})
