/**
 * No message goes back to the peer that it came from. gossipsub echoes every message to its sender when a verdict
 * names that sender in another form than text, and nothing but the number of copies shows it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, Verdict } from '../../src/index.ts'
import {
  acceptingLine,
  connectAll,
  gather,
  propagateText,
  startNodes,
  TOPIC,
  textOf,
  untilMeshed,
} from './support/nodes.ts'
import { until } from './support/until.ts'

const MESSAGES = 50

test('in a line each message crosses each link once, in one direction', { timeout: 20_000 }, async t => {
  const { nodes, inboxes } = await acceptingLine(t, 3)
  const [first, , last] = nodes as [Node, Node, Node]

  for (let number = 0; number < MESSAGES; number++) await propagateText(first, `message ${number}`)
  await until('the last node has all messages', () => inboxes[2]?.length === MESSAGES)
  // Gossip is in order on each link: what comes back after the echoes shows that there were none.
  await propagateText(last, 'back')
  await until('the way back is done', () => inboxes[0]?.length === 1 && inboxes[1]?.length === MESSAGES + 1)

  assert.deepEqual(nodes.map(copiesAt), [1, MESSAGES + 1, MESSAGES])
})

test('in a full mesh the origin gets no copy, and the others at most one from each', {
  timeout: 20_000,
}, async t => {
  const nodes = await startNodes(t, 4)
  const [origin, ...others] = nodes as [Node, ...Node[]]
  // Nobody accepts, and so passes on, before everybody has the origin's own copy.
  const asked = new Map<string, number>()
  const whenAllHaveIt = async (text: string): Promise<Verdict> => {
    asked.set(text, (asked.get(text) ?? 0) + 1)
    await until('all nodes have a copy', () => asked.get(text) === others.length, 1_500)
    return 'accept'
  }
  gather(origin)
  const inboxes = others.map(node =>
    gather(node, message => (textOf(message).startsWith('end') ? 'ignore' : whenAllHaveIt(textOf(message)))),
  )
  await connectAll(nodes)
  await untilMeshed(nodes)

  for (let number = 0; number < MESSAGES; number++) await propagateText(origin, `message ${number}`)
  await until('everyone accepted everything', () => inboxes.every(inbox => inbox.length === MESSAGES))
  for (const node of others) await propagateText(node, `end of ${node.peer}`)
  await until('the origin has the end of each', () => origin.topicStats(TOPIC)?.accepted === others.length)

  const copies = nodes.map(copiesAt)
  t.diagnostic(`copies of ${MESSAGES} messages, with the ends: ${copies.join(', ')}`)
  assert.equal(copies[0], others.length, 'the origin got something back')
  const endsMax = others.length * others.length
  assert.ok(
    copies.every(count => count <= MESSAGES * others.length + endsMax),
    `copies: ${copies}`,
  )
})

function copiesAt(node: Node): number {
  return node.topicStats(TOPIC)?.copies ?? 0
}
