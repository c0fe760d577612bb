/**
 * `floodDegree: all` sends to every connected subscriber, where `mesh` sends to a few and lets them pass it on.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FloodDegree, Node } from '../../src/index.ts'
import { connectAll, gather, propagateText, QUICK_GOSSIP, startNodes, TOPIC } from './support/nodes.ts'
import { until } from './support/until.ts'

const NODES = 10
const MESSAGES = 20
const DEGREE_HIGH = 4

const gossip = { ...QUICK_GOSSIP, degree: 3, degreeLow: 2, degreeHigh: DEGREE_HIGH }

interface Spread {
  /** How many nodes heard of each message from the origin itself. */
  readonly oneHop: number[]
  readonly recipients: number[]
  readonly copiesPerNode: number
}

/** Spreads messages of the first of ten nodes, all connected to each other. */
async function spread(t: TestContext, floodDegree: FloodDegree): Promise<Spread> {
  const nodes = await startNodes(t, NODES, { gossip })
  const [origin, ...others] = nodes as [Node, ...Node[]]
  gather(origin, () => 'accept', { floodDegree })
  // Nobody passes a message on before everybody who gets it from the origin has it.
  let asked = 0
  let release = Promise.withResolvers<void>()
  const inboxes = others.map(node =>
    gather(
      node,
      async () => {
        asked++
        await release.promise
        return 'accept' as const
      },
      { floodDegree },
    ),
  )
  await connectAll(nodes)
  await until('everyone has neighbours and knows all subscribers', () =>
    nodes.every(
      node =>
        node.topicStats(TOPIC)?.meshPeers !== 0 && node.topicStats(TOPIC)?.subscribers === others.length,
    ),
  )
  await until('the origin has let go the neighbours that are too many', () => meshOf(origin) <= DEGREE_HIGH)
  const oneHop: number[] = []
  const recipients: number[] = []
  for (let number = 0; number < MESSAGES; number++) {
    asked = 0
    release = Promise.withResolvers()
    const result = await propagateText(origin, `message ${number}`)
    await until('the recipients have it', () => asked >= result.recipients)
    recipients.push(result.recipients)
    oneHop.push(asked)
    release.resolve()
    await until('everyone has it', () => inboxes.every(inbox => inbox.length === number + 1))
  }
  const copies = nodes.reduce((sum, node) => sum + (node.topicStats(TOPIC)?.copies ?? 0), 0)
  return { oneHop, recipients, copiesPerNode: copies / MESSAGES / others.length }
}

test('all: every connected subscriber has the message after one hop', { timeout: 30_000 }, async t => {
  const { oneHop, recipients, copiesPerNode } = await spread(t, 'all')
  t.diagnostic(`all: ${copiesPerNode.toFixed(1)} copies of each message at each node`)
  assert.deepEqual(new Set(recipients), new Set([NODES - 1]))
  assert.deepEqual(new Set(oneHop), new Set([NODES - 1]))
})

test('mesh: the origin sends to its neighbours, and they to the others', { timeout: 30_000 }, async t => {
  const { recipients, copiesPerNode } = await spread(t, 'mesh')
  t.diagnostic(`mesh: ${copiesPerNode.toFixed(1)} copies of each message at each node`)
  assert.ok(
    recipients.every(count => count >= 1 && count < NODES - 1),
    `recipients: ${recipients}`,
  )
})

function meshOf(node: Node): number {
  return node.topicStats(TOPIC)?.meshPeers ?? 0
}
